"""The ready queue: which account is worked next, and which must wait for what.

Pure: every method is given the time. The alarm clock only calls ``wake``; workers call ``take`` and ``finished``. A
round that comes due while its account still runs is kept as one more round (never dropped, never piled up). Not
thread-safe: ``jobs.schedule.workers`` holds the lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Breakers
from jobs.schedule.retry import LONGEST_OBEYED, Decision, Park, Retry, RunOutcome, Scheduled, next_attempt
from jobs.schedule.state_store import StateStore
from migrator.backoff import LOGIN_GAP
from migrator.errors import Kind
from migrator.report import Status

TOPIC = "schedule"


@dataclass(frozen=True, slots=True)
class ScheduledAccount:
    """One account as the schedule sees it. ``hosts`` are its source and the IMAP servers it writes to.

    ``maildrop`` names whom it logs in as and where: two accounts of one maildrop take turns (RFC 1939, section 4).
    """

    name: str
    hosts: frozenset[str]
    maildrop: str
    configured: str


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many accounts are worked at one time: in all, and with any one host."""

    accounts: int = 4
    per_host: int = 4


class Phase(Enum):
    """What an account is doing."""

    RESTING = auto()
    WAITING = auto()
    RUNNING = auto()


@dataclass(slots=True)
class _Entry:
    job: ScheduledAccount
    state: AccountState
    phase: Phase = Phase.RESTING
    since: float = 0.0
    """When it began to wait or to run."""
    is_woken_again: bool = False
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """An account that a worker has taken. A parked one may only run if its fingerprint differs from ``parked``."""

    job: ScheduledAccount
    waited: float
    parked: str = ""


class Queue:
    """All accounts of one worker."""

    def __init__(
        self,
        store: StateStore,
        *,
        limits: Concurrency,
        next_round: Callable[[str, float], float],
        jitter: Callable[[], float],
    ) -> None:
        """Remember in ``store``; ``next_round(name, now)`` tells when the schedule is due next."""
        self.limits = limits
        self.breakers = Breakers(store)
        self._store = store
        self._next_round = next_round
        self._jitter = jitter
        self._entries: dict[str, _Entry] = {}
        self._busy: Counter[str] = Counter()
        self._running = 0

    def load(self, jobs: Iterable[ScheduledAccount], now: float) -> None:
        """Take over the accounts of a configuration: new and changed ones are due at once, missing ones are dropped.

        What is running goes on; what is remembered of accounts that are no longer there is forgotten.
        """
        remembered = self._store.get_all(TOPIC)
        wanted = {job.name: job for job in jobs}
        for name in [name for name in self._entries if name not in wanted]:
            self._remove(name)
        for name in remembered.keys() - wanted.keys():
            self._store.delete(TOPIC, name)
        for name, job in wanted.items():
            known = self._entries.get(name)
            if known is None:
                state = AccountState.from_fact(remembered.get(name, {}))
                known = self._entries[name] = _Entry(job, state)
                self._wait(known, now)
            self._configure(known, job, now)
        self.breakers.keep(frozenset().union(*(job.hosts for job in wanted.values())))

    def _remove(self, name: str) -> None:
        if self._entries[name].phase is Phase.RUNNING:
            self._entries[name].is_removed = True
        else:
            del self._entries[name]

    def _configure(self, entry: _Entry, job: ScheduledAccount, now: float) -> None:
        entry.job, entry.is_removed = job, False
        if entry.state.configured == job.configured:
            return
        fresh = replace(entry.state, configured=job.configured, first_seen=entry.state.first_seen or now)
        if fresh.is_failing:
            # Whatever was wrong may be mended now; the history of the failure stays until a run succeeds.
            fresh = replace(fresh, parked="", not_before=0.0, gap=0.0, announced=0.0)
        self._remember(entry, fresh)
        self.wake(job.name, now)

    def wake(self, name: str, now: float) -> None:
        """Note that a round of this account is due; an account that is gone is no matter."""
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.phase is Phase.RUNNING:
            entry.is_woken_again = True
        elif entry.phase is Phase.RESTING:
            self._wait(entry, now)

    def look_again(self, now: float) -> None:
        """Make every parked account compare its passwords now (somebody sent SIGHUP)."""
        for entry in self._entries.values():
            if entry.state.is_parked:
                entry.state = replace(entry.state, not_before=now)
                self.wake(entry.job.name, now)

    def _wait(self, entry: _Entry, now: float) -> None:
        entry.phase, entry.since = Phase.WAITING, now
        if entry.state.not_before - now > LONGEST_OBEYED:  # somebody has set the clock back
            entry.state = replace(entry.state, not_before=now)

    def take(self, now: float) -> Lease | None:
        """Return the account that has waited longest of those that may run now, or None."""
        if self.running >= self.limits.accounts:
            return None
        ready = [entry for entry in self._entries.values() if self._ready_at(entry, now) <= now]
        if not ready:
            return None
        entry = min(ready, key=lambda entry: max(entry.since, entry.state.not_before))
        waited = now - max(entry.since, entry.state.not_before)
        entry.phase, entry.since = Phase.RUNNING, now
        self._running += 1
        self._busy.update([*entry.job.hosts, entry.job.maildrop])
        for host in entry.job.hosts:
            self.breakers.asks(host)
        return Lease(entry.job, waited, entry.state.parked)

    def _ready_at(self, entry: _Entry, now: float) -> float:
        """Return when an account may run; infinity while something else must happen first."""
        if entry.phase is not Phase.WAITING or self._busy[entry.job.maildrop]:
            return float("inf")
        if any(self._busy[host] >= self.limits.per_host for host in entry.job.hosts):
            return float("inf")
        return max(entry.state.not_before, *(self.breakers.opens_at(host, now) for host in entry.job.hosts))

    def wakes_at(self, now: float) -> float:
        """Return when ``take`` may next find an account without anything else happening; infinity if never."""
        if self.running >= self.limits.accounts:
            return float("inf")
        return min((self._ready_at(entry, now) for entry in self._entries.values()), default=float("inf"))

    def finished(self, lease: Lease, outcome: RunOutcome, now: float, fingerprint: str = "") -> Decision:
        """Note how a run ended and decide on the next; durable on return.

        ``fingerprint`` is the keyed hash of what was refused, needed where the decision can be to park.
        """
        entry = self._leave(lease)
        state = _informed(entry.state, outcome)
        if outcome.is_interrupted and not outcome.is_failure:
            self._unanswered(lease.job)
            self._wait(entry, now)
            return Scheduled(state.least_gap)
        recovered = self._heard(lease.job, outcome, now)
        attempts = state.attempts + 1 if outcome.is_failure else 0
        decision = next_attempt(outcome, attempts, self._jitter(), least_gap=state.least_gap)
        self._settle(entry, _after(state, outcome, attempts, now), decision, now, fingerprint)
        for host in recovered:
            self._host_is_back(host, now)
        return decision

    def still_parked(self, lease: Lease) -> None:
        """Note that nothing has changed since the passwords were refused: the account rests until it is woken."""
        entry = self._leave(lease)
        self._unanswered(lease.job)
        entry.phase = Phase.RESTING

    def _leave(self, lease: Lease) -> _Entry:
        entry = self._entries[lease.job.name]
        if entry.is_removed:
            del self._entries[lease.job.name]
        self._busy.subtract([*lease.job.hosts, lease.job.maildrop])
        self._running -= 1
        return entry

    def _heard(self, job: ScheduledAccount, outcome: RunOutcome, now: float) -> list[str]:
        """Tell the circuits what the run heard of each host; returns the hosts that are up again."""
        self._unanswered(job)
        heard = {outcome.host} & job.hosts if outcome.is_failure else job.hosts
        if outcome.is_outage:
            for host in heard:
                self.breakers.failed(host, now, outcome.message)
            return []
        return [host for host in heard if self.breakers.answered(host)]

    def _unanswered(self, job: ScheduledAccount) -> None:
        for host in job.hosts:
            self.breakers.unanswered(host)

    def _settle(self, entry: _Entry, state: AccountState, decision: Decision, now: float, fingerprint: str) -> None:
        rung, entry.is_woken_again = entry.is_woken_again, False
        round_at = self._next_round(entry.job.name, now)
        entry.phase = Phase.RESTING
        match decision:
            case Scheduled(gap):
                state = replace(state, not_before=now + gap if gap else 0.0, next_due=max(round_at, now + gap))
                if rung:
                    state = replace(state, next_due=now + gap)
                    self._wait(entry, now)
            case Retry(after):
                state = replace(state, not_before=now + after, next_due=now + after)
                self._wait(entry, now)
            case Park(look_after):
                state = replace(state, not_before=now + look_after, next_due=0.0, parked=fingerprint)
        if not entry.is_removed:
            self._remember(entry, state)

    def _host_is_back(self, host: str, now: float) -> None:
        """Let the accounts that failed because of a host begin afresh: their failures were the host's."""
        for entry in self._entries.values():
            if entry.state.is_failing and entry.state.host == host and entry.phase is Phase.WAITING:
                self._remember(entry, replace(_without_failure(entry.state), not_before=0.0, next_due=now))

    def _remember(self, entry: _Entry, state: AccountState) -> None:
        if state != entry.state:
            entry.state = state
            self._store.put(TOPIC, entry.job.name, state.as_fact())

    @property
    def running(self) -> int:
        """How many accounts are being worked."""
        return self._running

    def names_running(self) -> list[str]:
        """Return the accounts that are being worked."""
        return [name for name, entry in self._entries.items() if entry.phase is Phase.RUNNING]

    def states(self) -> dict[str, AccountState]:
        """Return what is known of each account."""
        return {name: entry.state for name, entry in self._entries.items() if not entry.is_removed}

    def longest_wait(self, now: float) -> float:
        """Return for how many seconds the account that is ready longest has been kept waiting for a free worker."""
        ready = [max(e.since, e.state.not_before) for e in self._entries.values() if self._ready_at(e, now) <= now]
        return now - min(ready, default=now)


def _informed(state: AccountState, outcome: RunOutcome) -> AccountState:
    """Return the state with what the run has heard of the gap between two log-ins."""
    heard = state.announced if outcome.announced_gap is None else min(outcome.announced_gap, LONGEST_OBEYED)
    return replace(state, gap=max(state.gap, _learned_from(outcome, state)), announced=heard)


def _learned_from(outcome: RunOutcome, state: AccountState) -> float:
    """Return the gap between log-ins that a refusal for coming too soon teaches, in seconds."""
    if outcome.kind is not Kind.LOGIN_DELAY:
        return 0.0
    return LOGIN_GAP.beyond(state.gap) if outcome.wait is None else min(outcome.wait, LOGIN_GAP.longest)


def _after(state: AccountState, outcome: RunOutcome, attempts: int, now: float) -> AccountState:
    """Return the state after a run, the next run aside."""
    if outcome.is_failure:
        return replace(
            state,
            attempts=attempts,
            failing_since=state.failing_since or now,
            parked="",
            kind=str(outcome.kind or ""),
            host=outcome.host,
            message=outcome.message,
        )
    is_whole = outcome.status is Status.OK
    return replace(
        _without_failure(state),
        kind="" if is_whole else str(outcome.kind or ""),
        message="" if is_whole else outcome.message,
        last_worked=now,
        partial_since=0.0 if is_whole else state.partial_since or now,
    )


def _without_failure(state: AccountState) -> AccountState:
    return replace(state, attempts=0, failing_since=0.0, parked="", kind="", host="", message="")
