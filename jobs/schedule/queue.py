"""The ready queue: which account is worked next, and which must wait for what.

Pure: every method is given the time. The alarm clock only calls ``wake``; workers call ``take`` and ``finished``. A
round that comes due while its account still runs is kept as one more round (never dropped, never piled up). Not
thread-safe: ``jobs.schedule.workers`` holds the lock.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from math import isfinite

from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Breakers
from jobs.schedule.retry import LONGEST_OBEYED, Decision, Park, Retry, RunOutcome, Scheduled, next_attempt
from jobs.schedule.state_store import StateStore
from jobs.schedule.transitions import after_run, compared, informed, without_failure
from jobs.schedule.waiting_line import Hosts, Place, WaitingLine
from migrator.backoff import DAY
from migrator.lazy_dataclasses import dataclass, replace

TOPIC = "schedule"
_TOGETHER = 1_000
"""Accounts of which something is remembered in one transaction."""


@dataclass(frozen=True, slots=True)
class ScheduledAccount:
    """One account as the schedule sees it. ``hosts`` are its source and the IMAP servers it writes to.

    ``maildrop`` names whom it logs in as and where: two accounts of one maildrop take turns (RFC 1939, section 4).
    ``source`` is that one of the hosts where the mail comes from.
    """

    name: str
    hosts: frozenset[str]
    maildrop: str
    configured: str
    source: str = ""


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
    is_stopped: bool = False
    """Whether a person has ended the run that goes on."""
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
        takes: Callable[[str], int] = lambda _host: sys.maxsize,
    ) -> None:
        """Remember in ``store``; ``next_round(name, now)`` tells when the schedule is due next.

        ``takes(host)`` tells how many connections a host takes at one time.
        """
        self.limits = limits
        self.breakers = Breakers(store)
        self._store = store
        self._next_round = next_round
        self._jitter = jitter
        self._takes = takes
        self._entries: dict[str, _Entry] = {}
        self._waiting = WaitingLine()
        self._busy: Counter[str] = Counter()
        self._running: set[str] = set()
        self._latest = 0.0

    def load(self, jobs: Iterable[ScheduledAccount], now: float) -> None:
        """Take over the accounts of a configuration: new and changed ones are due at once, missing ones are dropped.

        What is running goes on; what is remembered of accounts that are no longer there is forgotten.
        """
        wanted = {job.name: job for job in jobs}
        for name in [name for name in self._entries if name not in wanted]:
            self._remove(name)
        new = wanted.keys() - self._entries.keys()
        remembered: dict[str, AccountState] = {}
        gone = []
        for name, fact in self._store.each(TOPIC):
            if name not in wanted:
                gone.append(name)
            elif name in new:
                if fact.get("configured") == wanted[name].configured:
                    fact["configured"] = wanted[name].configured  # the same text, kept once
                remembered[name] = AccountState.from_fact(fact)
        for name in gone:
            self._store.delete(TOPIC, name)
        for name in (name for name in wanted if name in new):
            entry = self._entries[name] = _Entry(wanted[name], remembered.pop(name, AccountState()))
            self._wait(entry, now)
        self._put([entry for name, job in wanted.items() if self._configure(entry := self._entries[name], job, now)])
        self.breakers.keep(frozenset(host for hosts in {job.hosts for job in wanted.values()} for host in hosts))

    def _remove(self, name: str) -> None:
        self._waiting.leave(name)
        if self._entries[name].phase is Phase.RUNNING:
            self._entries[name].is_removed = True
        else:
            del self._entries[name]

    def _configure(self, entry: _Entry, job: ScheduledAccount, now: float) -> bool:
        """Work an account as it is configured now; returns whether there is something to remember."""
        entry.job, entry.is_removed = job, False
        self._place(entry)
        if entry.state.configured == job.configured:
            return False
        fresh = replace(entry.state, configured=job.configured, first_seen=entry.state.first_seen or now)
        if fresh.is_failing:
            # Whatever was wrong may be mended now; the history of the failure stays until a run succeeds.
            fresh = replace(fresh, parked="", not_before=0.0, gap=0.0, announced=0.0)
        entry.state = replace(fresh, worked_with="")
        self._place(entry)
        self.wake(job.name, now)
        return True

    def wake(self, name: str, now: float) -> None:
        """Note that a round of this account is due; an account that is gone is no matter."""
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.phase is Phase.RUNNING:
            entry.is_woken_again = True
        elif entry.phase is Phase.RESTING:
            self._wait(entry, now)

    def try_now(self, name: str, now: float) -> None:
        """Let an account run at once because a person asks for it, whatever failed before.

        Only the gap between two log-ins that its server wants is kept.
        """
        entry = self._entries.get(name)
        if entry is None:
            return
        if entry.phase is not Phase.RUNNING:
            waits_for_gap = entry.state.least_gap > 0 and not entry.state.is_failing
            held_until = entry.state.not_before if waits_for_gap else 0.0
            entry.state = replace(entry.state, not_before=held_until, parked="")
            self._place(entry)
            self.breakers.probe(entry.job.hosts, now)
        self.wake(name, now)

    def stop(self, name: str) -> None:
        """Note that a person ends the run that goes on: nothing that came due before it ends is made up for."""
        entry = self._entries.get(name)
        if entry is not None and entry.phase is Phase.RUNNING:
            entry.is_stopped, entry.is_woken_again = True, False

    def look_again(self, now: float) -> None:
        """Make every parked account compare its passwords now (somebody sent SIGHUP)."""
        for entry in self._entries.values():
            if entry.state.is_parked:
                entry.state = replace(entry.state, not_before=now)
                self._place(entry)
                self.wake(entry.job.name, now)

    def _wait(self, entry: _Entry, now: float) -> None:
        entry.phase, entry.since = Phase.WAITING, now
        self._latest = max(self._latest, now)
        if entry.state.not_before - now > LONGEST_OBEYED:  # somebody has set the clock back
            entry.state = replace(entry.state, not_before=now)
        self._place(entry)

    def _place(self, entry: _Entry) -> None:
        """Give an account that waits its place by what is known of it now."""
        if entry.phase is Phase.WAITING and not entry.is_removed:
            since = max(entry.since, entry.state.not_before)
            self._waiting.place(entry.job.name, entry.job.hosts, entry.job.maildrop, since)

    def _notice(self, now: float) -> None:
        """Let nobody wait for a moment that lies ahead only because somebody has set the clock back."""
        if now < self._latest:
            for entry in self._entries.values():
                entry.since = min(entry.since, now)
                self._place(entry)
        self._latest = now

    def take(self, now: float) -> Lease | None:
        """Return the account that has waited longest of those that may run now, or None."""
        self._notice(now)
        if self.running >= self.limits.accounts:
            return None
        first = self._first(now)
        if first is None:
            return None
        entry = self._entries[first.name]
        self._waiting.leave(first.name)
        entry.phase, entry.since = Phase.RUNNING, now
        self._running.add(first.name)
        self._busy.update([*entry.job.hosts, entry.job.maildrop])
        for host in entry.job.hosts:
            self.breakers.asks(host)
        return Lease(entry.job, now - first.since, entry.state.parked)

    def _first(self, now: float) -> Place | None:
        return self._waiting.first(now, lambda hosts: self._open_at(hosts, now), self._is_busy)

    def _open_at(self, hosts: Hosts, now: float) -> float:
        """Return when hosts may be asked; infinity while something else must happen first."""
        if any(self._is_full(host) for host in hosts):
            return float("inf")
        return max((self.breakers.opens_at(host, now) for host in hosts), default=0.0)

    def _is_busy(self, maildrop: str) -> bool:
        return self._busy[maildrop] > 0

    def _is_full(self, host: str) -> bool:
        return self._busy[host] >= min(self.limits.per_host, self._takes(host))

    def wakes_at(self, now: float) -> float:
        """Return when ``take`` may next find an account without anything else happening; infinity if never."""
        self._notice(now)
        if self.running >= self.limits.accounts:
            return float("inf")
        return self._waiting.wakes_at(lambda hosts: self._open_at(hosts, now), self._is_busy)

    def finished(self, lease: Lease, outcome: RunOutcome, now: float, fingerprint: str = "") -> Decision:
        """Note how a run ended and decide on the next; durable on return.

        ``fingerprint`` is the keyed hash of what was refused, or has worked (``wants_fingerprint``).
        """
        entry = self._leave(lease)
        is_stopped, entry.is_stopped = entry.is_stopped, False
        state = informed(entry.state, outcome)
        if outcome.is_interrupted and not outcome.is_failure:
            self._unanswered(lease.job)
            return self._broken_off(entry, state, now, is_stopped=is_stopped)
        recovered = self._heard(lease.job, outcome, now)
        attempts = state.attempts + 1 if outcome.is_failure else 0
        state = after_run(compared(state, outcome, fingerprint, now), outcome, attempts, now)
        decision = next_attempt(
            outcome, attempts, self._jitter(), least_gap=state.least_gap, refusals=state.refusals or None
        )
        if is_stopped and isinstance(decision, Retry):
            decision = self._as_scheduled(lease.job.name, decision, now)
        self._settle(entry, state, decision, now, fingerprint)
        for host in recovered:
            self._host_is_back(host, now)
        return decision

    def _broken_off(self, entry: _Entry, state: AccountState, now: float, *, is_stopped: bool) -> Decision:
        """Decide after a run that was ended early and met no trouble: by a person, or because the worker ends."""
        decision = Scheduled(state.least_gap)
        if is_stopped:
            self._settle(entry, state, decision, now, "")
        else:
            self._wait(entry, now)
        return decision

    def _as_scheduled(self, name: str, decision: Retry, now: float) -> Retry:
        """Return a retry that is no earlier than the schedule: a person has ended the run before it."""
        until_round = self._next_round(name, now) - now
        return Retry(max(decision.after, until_round)) if isfinite(until_round) else decision

    def wants_fingerprint(self, name: str, outcome: RunOutcome, now: float) -> bool:
        """Say whether ``finished`` is to know what was refused or has worked; to find that out may run a command."""
        state = self._entries[name].state
        if outcome.is_failure:
            return outcome.is_refused
        return not state.worked_with or state.is_failing or abs(now - state.worked_with_at) >= DAY

    def logged_in(self, name: str, now: float) -> None:
        """Note that another process has worked an account: what kept us from it is over."""
        entry = self._entries.get(name)
        if entry is None or not entry.state.is_failing:
            return
        self._remember(entry, replace(without_failure(entry.state), not_before=0.0, next_due=now))
        if entry.phase is Phase.RESTING:
            self._wait(entry, now)

    def still_parked(self, lease: Lease) -> None:
        """Note that nothing has changed since the passwords were refused: the account rests until it is woken."""
        entry = self._leave(lease)
        self._unanswered(lease.job)
        entry.phase = Phase.RESTING

    def _leave(self, lease: Lease) -> _Entry:
        entry = self._entries[lease.job.name]
        if entry.is_removed:
            del self._entries[lease.job.name]
        for name in (*lease.job.hosts, lease.job.maildrop):
            self._busy[name] -= 1
            if not self._busy[name]:
                del self._busy[name]
        self._running.discard(lease.job.name)
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
                self._remember(entry, replace(without_failure(entry.state), not_before=0.0, next_due=now))

    def _remember(self, entry: _Entry, state: AccountState) -> None:
        if state != entry.state:
            entry.state = state
            self._place(entry)
            self._store.put(TOPIC, entry.job.name, state.as_fact())

    def _put(self, entries: Sequence[_Entry]) -> None:
        for start in range(0, len(entries), _TOGETHER):
            some = entries[start : start + _TOGETHER]
            self._store.put_all(TOPIC, {entry.job.name: entry.state.as_fact() for entry in some})

    @property
    def running(self) -> int:
        """How many accounts are being worked."""
        return len(self._running)

    def names_running(self) -> list[str]:
        """Return the accounts that are being worked."""
        return sorted(self._running)

    def state(self, name: str) -> AccountState:
        """Return what is known of one account."""
        entry = self._entries.get(name)
        return AccountState() if entry is None or entry.is_removed else entry.state

    def states(self) -> dict[str, AccountState]:
        """Return what is known of each account."""
        return {name: entry.state for name, entry in self._entries.items() if not entry.is_removed}

    def longest_wait(self, now: float) -> float:
        """Return for how many seconds the account that is ready longest has been kept waiting for a free worker."""
        first = self._first(now)
        return now - first.since if first else 0.0
