"""What the schedule's state of an account becomes by what a run has met. Pure."""

from __future__ import annotations

from jobs.schedule.account_state import AccountState
from jobs.schedule.retry import LONGEST_OBEYED, RunOutcome
from migrator.backoff import LOGIN_GAP
from migrator.errors import Kind
from migrator.lazy_dataclasses import replace
from migrator.report import Status


def informed(state: AccountState, outcome: RunOutcome) -> AccountState:
    """Return the state with what the run has heard of the gap between two log-ins."""
    heard = state.announced if outcome.announced_gap is None else min(outcome.announced_gap, LONGEST_OBEYED)
    return replace(state, gap=max(state.gap, _learned_from(outcome, state)), announced=heard)


def _learned_from(outcome: RunOutcome, state: AccountState) -> float:
    """Return the gap between log-ins that a refusal for coming too soon teaches, in seconds."""
    if outcome.kind is not Kind.LOGIN_DELAY:
        return 0.0
    return LOGIN_GAP.beyond(state.gap) if outcome.wait is None else min(outcome.wait, LOGIN_GAP.longest)


def compared(state: AccountState, outcome: RunOutcome, fingerprint: str, now: float) -> AccountState:
    """Return the state with what the run tells of the passwords: whether they work, or no longer do."""
    if not outcome.is_failure:
        known = replace(state, worked_with=fingerprint, worked_with_at=now) if fingerprint else state
        return replace(known, refusals=0)
    if outcome.is_refused and fingerprint and fingerprint == state.worked_with:
        return replace(state, refusals=state.refusals + 1)
    return replace(state, refusals=0) if outcome.is_refused else state


def after_run(state: AccountState, outcome: RunOutcome, attempts: int, now: float) -> AccountState:
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
            finding=outcome.finding,
        )
    is_whole = outcome.status is Status.OK
    return replace(
        without_failure(state),
        kind="" if is_whole else str(outcome.kind or ""),
        message="" if is_whole else outcome.message,
        last_worked=now,
        partial_since=0.0 if is_whole else state.partial_since or now,
    )


def without_failure(state: AccountState) -> AccountState:
    """Return the state of an account that fails no longer."""
    return replace(
        state, attempts=0, failing_since=0.0, parked="", kind="", host="", message="", finding="", refusals=0
    )
