from __future__ import annotations

import pytest

from migrator.errors import ConfigError
from migrator.operations.moved import Move, record_move
from tests.unit.archive.office import Office


def test_an_archive_is_known_under_its_new_path_and_the_lines_to_edit_are_named(office: Office) -> None:
    old, new = office.root / "archive" / "a", office.root / "elsewhere"
    done = record_move(str(old), str(new), office.state_dir, office.config)
    assert done.moves == (Move(f"mbox:{old}", f"mbox:{new}", 3),)
    assert [line.partition(": ")[2] for line in done.to_edit] == ['path = "archive/a"']
    back = record_move(str(new), str(old), office.state_dir, None)
    assert back.as_json() == {"moved": [{"old": f"mbox:{new}", "new": f"mbox:{old}", "copies": 3}], "to_edit": []}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nowhere", "x", "nothing is known of nowhere"),
        ("imaps://h/x", "y", "must be two folders, two mailboxes, or two s3://bucket/prefix"),
        ("mbox:a", "maildir:b", "an archive keeps its kind"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(office: Office, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        record_move(old, new, office.state_dir, office.config)


def test_without_a_ledger_nothing_is_known(office: Office) -> None:
    with pytest.raises(ConfigError, match="there is no ledger"):
        record_move("a", "b", office.root / "empty", None)
