"""Each account as the ledger knows it, and as its ends answer where they were asked: facts, nothing is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from migrator.config.many_accounts import ASKED_AT_ONCE, in_parts
from migrator.config.one_shot import is_placeholder
from migrator.errors import FerryError, Kind
from migrator.findings.facts import AccountFacts, EndFacts, ProblemFacts, RunFacts, SetAsideFacts
from migrator.findings.model import Setting
from migrator.lazy_dataclasses import replace
from migrator.operations.look_at_sign_ins import look_at_sign_ins
from migrator.operations.quarantine import alike, shared_reason
from migrator.operations.written_settings import written_at
from migrator.report import INTERRUPTED, Status, without_cure
from migrator.wiring.account import identity_of, label_of

if TYPE_CHECKING:
    from migrator.config import Account, Config, Source
    from migrator.ledger import Ledger
    from migrator.ledger.history import RunRecord, SetAside
    from migrator.ledger.overview import LastRun
    from migrator.operations.check_account import CheckedAccount, CheckedEnd

USUAL_PORTS = frozenset({110, 995})


def look_at_unknown_account(account: Account, config: Config) -> AccountFacts:
    """Return what the configuration tells of an account, and whether its passwords are there."""
    needed = [secret for secret in account.secrets() if not is_placeholder(secret)]
    return AccountFacts(
        account.name,
        _maildrop(account.source),
        tuple(identity_of(place, config.state_dir) for place in account.destinations),
        missing_secrets=tuple(dict.fromkeys(filter(None, (one.missing() for one in needed)))),
        sign_ins=look_at_sign_ins(account),
        interval=every.total_seconds() if (every := (account.schedule or config.schedule).every) else 0.0,
    )


def _maildrop(source: Source) -> str:
    """Name a maildrop; the usual ports of POP3 lead to the same one."""
    host, port = source.host.lower(), source.endpoint.port
    return f"{source.username} at {host}" if port in USUAL_PORTS else f"{source.username} at {host}:{port}"


def look_at_accounts(
    accounts: Iterable[Account], config: Config, ledger: Ledger, at_once: int = ASKED_AT_ONCE
) -> Iterator[AccountFacts]:
    """Yield what the ledger tells of each account, too; each thing is asked of many accounts at one time."""
    for part in in_parts(accounts, at_once):
        overview, names = ledger.overview, [account.name for account in part]
        runs, set_aside = overview.last_runs(names), set_aside_by_account(names, ledger)
        successes = last_successes({name: last.run for name, last in runs.items()}, names, ledger)
        first_copies, clocks_doubted_at = overview.first_copies(names), overview.clocks_doubted_at(names)
        bare = [look_at_unknown_account(account, config) for account in part]
        lacking = overview.lacking({one.name: one.places for one in bare if one.name in runs and len(one.places) > 1})
        for account, facts in zip(part, bare, strict=True):
            name, last, success = account.name, runs.get(account.name), successes.get(account.name)
            yield replace(
                facts,
                last_run=_run(account, last) if last else None,
                last_success=(success.ended_at or success.started_at) if success else 0.0,
                first_copy=first_copies.get(name, 0.0),
                set_aside=tuple(_set_aside(set_aside.get(name, ()))),
                clock_doubted_at=clocks_doubted_at.get(name, 0.0),
                lacking=_lacking(account, facts.places, lacking),
            )


def last_successes(newest: Mapping[str, RunRecord], accounts: Sequence[str], ledger: Ledger) -> Mapping[str, RunRecord]:
    """Return the last run of each account that ended well, asking only where that is not the newest."""
    well = {name: run for name, run in newest.items() if run.status is Status.OK}
    return well | ledger.history.last_successes([name for name in accounts if name not in well])


def set_aside_by_account(accounts: Sequence[str], ledger: Ledger) -> Mapping[str, Sequence[SetAside]]:
    """Return what is set aside, by account, in one question: it goes through all that is."""
    found: dict[str, list[SetAside]] = {}
    for message in ledger.history.set_aside(accounts):
        found.setdefault(message.account, []).append(message)
    return found


def ends_of(accounts: Sequence[Account], checked: Sequence[CheckedAccount]) -> tuple[EndFacts, ...]:
    """Return how the ends of accounts answered."""
    configured = {account.name: account for account in accounts}
    return tuple(
        _end(configured[account.name], end, is_source=end is account.source)
        for account in checked
        for end in (account.source, *account.destinations)
    )


def problem_of(error: FerryError, destination: str | None = None) -> ProblemFacts:
    """Return an error as findings are made of it, but for the settings that cure it."""
    server = str(error.endpoint) if error.endpoint else ""
    told = _told(str(error), error.cure)
    return ProblemFacts(error.kind, told, error.finding, server, destination, error.cure)


def _end(account: Account, end: CheckedEnd, *, is_source: bool) -> EndFacts:
    problem = None
    if end.error:
        destination = None if is_source else end.label
        settings = _settings(account, destination, dict(end.error.settings))
        problem = replace(problem_of(end.error, destination), settings=settings)
    named = end.facts.get("capabilities")
    capabilities = tuple(map(str, named)) if isinstance(named, list) else ()
    return EndFacts(
        account.name,
        end.label,
        is_source,
        problem,
        capabilities,
        is_there=end.facts.get("exists") is not False and end.facts.get("objects") != 0,
        messages=_number(end.facts, "messages"),
        quota=_quota(end.facts),
        without_versions=str(end.facts.get("bucket", "")) if end.facts.get("keeps_versions") is False else "",
    )


def _quota(facts: Mapping[str, object]) -> tuple[int, int] | None:
    used, limit = _number(facts, "quota_used"), _number(facts, "quota_limit")
    return (used, limit) if used is not None and limit else None


def _number(facts: Mapping[str, object], name: str) -> int | None:
    value = facts.get(name)
    return value if isinstance(value, int) else None


def _settings(account: Account, destination: str | None, values: Mapping[str, object]) -> tuple[Setting, ...]:
    """Return keys of an end as they are written into the configuration; none where the end stands in no file."""
    if destination is None:
        written = written_at(account, "source")
    else:
        [*indexes] = (number for number, one in enumerate(account.destinations) if label_of(one) == destination)
        if not indexes:
            return ()
        written = written_at(account, "destinations", indexes[0])
    return tuple(setting for key, value in values.items() for setting in written.setting(key, value))


def _told(message: str, cure: str) -> str:
    """Return what is said of an error on one line, without its cure."""
    return "; ".join(line.strip() for line in without_cure(message, cure).splitlines())


def _run(account: Account, last: LastRun) -> RunFacts:
    errors = last.run.report.get("errors")
    listed = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return RunFacts(
        last.run.started_at,
        last.run.status is Status.OK,
        tuple(problem for problem in (_reported(account, error) for error in listed) if not _is_a_stop(problem)),
        last.failing_since,
        last.failures,
    )


def _is_a_stop(problem: ProblemFacts) -> bool:
    """Tell whether somebody stopped the run, which is no trouble."""
    return problem.kind is Kind.TEMPORARY and problem.message == INTERRUPTED


def _reported(account: Account, error: Mapping[str, object]) -> ProblemFacts:
    def text(key: str) -> str:
        value = error.get(key)
        return value if isinstance(value, str) else ""

    destination, values = text("destination") or None, error.get("settings")
    return ProblemFacts(
        Kind(text("kind")),
        _told(text("message"), text("cure")),
        text("finding"),
        text("server"),
        destination,
        text("cure"),
        _settings(account, destination, values) if isinstance(values, dict) else (),
        is_of_message=error.get("uidl") is not None,
    )


def _set_aside(messages: Sequence[SetAside]) -> Iterator[SetAsideFacts]:
    for same in alike([message for message in messages if not message.is_accepted]):
        first, rows = same[0], tuple(int(message.row) for message in same)
        since = min(message.first_at for message in same)
        yield SetAsideFacts(first.kind, shared_reason(same), rows, first.destination, since, first.cure)


def _lacking(account: Account, places: Sequence[str], lacking: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Count, by label, what stands in one of an account's destinations and not in another."""
    counts = {
        label_of(place): lacking.get((account.name, identity), 0)
        for place, identity in zip(account.destinations, places, strict=True)
    }
    return {label: count for label, count in counts.items() if count}
