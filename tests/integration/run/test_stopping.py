"""A run that is to stop while a server is silent: it ends, whatever the time-out, and the next one completes it.

The time-out is longer than any test run: where a wait did not heed the stop, these tests would not come to their end.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Timer

import pytest

from migrator.destinations import Destination
from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.ledger import Ledger
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import DeleteWhenVerified, Policy
from migrator.report import AccountReport
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from tests.mail import letters
from tests.rig import Rig
from tests.servers.imap import FallSilent, ImapCommand, ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import HangUp, Wire

LETTERS = letters(5)
FOR_EVER = 86_400.0
FOLDER = b"Archive"


@dataclass
class SilentAt(Fault):
    """Says nothing at a command, obeyed or not, and lets the run be stopped at that moment."""

    verb: str
    stop: Event
    is_obeyed: bool = False

    def instead(self, session: Session, command: Command) -> Wire | None:
        return self._silence(session) if command.verb == self.verb and not self.is_obeyed else None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return self._silence(session, wire) if command.verb == self.verb and self.is_obeyed else wire

    def _silence(self, session: Session, wire: Wire | None = None) -> Wire:
        with suppress(HangUp):
            list(wire or ())
        self.stop.set()
        session.stall()
        yield b""


@dataclass
class ImapSilentAt(ImapFault):
    """As ``SilentAt``."""

    verb: str
    stop: Event

    def instead(self, command: ImapCommand) -> bytes | None:
        if command.verb == self.verb:
            self.stop.set()
            raise FallSilent
        return None


def run(rig: Rig, stop: Event) -> AccountReport:
    with closing(Ledger.open(rig.state)) as ledger:
        [report] = run_accounts([rig.job()], ledger, Effects(stop=stop))
    assert report.listed == report.known + report.new, report
    return report


def rig_at(folder: Path, server: Pop3Server) -> Rig:
    return Rig(folder, server, timeout=FOR_EVER, policy=Policy(DeleteWhenVerified()))


def is_stopped(report: AccountReport) -> None:
    assert report.interrupted
    assert report.status != "ok"
    assert [one.message.partition(";")[0] for one in report.problems] == ["interrupted"]


def is_completed(rig: Rig, server: Pop3Server) -> None:
    """Run once more, with nothing wrong: every message stands in the archive once, and none at the source."""
    server.faults = ()
    assert run(replace(rig, timeout=20.0), Event()).status == "ok"
    assert (sorted(rig.stored()), server.maildrop.left()) == (sorted(LETTERS), [])


@pytest.mark.parametrize("verb", ["GREETING", "CAPA", "USER", "PASS", "STAT", "LIST", "UIDL", "RETR", "DELE", "QUIT"])
def test_a_run_ends_although_its_source_is_silent(tmp_path: Path, verb: str) -> None:
    stop = Event()
    with Pop3Server(Maildrop(LETTERS), auth=("USER",)) as server:
        rig = rig_at(tmp_path, server)
        server.faults = (SilentAt(verb, stop),)
        report = run(rig, stop)
        is_stopped(report)
        assert (report.failed, report.deleted, len(server.maildrop.left())) == (0, 0, 5)
        is_completed(rig, server)


def test_what_quit_has_deleted_is_known_by_the_next_listing(tmp_path: Path) -> None:
    stop = Event()
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_at(tmp_path, server)
        server.faults = (SilentAt("QUIT", stop, is_obeyed=True),)
        report = run(rig, stop)
        is_stopped(report)
        assert (report.copied, report.deleted) == (5, 0)
        is_completed(rig, server)


def test_a_stop_says_nothing_of_the_server(tmp_path: Path) -> None:
    """It is not remembered as one that cannot be asked ahead, or that has no CAPA."""
    stop = Event()
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_at(tmp_path, server)
        assert run(rig, Event()).status == "ok"
        with closing(Ledger.open(rig.state)) as ledger:
            before = ledger.server_facts("127.0.0.1", server.port)["session"]
        for letter in LETTERS:
            server.maildrop.add(letter)
        for verb in ("CAPA", "UIDL", "RETR", "DELE"):
            server.faults = (SilentAt(verb, stop),)
            is_stopped(run(rig, stop))
            stop.clear()
        with closing(Ledger.open(rig.state)) as ledger:
            assert ledger.server_facts("127.0.0.1", server.port)["session"] == before


@dataclass
class Door:
    """A port at which nobody speaks; where ``is_full``, no connection to it comes about either."""

    port: int
    password: str = "sesame"


@contextmanager
def door(*, is_full: bool) -> Iterator[Door]:
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0 if is_full else 16)
        port = listening.getsockname()[1]
        for _ in range(4 * is_full):  # as many as no system lets wait
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield Door(port)


@pytest.mark.parametrize(("is_full", "mode"), [(True, TlsMode.NONE), (False, TlsMode.IMPLICIT)])
@pytest.mark.parametrize("is_source", [True, False])
def test_a_run_ends_although_nobody_answers(tmp_path: Path, is_full: bool, mode: TlsMode, is_source: bool) -> None:
    """Neither the connection nor the handshake comes about."""
    stop = Event()
    with Pop3Server(Maildrop(LETTERS)) as server, door(is_full=is_full) as nobody:
        rig = rig_at(tmp_path, server)
        if is_source:
            source = replace(rig.job().source, port=nobody.port, tls=TlsSettings(mode))
            job = replace(rig.job(), source=source)
        else:
            settings = ImapSettings("127.0.0.1", nobody.port, "alice", tls=TlsSettings(mode), timeout=FOR_EVER)
            mailbox = ImapDestination(settings, lambda: "sesame", state_dir=rig.state, lock_timeout=0.05)
            job = replace(rig.job(), destinations=[rig.mbox(), mailbox])
        soon = Timer(0.1, stop.set)
        soon.start()
        with closing(Ledger.open(rig.state)) as ledger:
            [report] = run_accounts([job], ledger, Effects(stop=stop))
        soon.join()
        is_stopped(report)
        assert (report.failed, len(server.maildrop.left())) == (0, 5)


def with_mailbox(rig: Rig, imap: ImapServer) -> Rig:
    def places(rig: Rig) -> Sequence[Destination]:
        plain = TlsSettings(TlsMode.NONE)
        settings = ImapSettings("127.0.0.1", imap.port, "alice", tls=plain, folder=FOLDER.decode(), timeout=FOR_EVER)
        return [rig.mbox(), ImapDestination(settings, lambda: imap.password, state_dir=rig.state, lock_timeout=0.05)]

    return replace(rig, destinations=places)


@pytest.mark.parametrize("verb", ["CAPABILITY", "LOGIN", "EXAMINE", "APPEND", "UID FETCH"])
def test_a_run_ends_although_a_mailbox_is_silent(tmp_path: Path, verb: str) -> None:
    stop = Event()
    with Pop3Server(Maildrop(LETTERS)) as server, ImapServer(Mailboxes()) as imap:
        rig = with_mailbox(rig_at(tmp_path, server), imap)
        imap.faults = (ImapSilentAt(verb, stop),)
        report = run(rig, stop)
        is_stopped(report)
        assert (report.failed, report.deleted, len(server.maildrop.left())) == (0, 0, 5)
        imap.faults = ()
        is_completed(rig, server)
        assert sorted(imap.mailboxes.contents(FOLDER)) == sorted(LETTERS)
