from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from migrator.interchange.importing.layout import Layout

LAYOUT = Layout.of(["M/cur/1", "M/tmp/2", "new/3", "A.mbox/Messages/1.emlx", "other/tmp/4", "B/Attachments/5"])


@pytest.mark.parametrize(
    ("name", "is_in_maildir", "is_left_out"),
    [
        ("M/cur/1", True, False),
        ("M/new/9", True, False),
        ("M/cur/.hidden", True, True),
        ("new/3", True, False),
        ("M/tmp/2", False, True),
        ("other/tmp/4", False, False),
        ("other/cur/4", False, False),
        ("A.mbox/Messages/1.emlx", False, False),
        ("A.mbox/Attachments/1/2/forwarded.eml", False, True),
        ("B/Attachments/5", False, False),
    ],
)
def test_names_tell_what_belongs_to_a_maildir_or_to_apple(name: str, is_in_maildir: bool, is_left_out: bool) -> None:
    inside = PurePosixPath(name)
    assert (LAYOUT.is_in_maildir(inside), LAYOUT.is_left_out(inside)) == (is_in_maildir, is_left_out)
