"""Kill at every durable step and at every command, resume, compare with the clean end; once more changes nothing."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import psycopg
import pytest

from migrator.destinations.mbox.destination import STEPS as MBOX_STEPS
from migrator.destinations.mbox.record_file import OWN_VOLUME_FROM
from tests.conftest import StartDovecot
from tests.mail import growing_letters, letter
from tests.rig import At, Orders, Rig, child, deleting, start
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults.at import At as AtCommand
from tests.servers.pop3_session import Command, Session
from tests.servers.pop3_wire import HangUp, Wire
from tests.servers.postgres import Postgres

MESSAGES = growing_letters(12, by=1)
WITH_LARGE = [letter(1), letter(2, octets=OWN_VOLUME_FROM + 1_000_000), letter(3)]
"""The second one becomes a volume as it came."""


@dataclass
class KillClient(AtCommand):
    """Kills the client's process when a command comes: before it is obeyed, or after, with or without the reply."""

    _: KW_ONLY
    when: str = "before"
    pid: int = 0

    def _kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if self.when == "before" and self.strikes(command):
            self._kill()
        return None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if self.when == "after" and self.strikes(command):
            with suppress(HangUp):  # the end of QUIT's reply
                deque(wire, maxlen=0)
            self._kill()
            return iter(())
        return wire


def steps_of_a_clean_run(folder: Path, database: str = "", messages: list[bytes] = MESSAGES) -> list[tuple[str, int]]:
    """Record the steps of a run that nothing disturbs, each with its how-manieth time."""
    seen: Counter[str] = Counter()
    steps: list[tuple[str, int]] = []

    def step(name: str) -> None:
        seen[name] += 1
        steps.append((name, seen[name]))

    with Pop3Server(Maildrop(messages)) as server:
        rig = deleting(Rig(folder, server, step=step, database=database))
        assert rig.migrate().deleted == len(messages)
    return steps


FreshLedger = Callable[[], str]
"""Makes room for a ledger: the address of a fresh database, or nothing for a file in the state folder."""


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request: pytest.FixtureRequest) -> Iterator[FreshLedger]:
    """Each kind of ledger in turn."""
    if request.param == "sqlite":
        yield str
        return
    server: Postgres = request.getfixturevalue("postgres")
    with ExitStack() as databases:
        yield lambda: server.dsn(databases.enter_context(server.database()))


def leases_run_out(database: str) -> None:
    """Let the minute pass after which a worker that was killed owns its account no more."""
    if database:
        with psycopg.connect(database) as connection:
            connection.execute("update leases set until = now() - interval '1 second'")


def resume_and_compare(rig: Rig, left: list[bytes], where: str, messages: list[bytes] = MESSAGES) -> None:
    """Resume after a kill: everything is in the archive once and nothing at the source; a third run changes nothing."""
    leases_run_out(rig.database)
    in_doubt = Counter(rig.stored()) + Counter(left)
    assert not Counter(messages) - in_doubt, f"lost at {where}"
    report = rig.migrate()
    assert report.status == "ok", (where, report.problems)
    assert sorted(rig.stored()) == sorted(messages), f"lost or doubled after {where}"
    files = rig.files()
    again = rig.migrate()
    assert (again.status, again.copied, again.deleted) == ("ok", 0, 0), where
    assert rig.files() == files, f"changed once more after {where}"


def test_a_kill_at_any_durable_step_loses_and_doubles_nothing(tmp_path: Path, fresh: FreshLedger) -> None:
    steps = steps_of_a_clean_run(tmp_path / "clean", fresh())
    assert {"copies.intended", "copies.stored", "copies.judged", "messages.copied", "deletion.requested"} <= {
        name for name, _ in steps
    }
    for place, (name, count) in enumerate(steps):
        with Pop3Server(Maildrop(MESSAGES)) as server:
            folder, database = tmp_path / str(place), fresh()
            orders = Orders(str(folder), server.port, server.password, step=name, count=count, database=database)
            assert child(orders).returncode == -signal.SIGKILL, (name, count)
            resume_and_compare(
                deleting(Rig(folder, server, database=database)), server.maildrop.left(), f"{name} ({count})"
            )
            assert server.maildrop.left() == [], (name, count)


@pytest.mark.slow
def test_a_kill_while_a_large_message_becomes_a_volume_loses_and_doubles_nothing(tmp_path: Path) -> None:
    steps = steps_of_a_clean_run(tmp_path / "clean", messages=WITH_LARGE)
    assert steps.count(("mbox.volume-created", 2)) == 1, "it has one of its own"
    of_the_large_one = [one for one in steps if one[1] == 2 and one[0].startswith(("mbox.", "copies."))]
    for place, (name, count) in enumerate(of_the_large_one):
        with Pop3Server(Maildrop(WITH_LARGE)) as server:
            orders = Orders(str(tmp_path / str(place)), server.port, server.password, step=name, count=count)
            assert child(orders).returncode == -signal.SIGKILL, (name, count)
            rig = deleting(Rig(tmp_path / str(place), server))
            resume_and_compare(rig, server.maildrop.left(), f"{name} ({count})", WITH_LARGE)


def test_the_clean_run_passes_the_steps_of_its_archive(tmp_path: Path) -> None:
    names = {name for name, _ in steps_of_a_clean_run(tmp_path)}
    assert names & set(MBOX_STEPS) >= {
        "mbox.folder-created",
        "mbox.volume-created",
        "mbox.directory-synced",
        "mbox.appended",
        "mbox.fsynced",
    }


PORTERS_STEPS = [
    "mbox.folder-created",
    "mbox.volume-created",
    "mbox.directory-synced",
    "mbox.appending",
    "mbox.appended",
    "mbox.fsynced",
]


@pytest.mark.parametrize("step", PORTERS_STEPS)
def test_where_a_porter_dies_the_run_goes_on_without_it(tmp_path: Path, fresh: FreshLedger, step: str) -> None:
    database = fresh()
    with Pop3Server(Maildrop(MESSAGES)) as server:
        process = start(Orders(str(tmp_path), server.port, server.password, step=step, apart=True, database=database))
        said, _ = process.communicate("go\n", timeout=60.0)
        assert process.returncode == 0
        report = json.loads(said)
        assert (report["status"], report["verified"], report["deleted"]) == ("ok", len(MESSAGES), len(MESSAGES))
        resume_and_compare(deleting(Rig(tmp_path, server, database=database)), server.maildrop.left(), step)


@pytest.mark.parametrize("step", ["listing.noted", "messages.copied", "deletion.requested"])
def test_a_kill_beside_a_porter_loses_and_doubles_nothing(tmp_path: Path, fresh: FreshLedger, step: str) -> None:
    database = fresh()
    with Pop3Server(Maildrop(MESSAGES)) as server:
        orders = Orders(str(tmp_path), server.port, server.password, step=step, apart=True, database=database)
        assert child(orders).returncode == -signal.SIGKILL
        resume_and_compare(deleting(Rig(tmp_path, server, database=database)), server.maildrop.left(), step)


COMMANDS = ["GREETING", "CAPA", "USER", "STAT", "LIST", "UIDL", "RETR", "DELE", "QUIT"]


@pytest.mark.parametrize("apart", [False, True], ids=["alone", "with a porter"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("fresh", "verb"),
    [
        *(("sqlite", verb) for verb in [*COMMANDS, "AUTH"]),
        *(("postgres", verb) for verb in COMMANDS if verb in {"UIDL", "RETR", "DELE", "QUIT"}),
    ],
    indirect=["fresh"],
)
def test_a_kill_at_any_command_loses_and_doubles_nothing(
    tmp_path: Path, fresh: FreshLedger, verb: str, when: str, apart: bool
) -> None:  # pytest's
    database = fresh()
    fault = KillClient(verb, when=when, times=1)
    auth = ("USER",) if verb == "USER" else ("PLAIN",)
    with Pop3Server(Maildrop(MESSAGES), faults=[fault], auth=auth) as server:
        with start(Orders(str(tmp_path), server.port, server.password, apart=apart, database=database)) as process:
            fault.pid = process.pid
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.wait() == -signal.SIGKILL
        rig = deleting(Rig(tmp_path, server, database=database))
        resume_and_compare(rig, server.maildrop.left(), f"{when} {verb}")
        assert server.maildrop.left() == []


@pytest.mark.slow
def test_a_kill_at_any_durable_step_with_dovecot(tmp_path: Path, start_dovecot: StartDovecot) -> None:
    dovecot = start_dovecot()
    for place, (name, count) in enumerate(steps_of_a_clean_run(tmp_path / "clean")):
        user, folder = f"user{place}", tmp_path / str(place)
        dovecot.deliver(user, MESSAGES)
        orders = Orders(str(folder), dovecot.pop3_port, dovecot.password, user=user, step=name, count=count)
        assert child(orders).returncode == -signal.SIGKILL, (name, count)
        rig = deleting(Rig(folder, At(dovecot.pop3_port, dovecot.password), user=user))
        resume_and_compare(rig, dovecot.messages(user), f"{name} ({count})")
        assert dovecot.count(user) == 0
