"""A finding while it is made: what a rule says of an account or place; drafts of one cause become one finding. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from migrator.findings.catalogue import BY_ID, RANK
from migrator.findings.facts import Facts
from migrator.findings.model import Cure, Finding, Setting
from migrator.lazy_dataclasses import dataclass, field

_OF_ALL = frozenset({"rebuild-ledger", "reindex"})
"""Commands that take no accounts."""

MANY = 50
"""More accounts are not named one by one to ``migrate``, which works them all where none is named."""


@dataclass(frozen=True, slots=True)
class Draft:
    """``words`` fill in the catalogue's sentences. ``cause`` is what makes two drafts one finding.

    ``verb`` is a command of this program, to which the accounts are added if it takes any, then ``options``;
    ``program`` is another program's, whole. ``cure`` replaces the catalogue's sentence where more is known.
    """

    id: str
    cause: str
    accounts: tuple[str, ...] = ()
    destination: str | None = None
    words: Mapping[str, object] = field(default_factory=dict)
    since: float = 0.0
    verb: str = ""
    options: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    cure: str = ""
    tries: int = 1


def assembled(drafts: Iterable[Draft], facts: Facts) -> list[Finding]:
    """Return one finding for each cause, the most important first; what has no known beginning lasts since now."""
    causes: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        causes.setdefault((draft.id, draft.cause), []).append(draft)
    found = [_merged(same, facts) for same in causes.values()]
    return sorted(found, key=lambda finding: RANK[finding.id])


def _merged(same: list[Draft], facts: Facts) -> Finding:
    first, entry = same[0], BY_ID[same[0].id]
    accounts = tuple(dict.fromkeys(name for draft in same for name in draft.accounts))
    settings = tuple(dict.fromkeys(setting for draft in same for setting in draft.settings))
    command = first.program or None
    if first.verb:
        options = tuple(word for draft in same for word in draft.options)
        command = facts.invocation.command(first.verb, *_named(first.verb, accounts, facts), *options)
    return Finding(
        entry.id,
        entry.severity,
        first.cause,
        accounts,
        first.destination if len({draft.destination for draft in same}) == 1 else None,
        entry.text.format(**first.words),
        min((draft.since for draft in same if draft.since), default=facts.now),
        Cure(first.cure or entry.cure.format(**first.words), command, settings),
        max(draft.tries for draft in same),
    )


def _named(verb: str, accounts: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    if verb in _OF_ALL:
        return ()
    if verb == "migrate" and len(accounts) > MANY:
        paused = {account.name for account in facts.accounts if account.is_paused}  # worked only where they are named
        return accounts if paused.intersection(accounts) else ()
    return accounts
