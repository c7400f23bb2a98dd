"""From facts to findings: every rule, one finding for each cause, the most important first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from migrator.findings import accounts, machine, places, sign_ins
from migrator.findings.catalogue import BY_ID
from migrator.findings.draft import Draft, assembled
from migrator.findings.facts import Facts
from migrator.findings.model import Finding, Severity

Rule = Callable[[Facts], Iterator[Draft]]

RULES: tuple[Rule, ...] = (
    machine.of_ledger,
    machine.of_state,
    machine.of_worker,
    places.of_places,
    places.of_disks_of_places,
    accounts.of_accounts,
    accounts.of_maildrops,
    sign_ins.of_sign_ins,
    machine.of_disks,
    machine.of_clock,
    machine.of_exposure,
    machine.of_telling,
    machine.of_the_rest,
)


def find(facts: Facts) -> list[Finding]:
    """Return everything that a person must know, the most important first; nothing where all is well."""
    drafts = _without_consequences([draft for rule in RULES for draft in rule(facts)])
    found = assembled(drafts, facts)
    explained = [finding for finding in found if finding.severity is Severity.BROKEN or finding.id == "limited"]
    troubled = frozenset(name for finding in explained for name in finding.accounts)
    return assembled([*drafts, *accounts.of_silence(facts, troubled)], facts)


def _without_consequences(drafts: Sequence[Draft]) -> list[Draft]:
    """Leave out that a destination lacks messages where it is known why: one cause is one finding."""
    broken = [draft for draft in drafts if draft.id != "not-everywhere" and BY_ID[draft.id].severity is Severity.BROKEN]
    causes = {(name, draft.destination) for draft in broken for name in draft.accounts}
    return [
        draft
        for draft in drafts
        if draft.id != "not-everywhere" or causes.isdisjoint((name, draft.destination) for name in draft.accounts)
    ]


def by_account(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Return those that concern each account, of all accounts that one concerns."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        for name in finding.accounts:
            found.setdefault(name, []).append(finding)
    return found


def about(findings: Sequence[Finding], name: str) -> list[Finding]:
    """Return those that concern an account."""
    return [finding for finding in findings if name in finding.accounts]
