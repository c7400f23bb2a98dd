"""A small office for simulated weeks: hosts with outages, people who change passwords, power cuts, and no real time.

The queue, the policy and the alerts are the program's own; only the runs and the clock are played.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random

from jobs.alerting.incidents import TOPIC, AlertRules, OpenIncident, incident_changes
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import Concurrency, Lease, Queue, ScheduledAccount
from jobs.schedule.retry import RunOutcome
from jobs.schedule.state_store import Fact
from migrator.errors import Advice, Kind, Scope
from migrator.findings.facts import (
    AccountFacts,
    Facts,
    Invocation,
    LedgerFacts,
    LedgerState,
    PlaceFacts,
    ProblemFacts,
    RunFacts,
    ScheduleFacts,
    StateFacts,
    TellingFacts,
    WorkerFacts,
)
from migrator.findings.find import find
from migrator.findings.model import Finding
from migrator.report import Status

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MONDAY = 1_795_996_800.0
RUN_SECONDS = 20.0
ARCHIVE = PlaceFacts("mbox archive", "mbox:/archive", "mbox", "/archive", known=1)


class MemoryStateStore:
    """Notes that survive a power cut of the simulation; JSON, so that nothing is shared by accident."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str], str] = {}
        self.writes = 0

    def get_all(self, topic: str) -> dict[str, Fact]:
        return {name: json.loads(fact) for (of, name), fact in self._facts.items() if of == topic}

    def each(self, topic: str) -> Iterator[tuple[str, Fact]]:
        yield from self.get_all(topic).items()

    def put_all(self, topic: str, facts: Mapping[str, Mapping[str, object]]) -> None:
        for name, fact in facts.items():
            self.put(topic, name, fact)

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        self._facts[topic, name] = json.dumps(dict(fact))
        self.writes += 1

    def delete(self, topic: str, name: str) -> None:
        self._facts.pop((topic, name), None)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One account of the office. ``right_password`` is the server's, ``password`` the configuration's."""

    host: str
    password: str = "secret"
    right_password: str = "secret"
    every: float = 15 * MINUTE
    version: int = 1


@dataclass(slots=True)
class Office:
    """The world around the queue, from Monday midnight on."""

    mailboxes: dict[str, Mailbox]
    limits: Concurrency = field(default_factory=Concurrency)
    rules: AlertRules = field(default_factory=AlertRules)
    run_seconds: float = RUN_SECONDS
    now: float = MONDAY
    store: MemoryStateStore = field(default_factory=MemoryStateStore)
    outages: list[tuple[str, float, float]] = field(default_factory=list)
    login_delays: dict[str, float] = field(default_factory=dict)
    logins: list[tuple[float, str]] = field(default_factory=list)
    worked: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, str, str]] = field(default_factory=list)
    damaged: int = 0
    silence: float = DAY
    most_at_once: int = 0
    refusals: int = 0

    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _life: int = 0
    _is_on: bool = False
    _jitter: Random = field(default_factory=lambda: Random(5))
    queue: Queue = field(init=False)

    def at(self, moment: float, event: Callable[[], None]) -> None:
        """Let something happen at a moment."""
        self._count += 1
        heapq.heappush(self._events, (moment, self._count, event))

    def switch_on(self) -> None:
        """Start the worker: everything in memory begins anew, what was noted is there."""
        self._life += 1
        self._is_on = True
        self.queue = Queue(
            self.store,
            limits=self.limits,
            next_round=lambda name, now: now + self.mailboxes[name].every,
            jitter=self._jitter.random,
        )
        self.reload()
        for name in self.mailboxes:
            self._ring_later(name, self._life)
        self._look_later(self._life)

    def cut_power(self) -> None:
        """Kill the worker: runs that were under way never end."""
        self._is_on = False

    def reload(self) -> None:
        """Let the worker read its configuration."""
        self.queue.load([self._job(name) for name in self.mailboxes], self.now)

    def change(self, name: str, **changes: object) -> None:
        """Change an account, in the configuration or at the server."""
        self.mailboxes[name] = replace(self.mailboxes[name], **changes)  # type: ignore[arg-type]  # fields of Mailbox

    def pass_time(self, until: float) -> None:
        """Play everything that happens before ``until``."""
        self._work()
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
            self._work()
        self.now = until

    def _job(self, name: str) -> ScheduledAccount:
        mailbox = self.mailboxes[name]
        return ScheduledAccount(name, frozenset({mailbox.host}), f"{name}@{mailbox.host}", f"{mailbox.version}")

    def _ring_later(self, name: str, life: int) -> None:
        def ring() -> None:
            if life == self._life and self._is_on and name in self.mailboxes:
                self.queue.wake(name, self.now)
                self._ring_later(name, life)

        self.at(self.now + self.mailboxes[name].every, ring)

    def _look_later(self, life: int) -> None:
        def look() -> None:
            if life == self._life and self._is_on:
                self._tell()
                self._look_later(life)

        self.at(self.now + MINUTE, look)

    def _work(self) -> None:
        if not self._is_on:
            return
        while lease := self.queue.take(self.now):
            self._begin(lease)
        self.most_at_once = max(self.most_at_once, self.queue.running)
        wakes = self.queue.wakes_at(self.now)
        if self.now < wakes < float("inf"):
            self.at(wakes, lambda: None)

    def _begin(self, lease: Lease) -> None:
        life, name = self._life, lease.job.name
        if lease.parked and lease.parked == self._fingerprint(name):
            self.queue.still_parked(lease)
            return
        outcome = self._outcome(name)
        fingerprint = self._fingerprint(name)

        def end() -> None:
            if life == self._life and self._is_on:
                self.queue.finished(lease, outcome, self.now, fingerprint)
                if outcome.status is Status.OK:
                    self.worked.append((self.now, name))

        self.at(self.now + self.run_seconds, end)

    def _fingerprint(self, name: str) -> str:
        mailbox = self.mailboxes[name]
        return sha256(f"{mailbox.password} {mailbox.version}".encode()).hexdigest()

    def _outcome(self, name: str) -> RunOutcome:
        mailbox = self.mailboxes[name]
        if any(host == mailbox.host and start <= self.now < end for host, start, end in self.outages):
            self.refusals += 1
            message = f"cannot connect to {mailbox.host}"
            return RunOutcome(Status.FAILED, Kind.CONNECT, Scope.SESSION, Advice.NOW, message, host=mailbox.host)
        delay = self.login_delays.get(mailbox.host, 0.0)
        since = self.now - max((at for at, who in self.logins if who == name), default=0.0)
        if since < delay:
            kind, wait = Kind.LOGIN_DELAY, delay  # as CAPA announces it
            return RunOutcome(Status.FAILED, kind, Scope.ACCOUNT, Advice.LATER, "too soon", wait, mailbox.host)
        self.logins.append((self.now, name))
        if mailbox.password != mailbox.right_password:
            message = f"{mailbox.host} refused the password"
            return RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, message, host=mailbox.host)
        return RunOutcome(Status.OK)

    def _tell(self) -> None:
        before = {key: OpenIncident.from_fact(fact) for key, fact in self.store.get_all(TOPIC).items()}
        told = incident_changes(self._found(), before, self.now, self.rules)
        self.told += [(self.now, "opened", finding.headline) for finding in told.opened]
        self.told += [(self.now, "over", incident.title) for incident in told.recovered]
        for key in before.keys() - told.remembered.keys():
            self.store.delete(TOPIC, key)
        for key, incident in told.remembered.items():
            if before.get(key) != incident:
                self.store.put(TOPIC, key, incident.as_fact())

    def _found(self) -> list[Finding]:
        """What the program finds in such an office, by what its ledger would have of the runs."""
        accounts = tuple(self._facts_of(name, state) for name, state in self.queue.states().items())
        return find(
            Facts(
                self.now,
                Invocation(),
                StateFacts("state"),
                LedgerFacts(LedgerState.WELL),
                accounts=accounts,
                places=(replace(ARCHIVE, damaged=self.damaged),),
                worker=WorkerFacts(is_expected=True, is_alive=True),
                telling=TellingFacts(is_configured=True),
                silence=self.silence,
            )
        )

    def _facts_of(self, name: str, state: AccountState) -> AccountFacts:
        run = RunFacts(self.now, is_ok=True)
        if state.is_failing:
            problem = ProblemFacts(Kind(state.kind), state.message, server=state.host)
            run = RunFacts(self.now, False, (problem,), state.failing_since, state.attempts)  # its name
        parked = state.message if state.is_parked else ""
        schedule = ScheduleFacts(state.first_seen, state.last_worked, parked, self.mailboxes[name].every)
        return AccountFacts(
            name, name, (ARCHIVE.identity,), last_run=run, last_success=state.last_worked, schedule=schedule
        )

    def titles(self) -> list[str]:
        """What a person has been told, in order."""
        return [f"{what}: {title}" for _, what, title in self.told]

    def logins_of(self, name: str) -> list[float]:
        """When an account has logged in."""
        return [at for at, who in self.logins if who == name]

    def rounds_of(self, name: str) -> list[float]:
        """When an account has been worked with success."""
        return [at for at, who in self.worked if who == name]


def office(hosts: Mapping[str, Iterable[str]], **options: object) -> Office:
    """An office that has been switched on, with these accounts at these hosts."""
    mailboxes = {name: Mailbox(host) for host, names in hosts.items() for name in names}
    built = Office(mailboxes, **options)  # type: ignore[arg-type]  # keyword arguments of Office
    built.switch_on()
    return built
