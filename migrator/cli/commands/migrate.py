"""``mailferry migrate``: copy what is new, verify every copy, delete what the policy allows, and exit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.cli.context import configuration_to_work, mask_secrets, show_bad_rows, with_passwords
from migrator.cli.exit_codes import DONE, INTERRUPTED, NOT_ALL_DONE, not_done
from migrator.cli.signals import stopping
from migrator.errors import ConfigError, FerryError
from migrator.ledger.schedule import SCHEDULE
from migrator.operations.account_list import unpaused_accounts
from migrator.operations.migrate import Watching, migrate_accounts
from migrator.report import AccountReport, Described, Status, Storing
from migrator.ui.console import Console, Style
from migrator.ui.run_summary import (
    account_line,
    brief_line,
    dry_total_line,
    is_well,
    named_deletions,
    note_lines,
    problem_lines,
    total_line,
    would_delete_lines,
)
from migrator.ui.text import size, span
from migrator.wiring.account import RunLimits

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.model import Digest

MANY = 10
"""With more accounts than that, one that is well gets one short line."""

_STYLES = {Status.OK: Style.GOOD, Status.PARTIAL: Style.WARNING, Status.FAILED: Style.BAD}


def run(arguments: Namespace, screen: Console) -> int:
    """Work the accounts asked for, side by side, and report on each."""
    config, accounts = _wanted(arguments, screen)
    if len(accounts) > 1:
        _share_arenas()
    limits = RunLimits(messages=arguments.limit, deletions=arguments.max_delete)
    storing = Storing()
    about: dict[Digest, Described] = {}

    def afterwards(ledger: Ledger, reports: Sequence[AccountReport]) -> None:
        about.update(_about(reports, config, ledger, screen))
        if not arguments.dry_run:
            with suppress(FerryError):  # the runs are done and recorded
                _end_parking(ledger, reports)

    with stopping(screen, lambda: _waits_for(storing)) as stop:
        with screen.progress() as progress:
            watching = Watching(stop, progress, storing)
            reports = migrate_accounts(
                config, accounts, limits, watching, is_dry=arguments.dry_run, afterwards=afterwards
            )
        if not arguments.dry_run:
            _leave_metrics(config, reports, screen)
        show(reports, screen, about, is_dry=arguments.dry_run)
        if config.path is None and not arguments.dry_run and any(one.status is not Status.FAILED for one in reports):
            screen.note(f"Look at it later: mailferry status --state-dir {_state_dir_as_named(config, arguments)}")
        bad_rows = [] if arguments.accounts else list(config.bad_rows)
        if bad_rows:
            show_bad_rows(config, screen)
        code = exit_code(reports, is_stopped=stop.is_set())
        return NOT_ALL_DONE if bad_rows and code != INTERRUPTED else code


def _share_arenas() -> None:
    """Let the threads that work accounts side by side take their memory from few arenas."""
    from jobs.memory import share_arenas

    share_arenas()


def _waits_for(storing: Storing) -> str:
    """Say what an end must wait for, if anything is known."""
    if not storing.octets:
        return ""
    seconds = storing.seconds_left
    about = "" if seconds is None else f", about {span(seconds) if seconds >= 60 else f'{max(round(seconds), 1)} s'}"
    return f"{size(storing.octets)} are being stored{about}"


def _end_parking(ledger: Ledger, reports: Sequence[AccountReport]) -> None:
    """Let ``mailferry run``, where there is one, go on with what could be worked here."""
    known = ledger.state_store.get_all(SCHEDULE)
    if not any(known.get(report.name, {}).get("attempts") for report in reports):
        return
    from jobs.schedule.worked_elsewhere import note_runs

    note_runs(ledger.state_store, reports, time.time())


def _leave_metrics(config: Config, reports: Sequence[AccountReport], screen: Console) -> None:
    path = config.metrics.textfile if config.metrics else None
    if path is None:
        return
    from jobs.monitoring.metrics import write_textfile

    try:
        write_textfile(path, reports, time.time())
    except OSError as error:
        screen.problem(f"[metrics] textfile: {path} cannot be written: {error.strerror}")


def _about(
    reports: Sequence[AccountReport], config: Config, ledger: Ledger, screen: Console
) -> Mapping[Digest, Described]:
    """Return what a person knows the messages by that a dry run names as to be deleted, as far as they are archived."""
    if screen.is_quiet or _is_brief(reports, screen):
        return {}
    is_complete = screen.verbosity > 0
    named = [one.digest for report in reports for one in named_deletions(report, is_complete=is_complete) if one.digest]
    if not named:
        return {}
    from migrator.operations.describe import described

    try:
        return described(named, config, ledger)
    except FerryError:  # an archive that cannot be read: the messages are named all the same
        return {}


def _is_brief(reports: Sequence[AccountReport], screen: Console) -> bool:
    return len(reports) > MANY and not screen.verbosity


def show(reports: Sequence[AccountReport], screen: Console, about: Mapping[Digest, Described], *, is_dry: bool) -> None:
    """Tell each account's numbers, and below them what went wrong."""
    if screen.is_json:
        screen.document({"accounts": [report.as_json() for report in reports]})
    is_brief = _is_brief(reports, screen)
    for report in reports:
        if is_well(report) and (is_brief or screen.is_quiet):
            if not screen.is_quiet:
                screen.result(screen.styled(brief_line(report), Style.GOOD))
            continue
        if not screen.is_quiet or report.status is not Status.OK:
            screen.result(screen.styled(account_line(report), _STYLES[report.status]))
        for line in (
            *(() if screen.is_quiet else would_delete_lines(report, about, is_complete=screen.verbosity > 0)),
            *problem_lines(report, is_complete=screen.verbosity > 0),
            *(() if screen.is_quiet else note_lines(report)),
        ):
            screen.result(line)
    if screen.is_quiet:
        return
    if is_dry:
        screen.result(dry_total_line(reports))
    elif len(reports) > 1:
        screen.result(total_line(reports))


def exit_code(reports: Sequence[AccountReport], *, is_stopped: bool) -> int:
    """Return what the reports mean for a script."""
    if is_stopped or any(report.interrupted for report in reports):
        return INTERRUPTED
    unwell = [report for report in reports if report.status is not Status.OK]
    return not_done(problem.kind for report in unwell for problem in report.problems) if unwell else DONE


def _wanted(arguments: Namespace, screen: Console) -> tuple[Config, Sequence[Account]]:
    if arguments.source is None and not arguments.destinations:
        _refuse_url_options(arguments)
        config = configuration_to_work(arguments, screen)
        chosen = config.select(arguments.accounts)
        accounts = chosen if arguments.accounts else _not_paused(config, screen)
    else:
        config = _config_from_urls(arguments, screen)
        accounts = config.accounts
    with_passwords(config, accounts)
    mask_secrets(config, screen)
    if config.path is None and not arguments.dry_run:
        config = _remembered(config, screen)
        accounts = config.accounts
    return config, accounts


def _not_paused(config: Config, screen: Console) -> Sequence[Account]:
    """Return all accounts but those that a person has paused, which is said."""
    accounts, paused = unpaused_accounts(config)
    for name in paused:
        screen.note(f"{name}: paused, so left out; mailferry resume {name} goes on")
    return accounts


def _remembered(config: Config, screen: Console) -> Config:
    """Leave a configuration in the state folder, in which cures say where their settings are written."""
    from migrator.config.one_shot import remember

    done = remember(config)
    if done.problem:
        screen.problem(f"warning: no configuration was left in {config.state_dir}: {done.problem}")
    return done.config


def _state_dir_as_named(config: Config, arguments: Namespace) -> str:
    import shlex

    return shlex.quote(str(arguments.state_dir or config.state_dir))


def _refuse_url_options(arguments: Namespace) -> None:
    given = {
        "--leave-on-server": arguments.leave_on_server,
        "--state-dir": arguments.state_dir,
        "--from-password-...": arguments.from_passwords,
        "--to-password-...": arguments.to_passwords,
    }
    if strange := [option for option, value in given.items() if value]:
        raise ConfigError([f"{option}: goes with --from and --to only" for option in strange])


def _source_url(written: str, screen: Console) -> str:
    """Return the URL of a source; that of an address is looked for, and taken where nobody need be asked."""
    if "://" in written or "@" not in written:
        return written
    from migrator.cli.finding_servers import trusted_url

    return trusted_url(written, screen)


def _config_from_urls(arguments: Namespace, screen: Console) -> Config:
    from migrator.cli.password_prompt import Passwords
    from migrator.config.urls import config_from_urls

    if arguments.accounts or arguments.config:
        raise ConfigError(["--from and --to: stand alone, without -c and names of accounts"])
    if arguments.source is None:
        raise ConfigError(["--from: is missing; say where the mail is"])
    passwords = Passwords(arguments.from_passwords, arguments.to_passwords)
    config = config_from_urls(
        _source_url(arguments.source, screen),
        arguments.destinations,
        passwords=passwords.of,
        leave_on_server=arguments.leave_on_server or "true",
        state_dir=arguments.state_dir,
    )
    passwords.all_used()
    return config
