from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.findings.facts import PlaceFacts, VolumeFacts, VolumeLook
from migrator.findings.model import Setting
from tests.unit.findings.samples import ANN, MAILBOX, MBOX, found_in, found_with

CANONICAL = Setting("config.toml", ("accounts", 0, "destinations", 1, "proof"), "canonical")


def volumes(look: VolumeLook, count: int = 1) -> tuple[VolumeFacts, ...]:
    return tuple(VolumeFacts(f"2026-11-{number:03d}.mbox", look) for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("place", "finding", "words"),
    [
        (replace(MBOX, is_away=True, known=1), "archive-missing", "1 message is known to be in it"),
        (replace(MBOX, volumes=volumes(VolumeLook.MISSING)), "archive-changed", "2026-11-001.mbox is missing"),
        (replace(MBOX, volumes=volumes(VolumeLook.SHRUNK, 2)), "archive-changed", "are shorter than they were"),
        (replace(MBOX, volumes=volumes(VolumeLook.REWRITTEN, 5)), "archive-changed", "and 2 more are not what"),
        (replace(MBOX, not_written="/archive"), "archive-read-only", "mbox archive/ann cannot be written"),
        (replace(MBOX, is_inside_state=True), "archive-inside-state", "lies inside state_dir"),
        (replace(MBOX, known=0, volumes=volumes(VolumeLook.UNKNOWN)), "archive-unknown", "1 file with mail"),
        (replace(MBOX, volumes=volumes(VolumeLook.UNKNOWN)), "state-older", "1 file holds mail that is not known"),
        (replace(MBOX, volumes=volumes(VolumeLook.GROWN, 2)), "state-older", "2 files hold mail that is not known"),
        (replace(MBOX, strange_files=("a.mbox.gz",)), "archive-unknown", "1 file (a.mbox.gz)"),
        (replace(MAILBOX, gone=2), "copies-gone", "2 messages are gone from INBOX of ann at imap.example.org, where"),
        (replace(MAILBOX, unproven=1), "unproven-copies", "1 message in INBOX of ann at imap.example.org was altered"),
        (replace(MBOX, weaknesses=("x",)), "file-system", "mbox archive/ann: x"),
    ],
)
def test_what_is_seen_becomes_its_finding(place: PlaceFacts, finding: str, words: str) -> None:
    [found] = found_in(place)
    assert (found.id, found.accounts, found.destination) == (finding, ("ann",), place.label)
    assert words in found.text


def test_nothing_else_is_said_of_an_archive_that_is_away() -> None:
    place = replace(MBOX, is_away=True, damaged=3, unproven=1, not_written="/archive")
    assert [found.id for found in found_in(place)] == ["archive-missing"]


def test_altered_copies_are_cured_by_a_lower_proof_or_by_accepting_them() -> None:
    place = replace(MAILBOX, unproven=15, differences=("carriage returns",), proof_setting=(CANONICAL,))
    [found] = found_in(place)
    assert found.text == "15 messages in INBOX of ann at imap.example.org were altered by the server (carriage returns)"
    assert found.cure.settings == (CANONICAL,)
    assert found.cure.command is not None
    assert found.cure.command[3:] == ("quarantine", "ann", "--accept", "--kind", "unproven")
    assert found.as_json()["cure"] == {
        "text": found.cure.text,
        "command": list(found.cure.command),
        "settings": [
            {"file": "config.toml", "path": ["accounts", 0, "destinations", 1, "proof"], "value": "canonical"}
        ],
    }


def test_archives_below_one_folder_that_are_away_together_are_one_finding() -> None:
    bob = replace(ANN, name="bob", maildrop="bob", places=("mbox:/archive/bob",))
    places = [
        replace(MBOX, identity=identity, label=label, anchor="/archive", known=3, is_away=True)
        for identity, label in (("mbox:/archive/ann", "mbox archive/ann"), ("mbox:/archive/bob", "mbox archive/bob"))
    ]
    [found] = found_with(accounts=(replace(ANN, places=("mbox:/archive/ann",)), bob), places=tuple(places))
    assert (found.id, found.account, found.accounts, found.destination) == (
        "archive-missing",
        None,
        ("ann", "bob"),
        None,
    )
    assert found.text == ("mbox archive/ann, mbox archive/bob are not there, and 6 messages are known to be in them")


def test_a_disk_mounted_for_reading_is_one_finding_for_all_its_archives() -> None:
    places = tuple(
        replace(MBOX, identity=f"mbox:{n}", label=f"mbox {n}", not_written="disk 7", weaknesses=("weak",))
        for n in range(2)
    )
    account = replace(ANN, places=("mbox:0", "mbox:1"))
    found = found_with(accounts=(account,), places=places)
    assert [(one.id, one.text) for one in found] == [
        ("archive-read-only", "mbox 0, mbox 1 cannot be written"),
        ("file-system", "mbox 0, mbox 1: weak"),
    ]
