"""What becomes of each message, and what is told and kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.policy import DeleteWhenVerified, Policy, SourceProof
from migrator.report import AccountReport, Status
from tests.mail import message_of
from tests.rig import Rig, deleting
from tests.scripted_destination import ScriptedFolder
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    AddedHeaders,
    Answers,
    AtMessages,
    Changes,
    CutShort,
    DropInside,
    DropInsideRetr,
)
from tests.servers.pop3_session import Fault, Session, Shown

LETTERS = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 6)]


@pytest.fixture
def folder() -> ScriptedFolder:
    return ScriptedFolder("one")


def rig_of(root: Path, server: Pop3Server, *folders: ScriptedFolder) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return list(folders)

    return Rig(root, server, destinations=places)


def set_aside(rig: Rig) -> list[tuple[bytes, str, int]]:
    """Return unique-id, kind and attempts of what the ledger keeps of messages that failed."""
    with closing(Ledger.open(rig.state)) as ledger:
        return [(one.unique_id, one.kind, one.attempts) for one in ledger.history.set_aside([rig.user])]


def kept(root: Path, server: Pop3Server, *folders: ScriptedFolder) -> Rig:
    """Copy everything and keep it; the next run is to delete it."""
    rig = rig_of(root, server, *folders)
    assert rig.migrate().status is Status.OK
    return deleting(rig)


def problems_of(report: AccountReport) -> list[tuple[Kind, bytes | None]]:
    return [(problem.kind, problem.unique_id) for problem in report.problems]


SHORTER = [LETTERS[1][:-cut] + b"\r\n" for cut in range(3, 13)]
"""What a source may give in place of a message, each time another one."""


# Octets that differ from those announced.


class Announces(Fault):
    """Announces so many octets more or less than it sends, by message."""

    def __init__(self, **more: int) -> None:
        self._more = {int(key.removeprefix("key")): octets for key, octets in more.items()}

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return [replace(one, octets=one.octets + self._more.get(one.stored.key, 0)) for one in messages]


@pytest.mark.parametrize(
    ("count", "announces", "retrieved", "copied"),
    [
        (1, {"key1": -3}, 2, 1),
        (1, {"key1": 3}, 2, 0),
        (2, {"key1": 3, "key2": 3}, 4, 2),
        (3, {"key1": 3, "key2": 3}, 5 + 4, 3),  # in the first session one more differs than fits, in the second two do
        (4, {"key1": 3, "key2": 3, "key3": 3}, 7, 4),
    ],
)
def test_missing_octets_mean_nothing_only_where_two_more_differ_than_fit(
    tmp_path: Path, folder: ScriptedFolder, count: int, announces: dict[str, int], retrieved: int, copied: int
) -> None:
    with Pop3Server(Maildrop(LETTERS[:count]), faults=[Announces(**announces)]) as server:
        report = rig_of(tmp_path, server, folder).migrate()
        assert (report.copied, len(folder.stored), report.failed) == (copied, copied, count - copied)
        assert server.counts()["RETR"] == retrieved
        assert {problem.kind for problem in report.problems} <= {Kind.SHORT}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (CutShort(1), "both times"),
        (Changes(1, SHORTER), "and other bytes than the first time"),
    ],
)
def test_what_is_short_is_told_with_what_a_second_look_showed(
    tmp_path: Path, folder: ScriptedFolder, fault: Fault, words: str
) -> None:
    with Pop3Server(Maildrop(LETTERS[:1]), faults=[fault]) as server:
        rig = rig_of(tmp_path, server, folder)
        report = rig.migrate()
        assert problems_of(report) == [(Kind.SHORT, b"uid-00000001")]
        assert words in report.problems[0].message
        assert [kind for _, kind, _ in set_aside(rig)] == ["short"]


# Messages that break the line.


@pytest.mark.parametrize("is_known", [False, True])
def test_a_message_that_breaks_the_line_is_named_and_counted_as_what_it_is(
    tmp_path: Path, folder: ScriptedFolder, is_known: bool
) -> None:
    maildrop = Maildrop(LETTERS)
    if is_known:
        with Pop3Server(maildrop) as server:
            rig_of(tmp_path, server, folder).migrate()
    with Pop3Server(maildrop, faults=[AtMessages("RETR", [3], DropInside("RETR", after=40))]) as server:
        report = deleting(rig_of(tmp_path, server, folder)).migrate()
        assert (report.failed, report.deleted) == (0 if is_known else 1, 4)
        assert problems_of(report) == [(Kind.CONNECT, b"uid-00000003")]


def test_a_line_that_broke_by_chance_accuses_nobody(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[DropInsideRetr(3, 10, times=1)]) as server:
        report = deleting(rig_of(tmp_path, server, folder)).migrate()
        assert (report.status, report.copied, report.deleted, report.problems) == (Status.OK, 5, 5, [])


# Known messages.


def test_what_is_proven_by_content_is_verified_again_and_not_copied(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        report = kept(tmp_path, server, folder).migrate()
        assert (report.verified, report.copied, report.duplicates, report.deleted) == (5, 0, 0, 5)


class AddsHeadersUnannounced(AddedHeaders):
    """Adds headers from the second log-in on, and lists the octets of before."""

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        shown = zip(messages, super().shown(session, messages), strict=True)
        return [replace(after, octets=before.octets) for before, after in shown]


def test_headers_that_a_server_adds_later_are_no_change(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[AddsHeadersUnannounced()]) as server:
        report = kept(tmp_path, server, folder).migrate()
        assert (report.status, report.copied, report.deleted, len(folder.stored)) == (Status.OK, 0, 5, 5)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("proof", SourceProof)
def test_nothing_goes_while_any_destination_holds_a_damaged_copy(
    tmp_path: Path, place: int, proof: SourceProof
) -> None:
    folders = [ScriptedFolder("one"), ScriptedFolder("two")]
    with Pop3Server(Maildrop(LETTERS), allows_top_proof=proof is SourceProof.HEADERS) as server:
        rig = kept(tmp_path, server, *folders)
        folders[place].stored["copy-2"] = b"damage"
        rig.policy = Policy(DeleteWhenVerified(), proof)
        report = rig.migrate()
        assert (report.status, report.deleted, report.failed, server.maildrop.left()) == (
            Status.PARTIAL,
            4,
            0,
            [LETTERS[2]],
        )
        assert problems_of(report) == [(Kind.MISMATCH, b"uid-00000003")]


def test_a_destination_that_fails_while_known_mail_is_proven_is_told_once(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = kept(tmp_path, server, folder)
        folder.reads_with = FerryError(Kind.ARCHIVE, "gone away")
        report = rig.migrate()
        assert (report.deleted, report.failed, problems_of(report)) == (0, 0, [(Kind.ARCHIVE, None)])


def test_a_copy_that_a_person_took_out_keeps_its_message_at_the_source_and_is_noted(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    other = ScriptedFolder("two", label="another folder")
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = kept(tmp_path, server, folder, other)
        other.stored.pop("copy-2")
        report = rig.migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 4, [LETTERS[2]])
        assert report.notes == ["a message was taken out of another folder: the source keeps it (when_copy_is_gone)"]


# Messages that fail.


def test_a_message_that_a_destination_refuses_is_named_and_kept_in_the_ledger(tmp_path: Path) -> None:
    folder = ScriptedFolder("one", refuses={message_of(LETTERS[1]).digest})
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, folder)
        report = rig.migrate()
        assert (report.failed, problems_of(report)) == (1, [(Kind.REFUSED, b"uid-00000002")])
        assert set_aside(rig) == [(b"uid-00000002", "refused", 1)]  # a run is one attempt, in however many sessions


def test_a_message_that_the_source_refuses_is_named_and_kept_in_the_ledger(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[Answers("RETR", 2, words="-ERR no")]) as server:
        rig = rig_of(tmp_path, server, folder)
        report = rig.migrate()
        assert (report.failed, problems_of(report)) == (1, [(Kind.REFUSED, b"uid-00000002")])
        assert set_aside(rig) == [(b"uid-00000002", "refused", 1)]  # a run is one attempt, in however many sessions


@pytest.mark.parametrize("kind", [Kind.QUOTA, Kind.REFUSED])
def test_a_destination_that_fails_as_a_whole_is_told_once_and_blames_no_message(tmp_path: Path, kind: Kind) -> None:
    folder = ScriptedFolder("one", fails_with=FerryError(kind, "not today"))
    steps: list[str] = []
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, folder)
        rig.step = steps.append
        report = rig.migrate()
        assert (report.failed, problems_of(report), set_aside(rig)) == (5, [(kind, None)], [])
        assert "messages.copied" not in steps
