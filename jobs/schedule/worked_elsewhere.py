"""What a one-shot ``migrate`` leaves for the schedule, or ``doctor``: an account that logs in is parked no longer.

It ends the failure where the ledger keeps it, so that everything that looks there sees it, and leaves a note for a
worker that runs: that one knows its accounts by heart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC as SCHEDULE
from jobs.schedule.retry import outcome_of
from jobs.schedule.state_store import StateStore
from jobs.schedule.transitions import without_failure
from migrator.errors import Kind
from migrator.lazy_dataclasses import replace
from migrator.report import AccountReport

TOPIC = "worked elsewhere"


def note_runs(store: StateStore, reports: Iterable[AccountReport], now: float) -> None:
    """End what the schedule has found wrong with accounts that these runs could work, or log in to; durable then."""
    facts = store.get_all(SCHEDULE)
    for report in reports:
        state = AccountState.from_fact(facts.get(report.name, {}))
        if state.is_failing and _is_over(state, report):
            store.put(SCHEDULE, report.name, replace(without_failure(state), not_before=0.0, next_due=now).as_fact())
            store.put(TOPIC, report.name, {"at": now})


def note_answering(store: StateStore, names: Iterable[str], now: float) -> None:
    """End the refusals of accounts all of whose ends have taken a log-in just now; durable then."""
    facts = store.get_all(SCHEDULE)
    for name in names:
        if AccountState.from_fact(facts.get(name, {})).kind == Kind.AUTH:
            note_change(store, name, now)


def note_change(store: StateStore, name: str, now: float) -> None:
    """End what the schedule has found wrong with an account whose secret a person has changed; durable then."""
    state = AccountState.from_fact(store.get_all(SCHEDULE).get(name, {}))
    if state.is_failing:
        store.put(SCHEDULE, name, replace(without_failure(state), not_before=0.0, next_due=now).as_fact())
        store.put(TOPIC, name, {"at": now})


def take_notes(store: StateStore) -> Sequence[str]:
    """Return the accounts that were noted since this was last asked."""
    names = sorted(store.get_all(TOPIC))
    for name in names:
        store.delete(TOPIC, name)
    return names


def _is_over(state: AccountState, report: AccountReport) -> bool:
    outcome = outcome_of(report)
    if not outcome.is_failure:
        return not outcome.is_interrupted or outcome.announced_gap is not None
    has_logged_in = outcome.announced_gap is not None and outcome.kind is not Kind.AUTH
    return has_logged_in and state.kind == Kind.AUTH
