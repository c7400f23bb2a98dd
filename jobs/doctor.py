"""Looks for everything that is or will go wrong: what ``jobs.look`` sees, and what has to be asked or tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from jobs.alerting.channels import channels
from jobs.look import facts_on_disk
from jobs.monitoring.http_server import Web
from jobs.schedule.worked_elsewhere import note_answering
from migrator.config import Account, Config
from migrator.errors import ConfigError, FerryError
from migrator.findings.facts import (
    Facts,
    Invocation,
    LedgerFacts,
    LedgerState,
    TellingFacts,
)
from migrator.findings.find import find
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import replace
from migrator.operations.answers import note_answers
from migrator.operations.check_account import CheckedAccount, check_accounts
from migrator.operations.doctor import mounts, weaknesses_of
from migrator.operations.look import OpenedLedger, opened_ledger
from migrator.operations.look_at_accounts import ends_of
from migrator.search.index import problem_of_index

CheckAccounts = Callable[[Sequence[Account], Path], Sequence[CheckedAccount]]


def examine(
    config: Config, now: float, invocation: Invocation, *, check: CheckAccounts = check_accounts
) -> list[Finding]:
    """Return everything that is or will go wrong, the most important first.

    Nothing is changed but what is remembered of ends that answer again: that nobody goes on saying what is over, and
    that the schedule works an account again whose log-in it had given up.
    """
    with opened_ledger(config) as opened:
        facts = _thorough(facts_on_disk(config, opened, now, invocation), config, opened)
        paused = {account.name for account in facts.accounts if account.is_paused}
        reachable = [one for one in config.accounts if one.name not in paused and not config.missing_secrets([one])]
        facts = replace(facts, ends=ends_of(config.accounts, check(reachable, config.state_dir)))
        _remember(facts, opened, now)
    return find(facts)


def _remember(facts: Facts, opened: OpenedLedger, now: float) -> None:
    """Note what is over; where the ledger cannot be written, nothing is, and the next run finds it."""
    if opened.ledger is not None and facts.ledger.state is LedgerState.WELL:
        store = opened.ledger.state_store
        with suppress(FerryError):
            note_answering(store, note_answers(store, facts), now)


def examine_answers(
    config: Config, checked: Sequence[CheckedAccount], now: float, invocation: Invocation
) -> list[Finding]:
    """Return what can be known without asking, and from how these accounts' ends have answered."""
    with opened_ledger(config) as opened:
        facts = facts_on_disk(config, opened, now, invocation)
    return find(replace(facts, ends=ends_of(config.accounts, checked)))


def _thorough(facts: Facts, config: Config, opened: OpenedLedger) -> Facts:
    """Add what takes its time: the whole database, the index, file systems, the ways to tell somebody, the port."""
    text = mounts()
    places = tuple(
        replace(place, weaknesses=weaknesses_of(Path(place.path), text)) if place.path and not place.is_away else place
        for place in facts.places
    )
    return replace(
        facts,
        places=places,
        ledger=_checked(facts.ledger, opened),
        index_problem=problem_of_index(config.state_dir),
        listen_problem="" if facts.worker.is_alive else _listen_problem(config),
        package_problem=_package_problem(config),
        telling=_tried(facts.telling, config),
    )


def _checked(known: LedgerFacts, opened: OpenedLedger) -> LedgerFacts:
    if known.state is not LedgerState.WELL or opened.ledger is None:
        return known
    try:
        if weaknesses := tuple(opened.ledger.weaknesses()):
            known = replace(known, weaknesses=weaknesses)
        problems = tuple(opened.ledger.integrity_problems())
    except FerryError as error:
        problems = (error.message,)
    return replace(known, state=LedgerState.DAMAGED, problems=problems) if problems else known


def _listen_problem(config: Config) -> str:
    """Say why the worker could not listen for who watches it, or for browsers; empty where it could."""
    try:
        if config.metrics and config.metrics.listen:
            Web.try_address(config.metrics.listen)
        if config.web and not _package_problem(config):
            _try_page(config.web.listen)
    except ConfigError as error:
        return str(error)
    return ""


def _try_page(listen: str) -> None:
    from jobs.web.server import try_address

    try_address(listen)


def _package_problem(config: Config) -> str:
    """Say which packages the page lacks, and how they are installed; empty where it lacks none."""
    if config.web is None:
        return ""
    try:
        from jobs.web.server import check_extras

        check_extras(config.web)
    except ImportError as error:
        return f"the page needs packages that are not installed ({error.name}): pip install 'mailferry[web]'"
    except ConfigError as error:
        return str(error)
    return ""


def _tried(telling: TellingFacts, config: Config) -> TellingFacts:
    """Try the way to each channel, without saying anything there."""
    if telling.missing_secrets:
        return telling
    for channel in channels(config.notify):
        try:
            channel.probe()
        except FerryError as error:
            return replace(telling, dead=error.message)
    return telling
