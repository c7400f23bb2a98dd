from __future__ import annotations

import pytest

from migrator.archive.labels import label_of


@pytest.mark.parametrize(
    ("written", "label"),
    [
        (b"", ""),
        (b"X-Gmail-Labels: Inbox,Important,Opened\r\n", ""),
        (b"X-Gmail-Labels: Inbox,Work,Family\r\n", "Work"),
        (b"x-gmail-labels: Archived,\r\n Category Updates,Bills/2024\r\n", "Bills/2024"),
        (b'X-Gmail-Labels: Opened,"Smith, John",Work\r\n', "Smith, John"),
        (b"X-Gmail-Labels: =?UTF-8?Q?Opened,R=C3=A9ponses?=\r\n", "Réponses"),
    ],
)
def test_the_first_label_of_the_user_s_own_counts(written: bytes, label: str) -> None:
    assert label_of(b"From: a@b\r\n" + written + b"\r\nX-Gmail-Labels: In the body\r\n") == label
