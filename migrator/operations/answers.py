"""What ``doctor`` has found to be over by asking, remembered until the next run, so that nobody says otherwise.

``status``, health and alerts ask no server: they know what the last run met, and by this what of it has ended since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from migrator.findings.accounts import ended_by_answers
from migrator.findings.facts import AccountFacts, Facts, Over
from migrator.lazy_dataclasses import replace

if TYPE_CHECKING:
    from migrator.ledger.schedule import StateStore

TOPIC = "answers"


def note_answers(store: StateStore, facts: Facts) -> Sequence[str]:
    """Remember what the ends that were asked have put behind them; return the accounts all of whose ends answer."""
    well: list[str] = []
    for account in facts.accounts:
        run, ends = account.last_run, [end for end in facts.ends if end.account == account.name]
        if not ends:
            continue
        if all(end.problem is None for end in ends):
            well.append(account.name)
        if run is None:
            continue
        over = ended_by_answers(facts, account)
        if over != account.over:
            store.put(TOPIC, account.name, {"run": run.started_at, "over": sorted(over)})
    return well


def over_since(store: StateStore) -> Mapping[str, tuple[float, frozenset[Over]]]:
    """Return, by account, when the run began of which something is over, and what."""
    noted: dict[str, tuple[float, frozenset[Over]]] = {}
    for name, fact in store.get_all(TOPIC).items():
        match fact:
            case {"run": float(run), "over": [*pairs]}:
                noted[name] = run, frozenset((str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list))
            case _:
                pass
    return noted


def with_what_is_over(account: AccountFacts, noted: Mapping[str, tuple[float, frozenset[Over]]]) -> AccountFacts:
    """Return an account with what has ended since its last run; what was noted of an earlier run says nothing."""
    run, over = noted.get(account.name, (0.0, frozenset()))
    is_of_last = account.last_run is not None and account.last_run.started_at == run
    return replace(account, over=over) if is_of_last else account
