"""A worker whose lease has run out does nothing any more that cannot be taken back: no APPEND, no DELE, no QUIT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.destinations.imap import ImapDestination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import FerryError, Kind
from migrator.files import Device, make_folder
from migrator.imap.settings import ImapSettings
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.lease import KernelLocks
from migrator.ledger.postgres.leases import Deadline, boot_time
from migrator.ledger.sqlite.connection import SqliteDatabase
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import Keep
from migrator.report import AccountReport, Status
from migrator.run.account_lock import AccountLockedError
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from tests.mail import letters
from tests.memory_destination import MemoryDestination
from tests.rig import Rig, ShortPauses, deleting
from tests.servers.imap import ImapCommand, ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server

LETTERS = letters(5)


class Losable:
    """A lease that a test takes away, at a step if it says so."""

    def __init__(self, at: str = "") -> None:
        self.is_held = True
        self.owned: list[str] = []
        self._at = at

    def step(self, name: str) -> None:
        if name == self._at:
            self.is_held = False

    def holds(self, for_seconds: float) -> bool:
        assert for_seconds > 0
        return self.is_held

    def as_known_now(self) -> Losable:
        return self


class RunOutFor(Losable):
    """A lease of which another process is given another end."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def as_known_now(self) -> Deadline:  # type: ignore[override]  # as a real one does
        return Deadline(self._until)


class LosableDatabase(SqliteDatabase):
    """A ledger whose owner may lose it."""

    def __init__(self, path: Path, losable: Losable) -> None:
        super().__init__(path)
        self._losable = losable

    @property
    def lease(self) -> Losable:  # type: ignore[override]  # what holds in one process may not in several
        return self._losable

    @contextmanager
    def owning(self, name: str, patience: float = 0.0) -> Iterator[None]:
        if name in self._losable.owned:
            raise FerryError(Kind.LOCKED, f"somebody has {name}, after {patience} seconds")
        self._losable.owned.append(name)
        yield
        self._losable.owned.remove(name)

    def another(self) -> LosableDatabase:
        return LosableDatabase(self.path, self._losable)


def migrated(rig: Rig, losable: Losable, child_copiers: ChildCopierPool | None = None) -> AccountReport:
    make_folder(rig.state, Device())
    effects = Effects(step=losable.step, stop=ShortPauses())
    if child_copiers:
        effects = Effects(step=losable.step, stop=ShortPauses(), copier_for=child_copiers.lent)
    with closing(Ledger(LosableDatabase(rig.state / FILE_NAME, losable))) as ledger:
        [report] = run_accounts([rig.job()], ledger, effects)
    return report


def into(place: Destination) -> Callable[[Rig], Sequence[Destination]]:
    return lambda _: [place]


def is_lost(report: AccountReport) -> bool:
    return any(problem.kind is Kind.LOCKED and "silent for too long" in problem.message for problem in report.problems)


def test_with_its_lease_a_run_does_all_there_is_to_do(tmp_path: Path) -> None:
    losable = Losable()
    with Pop3Server(Maildrop(LETTERS)) as server:
        report = migrated(deleting(Rig(tmp_path, server)), losable)
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 5, [])
    assert losable.owned == []


@pytest.mark.parametrize(
    ("step", "stored", "deles"),
    [
        ("copies.intended", 0, 0),
        ("messages.copied", 5, 0),
        ("deletion.requested", 5, 0),
        ("source.dele-sent", 5, 5),
    ],
)
def test_a_worker_that_lost_its_lease_hangs_up_without_quit(tmp_path: Path, step: str, stored: int, deles: int) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        place = MemoryDestination("one")
        rig = deleting(Rig(tmp_path, server, destinations=into(place)))
        report = migrated(rig, Losable(step))
        assert is_lost(report)
        assert (len(place.stored), report.deleted) == (stored, 0)
        assert (server.counts()["DELE"], server.counts()["QUIT"]) == (deles, 0)
        assert len(server.maildrop.left()) == 5
        assert len(server.logins) == 1
        again = migrated(rig, Losable())
        assert (again.status, len(place.stored), server.maildrop.left()) == (Status.OK, 5, [])


def test_not_even_a_quit_that_deletes_nothing_is_said(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = Rig(tmp_path, server)
        rig.policy = type(rig.policy)(leave_on_server=Keep())
        assert migrated(rig, Losable()).status is Status.OK
        before = server.counts()["QUIT"]
        migrated(rig, Losable("source.open"))
        assert server.counts()["QUIT"] == before


def test_a_child_stores_no_batch_once_the_lease_that_came_with_it_has_run_out(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        archive = MboxDestination(tmp_path / "archive", state_dir=tmp_path / "state", clock=partial(datetime.now, UTC))
        rig = deleting(Rig(tmp_path, server, destinations=into(archive)))
        report = migrated(rig, RunOutFor(boot_time() - 1), ChildCopierPool(worth_it=1))
        assert is_lost(report)
        assert rig.stored() == []
        assert len(server.maildrop.left()) == 5
        report = migrated(rig, RunOutFor(boot_time() + 60), ChildCopierPool(worth_it=1))
        assert (report.status, len(rig.stored()), server.maildrop.left()) == (Status.OK, 5, [])


def test_an_account_that_another_machine_owns_is_left_alone_and_leaves_no_run(tmp_path: Path) -> None:
    losable = Losable()
    losable.owned.append("account alice")
    with Pop3Server(Maildrop(LETTERS)) as server:
        report = migrated(Rig(tmp_path, server), losable)
        assert isinstance(report.for_schedule.error, AccountLockedError)
        assert "another mailferry is working account alice" in str(report.for_schedule.error)
        assert not server.logins
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        assert ledger.history.last_runs("alice") == []


class LosesAtAppend(ImapFault):
    """The lease goes when the server hears of the message of this number, before that message is sent."""

    def __init__(self, losable: Losable, number: int) -> None:
        self._losable = losable
        self._left = number

    def instead(self, command: ImapCommand) -> bytes | None:
        if command.verb == "APPEND":
            self._left -= 1
            if self._left == 0:
                self._losable.is_held = False
        return None


def mailbox(server: ImapServer, state: Path) -> ImapDestination:
    settings = ImapSettings("127.0.0.1", server.port, "alice", TlsSettings(TlsMode.NONE), allow_plaintext=True)
    return ImapDestination(settings, lambda: server.password, state_dir=state)


def test_no_append_is_ended_once_the_lease_is_lost(tmp_path: Path) -> None:
    losable = Losable()
    mailboxes = Mailboxes()
    without_ahead = ["IMAP4rev1", "UIDPLUS"]  # the server asks for each literal, so that the test knows where it is
    with (
        Pop3Server(Maildrop(LETTERS)) as source,
        ImapServer(mailboxes, faults=[LosesAtAppend(losable, 3)], capabilities=without_ahead) as server,
    ):
        make_folder(tmp_path / "state", Device())
        place = mailbox(server, tmp_path / "state")
        report = migrated(deleting(Rig(tmp_path, source, destinations=into(place))), losable)
        assert is_lost(report)
        assert len(mailboxes.contents()) == 2
        assert len(source.maildrop.left()) == 5
        assert source.counts()["QUIT"] == 0


def test_a_mailbox_is_owned_over_all_machines_while_it_is_stored_into(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    losable = Losable()
    losable.step = lambda name: seen.append(list(losable.owned)) if name == "copies.written" else None  # type: ignore[method-assign]
    with Pop3Server(Maildrop(LETTERS)) as source, ImapServer(Mailboxes()) as server:
        make_folder(tmp_path / "state", Device())
        place = mailbox(server, tmp_path / "state")
        assert migrated(Rig(tmp_path, source, destinations=into(place)), losable).copied == 5
    assert seen == [["account alice", f"destination {place.identity}"]]


def test_kernel_locks_hold_as_long_as_their_process(tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path)) as ledger, ledger.owning("account alice"), ledger.owning("account alice"):
        assert isinstance(ledger.lease, KernelLocks)
        assert ledger.lease.holds(1e9)
