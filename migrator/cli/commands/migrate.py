"""``mailferry migrate``: copy what is new, verify every copy, delete what the policy allows, and exit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, mask_secrets, with_passwords
from migrator.cli.exit_codes import DONE, INTERRUPTED, NOT_ALL_DONE
from migrator.cli.signals import stopping
from migrator.copying.offload import ChildCopierPool
from migrator.errors import ConfigError, FerryError
from migrator.ledger import Ledger
from migrator.report import AccountReport, Problem, Status
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from migrator.ui.console import Console, Style
from migrator.ui.run_summary import account_line, note_lines, problem_lines, total_line, would_delete_lines
from migrator.wiring.account import RunLimits, job_of
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config

_STYLES = {Status.OK: Style.GOOD, Status.PARTIAL: Style.WARNING, Status.FAILED: Style.BAD}


def run(arguments: Namespace, screen: Console) -> int:
    """Work the accounts asked for, side by side, and report on each."""
    config, accounts = _wanted(arguments, screen)
    limits = RunLimits(messages=arguments.limit, deletions=arguments.max_delete)
    jobs = [job_of(account, config.state_dir, limits) for account in accounts]
    with stopping(screen) as stop:
        try:
            with _ledger(config, is_dry=arguments.dry_run) as ledger, screen.progress() as progress:
                effects = Effects(stop=stop, progress=progress, copier_for=ChildCopierPool().lent)
                reports = run_accounts(jobs, ledger, effects, is_dry=arguments.dry_run)
        except FerryError as error:  # the ledger, without which no account can be worked
            reports = [AccountReport(job.name, Status.FAILED, problems=[Problem.of(error)]) for job in jobs]
        if not arguments.dry_run:
            _leave_metrics(config, reports, screen)
        show(reports, screen)
        return exit_code(reports, is_stopped=stop.is_set())


def _leave_metrics(config: Config, reports: Sequence[AccountReport], screen: Console) -> None:
    path = config.metrics.textfile if config.metrics else None
    if path is None:
        return
    from jobs.monitoring.metrics import write_textfile

    try:
        write_textfile(path, reports, time.time())
    except OSError as error:
        screen.problem(f"[metrics] textfile: {path} cannot be written: {error.strerror}")


def show(reports: Sequence[AccountReport], screen: Console) -> None:
    """Tell each account's numbers, and below them what went wrong."""
    if screen.is_json:
        screen.document({"accounts": [report.as_json() for report in reports]})
    for report in reports:
        if not screen.is_quiet or report.status is not Status.OK:
            screen.result(screen.styled(account_line(report), _STYLES[report.status]))
        for line in (
            *would_delete_lines(report, is_complete=screen.verbosity > 0),
            *problem_lines(report, is_complete=screen.verbosity > 0),
            *(() if screen.is_quiet else note_lines(report)),
        ):
            screen.result(line)
    if len(reports) > 1 and not screen.is_quiet:
        screen.result(total_line(reports))


def exit_code(reports: Sequence[AccountReport], *, is_stopped: bool) -> int:
    """Return what the reports mean for a script."""
    if is_stopped or any(report.interrupted for report in reports):
        return INTERRUPTED
    return DONE if all(report.status is Status.OK for report in reports) else NOT_ALL_DONE


def _wanted(arguments: Namespace, screen: Console) -> tuple[Config, Sequence[Account]]:
    if arguments.source is None and not arguments.destinations:
        _refuse_url_options(arguments)
        config = configuration(arguments, screen)
        accounts = config.select(arguments.accounts)
    else:
        config = _config_from_urls(arguments)
        accounts = config.accounts
    with_passwords(config, accounts)
    mask_secrets(config, screen)
    return config, accounts


def _refuse_url_options(arguments: Namespace) -> None:
    given = {
        "--leave-on-server": arguments.leave_on_server,
        "--state-dir": arguments.state_dir,
        "--from-password-...": arguments.from_passwords,
        "--to-password-...": arguments.to_passwords,
    }
    if strange := [option for option, value in given.items() if value]:
        raise ConfigError([f"{option}: goes with --from and --to only" for option in strange])


def _config_from_urls(arguments: Namespace) -> Config:
    from migrator.cli.password_prompt import Passwords
    from migrator.config import config_from_urls

    if arguments.accounts or arguments.config:
        raise ConfigError(["--from and --to: stand alone, without -c and names of accounts"])
    if arguments.source is None:
        raise ConfigError(["--from: is missing; say where the mail is"])
    passwords = Passwords(arguments.from_passwords, arguments.to_passwords)
    config = config_from_urls(
        arguments.source,
        arguments.destinations,
        passwords=passwords.of,
        leave_on_server=arguments.leave_on_server or "true",
        state_dir=arguments.state_dir,
    )
    passwords.all_used()
    return config


@contextmanager
def _ledger(config: Config, *, is_dry: bool) -> Iterator[Ledger]:
    """Open the ledger; a dry run, which changes nothing anywhere, only looks at it."""
    with closing(Ledger.open_dry(config.state_dir) if is_dry else open_ledger(config)) as ledger:
        yield ledger
