"""What a run holds at once, when it travels on, and what a stop leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from migrator.copying.copier import Copier
from migrator.destinations import Destination, Stored
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.report import AccountReport, Status
from migrator.run.account import run_account
from migrator.run.context import Effects, RunContext
from tests.rig import Rig, deleting
from tests.scripted_destination import ScriptedFolder
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    Changes,
    CutShort,
    WrongSizes,
)
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import Wire

LETTERS = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 6)]


@pytest.fixture
def folder() -> ScriptedFolder:
    return ScriptedFolder("one")


def rig_of(root: Path, server: Pop3Server, *folders: ScriptedFolder) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return list(folders)

    return Rig(root, server, destinations=places)


class SaysThatRetrievingDeletes(Fault):
    """Announces that no message may be left (RFC 2449, section 6.7)."""

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return [*offered, b"EXPIRE 0"]


def run(rig: Rig, **effects: Any) -> AccountReport:
    """Run once with other effects than usual."""
    with closing(Ledger.open(rig.state)) as ledger:
        around = replace(Effects(clock=rig.clock, step=rig.step), **effects)
        return run_account(RunContext(rig.job(), ledger, around))


def set_aside(rig: Rig) -> list[tuple[bytes, str, int]]:
    """Return unique-id, kind and attempts of what the ledger keeps of messages that failed."""
    with closing(Ledger.open(rig.state)) as ledger:
        return [(one.unique_id, one.kind, one.attempts) for one in ledger.history.set_aside([rig.user])]


def kept(root: Path, server: Pop3Server, *folders: ScriptedFolder) -> Rig:
    """Copy everything and keep it; the next run is to delete it."""
    rig = rig_of(root, server, *folders)
    assert rig.migrate().status is Status.OK
    return deleting(rig)


SHORTER = [LETTERS[1][:-cut] + b"\r\n" for cut in range(3, 13)]
"""What a source may give in place of a message, each time another one."""


@pytest.mark.parametrize(
    ("faults", "stored"),
    [
        ([], 5),
        ([Answers("RETR", 2, words="-ERR no"), Answers("RETR", 3, words="-ERR no")], 3),
        ([WrongSizes(-7)], 5),
        ([CutShort(2), CutShort(3)], 3),
        ([Changes(2, SHORTER)], 4),
    ],
)
def test_what_is_refused_or_read_again_makes_room_for_the_next(
    tmp_path: Path, folder: ScriptedFolder, faults: list[Fault], stored: int
) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        run(rig_of(tmp_path, server, folder), octets_at_once=1)
        assert len(folder.stored) == stored
        assert server.counts()["NOOP"] == 0  # no destination kept the server waiting


def test_what_is_left_alone_because_it_changes_makes_room_for_the_next(tmp_path: Path, folder: ScriptedFolder) -> None:
    others = [LETTERS[0].replace(b"letter", b"l%dtter" % n) for n in range(9)]
    with Pop3Server(Maildrop(LETTERS), faults=[Changes(1, others)]) as server:
        rig = kept(tmp_path, server, folder)
        for _ in range(3):
            assert run(rig, octets_at_once=1).problems
        assert server.maildrop.left() == LETTERS[:1]
        assert set_aside(rig) == [(b"uid-00000001", "changed", 3)]


def recorded_after(rig: Rig, server: Pop3Server) -> list[int]:
    """Run, and return how many messages had been asked for whenever some were recorded as copied."""
    asked: list[int] = []

    def note(step: str) -> None:
        if step == "messages.copied":
            asked.append(server.counts()["RETR"])

    rig.step = note
    rig.migrate()
    return asked


def test_few_messages_are_one_batch(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        assert recorded_after(rig_of(tmp_path, server, folder), server) == [5]
        assert folder.calls == ["store 5", "read 5"]


def test_where_retrieving_deletes_one_message_is_on_its_way(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[SaysThatRetrievingDeletes()]) as server:
        assert recorded_after(rig_of(tmp_path, server, folder), server) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("count", "octets"), [(1_200, 10), (5, 3_000_000)])
def test_many_or_large_messages_travel_on_before_the_last_has_come(
    tmp_path: Path, folder: ScriptedFolder, count: int, octets: int
) -> None:
    folder.limits = type(folder.limits)(10_000, 10**9)
    mail = [b"Subject: %d\r\n\r\n%b\r\n" % (n, b"x" * octets) for n in range(count)]
    with Pop3Server(Maildrop(mail)) as server:
        recorded_after(rig_of(tmp_path, server, folder), server)
    stored = [call for call in folder.calls if call.startswith("store")]
    assert len(stored) > 1
    assert len(folder.stored) == count


@dataclass
class Told:
    """Who is told of progress."""

    planned_octets: int = 0
    messages: int = 0
    octets: int = 0

    def planned(self, account: str, messages: int, octets: int) -> None:
        self.planned_octets += octets

    def advanced(self, account: str, messages: int, octets: int) -> None:
        self.messages += messages
        self.octets += octets


def test_progress_ends_where_it_was_planned_to(tmp_path: Path, folder: ScriptedFolder) -> None:
    progress = Told()
    with Pop3Server(Maildrop(LETTERS)) as server:
        run(rig_of(tmp_path, server, folder), progress=progress)
    octets = sum(map(len, LETTERS))
    assert progress == Told(octets, 5, octets)


@dataclass
class StopsAt(Fault):
    """Lets somebody stop the run while a message is being sent."""

    stop: threading.Event
    number: int

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb == "RETR" and command.number == self.number:
            self.stop.set()
        return wire


def test_a_stop_waits_for_nothing_that_is_in_flight_and_keeps_what_came(tmp_path: Path, folder: ScriptedFolder) -> None:
    stop = threading.Event()
    mail = [b"Subject: %d\r\n\r\n%b\r\n" % (n, b"x" * 10_000) for n in range(300)]
    with Pop3Server(Maildrop(mail), faults=[StopsAt(stop, 5)]) as server:
        report = run(deleting(rig_of(tmp_path, server, folder)), stop=stop)
        assert report.interrupted
        assert (report.deleted, server.counts()["QUIT"], len(server.maildrop.left())) == (0, 0, 300)
    assert report.copied == len(folder.stored) < 300


def test_a_run_leaves_no_thread_and_nobody_lent_behind(tmp_path: Path, folder: ScriptedFolder) -> None:
    lent: list[str] = []

    @contextmanager
    def copier_for(copier: Copier, _: int) -> Iterator[Copier]:
        lent.append("lent")
        yield copier
        lent.append("given back")

    with Pop3Server(Maildrop(LETTERS)) as server:
        run(rig_of(tmp_path, server, folder), copier_for=copier_for)
    assert lent == ["lent", "given back"] * (len(lent) // 2) != []
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("copier")]


@pytest.mark.slow
def test_a_server_that_waits_for_a_destination_hears_something_before_it_hangs_up(tmp_path: Path) -> None:
    heard = threading.Event()

    class Waits(ScriptedFolder):
        def store(self, messages: Sequence[Message]) -> Stored:
            heard.wait(60.0)
            return super().store(messages)

    class Hears(Fault):
        def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
            if command.verb == "NOOP":
                heard.set()
            return wire

    with Pop3Server(Maildrop(LETTERS), faults=[Hears()]) as server:
        report = run(rig_of(tmp_path, server, Waits("slow")), octets_at_once=1)
        assert (report.status, report.copied, heard.is_set()) == (Status.OK, 5, True)
