"""What the schedule is told of a run: which server was at fault, and how often it lets somebody in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.queue import Concurrency, Queue
from jobs.schedule.retry import RunOutcome, Scheduled
from jobs.schedule.runner import Runs
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Liveness
from migrator.config import load
from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.report import Status
from tests.servers.imap import Answers, ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import LoginDelay
from tests.unit.jobs.office import MemoryStateStore

MAIL = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 4)]
BUSY = b"NO [UNAVAILABLE] come back later"

END = """
[[accounts.destinations]]
type = "imap"
host = "{host}"
port = {port}
tls = "none"
username = "{user}"
password = "{password}"
"""
ACCOUNT = """
state_dir = "state"
[[accounts]]
name = "ann"
[accounts.source]
host = "{host}"
port = {port}
tls = "none"
username = "ann"
password = "{password}"
"""


@contextmanager
def runs(folder: Path, source: Pop3Server, places: Iterable[ImapServer]) -> Iterator[Runs]:
    text = ACCOUNT.format(host=source.host, port=source.port, password=source.password)
    for number, place in enumerate(places):
        text += END.format(host=place.host, port=place.port, user=f"ann{number}", password=place.password)
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    config = load(path)
    with closing(Ledger.open(config.state_dir)) as ledger:
        yield Runs(config, ledger, Fingerprints(b"key"), Liveness())


def outcome_of_run(folder: Path, source: Pop3Server, *places: ImapServer) -> RunOutcome:
    with runs(folder, source, places) as made:
        return made.run("ann", Stop())[1]


@pytest.mark.parametrize("at", ["LOGIN", "APPEND"])
@pytest.mark.parametrize("failing", [0, 1])
def test_of_two_imap_ends_the_one_that_failed_is_at_fault(tmp_path: Path, at: str, failing: int) -> None:
    # Both have the same host: only the port tells them apart.
    faults: list[list[ImapFault]] = [[], []]
    faults[failing] = [Answers("AUTHENTICATE", words=BUSY), Answers("LOGIN", words=BUSY)]
    if at == "APPEND":
        faults[failing] = [Answers("APPEND", words=b"NO [UNAVAILABLE] Backoff Time: 600000 milliseconds")]
    with (
        Pop3Server(Maildrop(MAIL)) as source,
        ImapServer(Mailboxes(), faults=faults[0]) as first,
        ImapServer(Mailboxes(), faults=faults[1]) as second,
    ):
        outcome = outcome_of_run(tmp_path, source, first, second)
        culprit = (first, second)[failing]
        assert (outcome.kind, outcome.host) == (Kind.TEMPORARY, f"{culprit.host}:{culprit.port}")


def test_the_right_circuit_opens_and_the_other_servers_stay_in_use(tmp_path: Path) -> None:
    with (
        Pop3Server(Maildrop(MAIL)) as source,
        ImapServer(Mailboxes()) as well,
        ImapServer(Mailboxes(), faults=[Answers("LOGIN", words=BUSY), Answers("AUTHENTICATE", words=BUSY)]) as ill,
        runs(tmp_path, source, [well, ill]) as made,
    ):
        queue = Queue(MemoryStateStore(), limits=Concurrency(), next_round=lambda _, now: now, jitter=lambda: 0.0)
        queue.load(made.jobs(), 0.0)
        for now in (0.0, 10_000.0, 20_000.0):
            lease = queue.take(now)
            assert lease is not None
            queue.finished(lease, made.run("ann", Stop())[1], now)
        assert list(queue.breakers.down()) == [f"{ill.host}:{ill.port}"]


def test_a_source_that_is_not_there_is_at_fault(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MAIL)) as source, ImapServer(Mailboxes()) as place:
        with runs(tmp_path, source, [place]) as made:
            source.stop()
            outcome = made.run("ann", Stop())[1]
        assert (outcome.kind, outcome.host) == (Kind.CONNECT, f"{source.host}:{source.port}")


def test_an_announced_login_delay_reaches_the_schedule(tmp_path: Path) -> None:
    with (
        Pop3Server(Maildrop(MAIL), faults=[LoginDelay(3600)]) as source,
        ImapServer(Mailboxes()) as place,
        runs(tmp_path, source, [place]) as made,
    ):
        outcome = made.run("ann", Stop())[1]
        assert (outcome.status, outcome.announced_gap) == (Status.OK, 3600.0)
        queue = Queue(MemoryStateStore(), limits=Concurrency(), next_round=lambda _, now: now + 900, jitter=lambda: 0.0)
        queue.load(made.jobs(), 0.0)
        lease = queue.take(0.0)
        assert lease is not None
        assert queue.finished(lease, outcome, 100.0) == Scheduled(3600.0)
        queue.wake("ann", 1000.0)
        assert queue.take(3699.0) is None
        assert queue.take(3700.0) is not None


def test_a_mailbox_that_is_well_is_not_logged_in_at_by_each_poll(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MAIL)) as source, ImapServer(Mailboxes()) as imap:
        log_ins = []
        for _ in range(4):
            with runs(tmp_path, source, [imap]) as made:
                assert made.run("ann", Stop())[0].status is Status.OK
            log_ins.append(imap.counts()["LOGIN"] + imap.counts()["AUTHENTICATE"])
        assert log_ins == [1, 2, 2, 2]  # to store; to look; not again within the hour


def test_a_schedule_deletes_nothing_by_age_until_somebody_has_looked_at_the_clock(tmp_path: Path) -> None:
    with (
        Pop3Server(Maildrop(MAIL)) as source,
        ImapServer(Mailboxes()) as place,
        runs(tmp_path, source, [place]) as made,
    ):
        text = (tmp_path / "config.toml").read_text()
        aged = text.replace('username = "ann"', 'username = "ann"\nleave_on_server = "1 second"', 1)
        (tmp_path / "config.toml").write_text(aged)
        made.config = load(tmp_path / "config.toml")
        assert made.run("ann", Stop())[1].status is Status.OK
        with closing(Ledger.open(made.config.state_dir)) as ledger:
            ledger.maildrop("ann", source.host, source.port, "ann").clock_doubted(1.0)
        for _ in range(2):
            report, _outcome = made.run("ann", Stop())
            assert [str(problem.kind) for problem in report.problems] == ["temporary"]
        assert "DELE" not in source.verbs()


def test_the_accounts_are_hashed_once_for_each_configuration(tmp_path: Path) -> None:
    with (
        Pop3Server(Maildrop(MAIL)) as source,
        ImapServer(Mailboxes()) as place,
        runs(tmp_path, source, [place]) as made,
    ):
        first = made.jobs()
        assert made.jobs() is first
        made.config = replace(made.config)
        assert made.jobs() is not first
        assert made.jobs() == first
