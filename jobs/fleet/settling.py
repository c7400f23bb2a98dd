"""What a run that has ended makes of its account: what is remembered, and when it is due again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from jobs.schedule.account_state import AccountState
from jobs.schedule.retry import Decision, Park, Retry, RunOutcome, Scheduled, next_attempt
from jobs.schedule.transitions import after_run, compared, informed
from migrator.backoff import DAY
from migrator.lazy_dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be remembered; ``due`` is when the account is to be offered again, infinity for never by itself."""

    state: AccountState
    decision: Decision
    due: float


def settled(
    state: AccountState,
    outcome: RunOutcome,
    *,
    now: float,
    jitter: float,
    next_round: Callable[[float], float],
    fingerprint: str = "",
    is_stopped: bool = False,
) -> Settled:
    """Decide after a run, as the queue of one machine does.

    ``next_round(now)`` tells when the schedule is due next. ``is_stopped`` says that a person has ended the run; one
    that was ended for another reason is due again at once, behind those that have waited longer.
    """
    state = informed(state, outcome)
    if outcome.is_interrupted and not outcome.is_failure:
        decision: Decision = Scheduled(state.least_gap)
        if not is_stopped:
            return Settled(state, decision, now + state.least_gap)
        return _placed(state, decision, now, next_round(now), fingerprint)
    attempts = state.attempts + 1 if outcome.is_failure else 0
    state = after_run(compared(state, outcome, fingerprint, now), outcome, attempts, now)
    decision = next_attempt(outcome, attempts, jitter, least_gap=state.least_gap, refusals=state.refusals or None)
    if is_stopped and isinstance(decision, Retry):
        until_round = next_round(now) - now
        decision = Retry(max(decision.after, until_round)) if isfinite(until_round) else decision
    return _placed(state, decision, now, next_round(now), fingerprint)


def wants_fingerprint(state: AccountState, outcome: RunOutcome, now: float) -> bool:
    """Say whether to find out what was refused or has worked; that may run a command."""
    if outcome.is_failure:
        return outcome.is_refused
    return not state.worked_with or state.is_failing or abs(now - state.worked_with_at) >= DAY


def _placed(state: AccountState, decision: Decision, now: float, round_at: float, fingerprint: str) -> Settled:
    match decision:
        case Scheduled(gap):
            due = max(round_at, now + gap)
            return Settled(replace(state, not_before=now + gap if gap else 0.0, next_due=due), decision, due)
        case Retry(after):
            due = now + after
            return Settled(replace(state, not_before=due, next_due=due), decision, due)
        case Park(look_after):
            due = now + look_after
            return Settled(replace(state, not_before=due, next_due=0.0, parked=fingerprint), decision, due)
