"""``mailferry doctor``: look for everything that is or will go wrong, each finding with its cure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.commands.check import looked_at
from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import FerryError
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural
from migrator.wiring.moved_archives import folders_of

if TYPE_CHECKING:
    from argparse import Namespace

    from jobs.doctor import DoctorInputs, EndpointCheck, Finding
    from migrator.config import Config
    from migrator.ledger import Ledger


def run(arguments: Namespace, screen: Console) -> int:
    """Examine everything; changes nothing."""
    from jobs.doctor import findings, is_person_needed

    config = configuration(arguments, screen)
    found = findings(_patient(config))
    if screen.is_json:
        screen.document({"findings": [finding.as_json() for finding in found]})
    for finding in found:
        _show(finding, screen)
    is_needed = is_person_needed(found)
    if not screen.is_quiet or is_needed:
        screen.result(_summary(found, len(config.accounts)))
    return NOT_ALL_DONE if is_needed else DONE


def _patient(config: Config) -> DoctorInputs:
    from jobs.doctor import DoctorInputs

    mounts = _mounts()
    bare = DoctorInputs(
        config,
        time.time(),
        ends=list(_ends(config)),
        mounts=mounts,
        read_from_memory=[folder for folder in folders_of(config).values() if _is_read_from_memory(folder, mounts)],
    )
    try:
        ledger = existing_ledger(config)
    except FerryError as error:
        return replace(bare, ledger_problems=[str(error)])
    if ledger is None:
        return bare
    with closing(ledger):
        return _with_ledger(bare, ledger)


def _with_ledger(bare: DoctorInputs, ledger: Ledger) -> DoctorInputs:
    from jobs.monitoring.health import read
    from jobs.monitoring.stored_view import disks_of, views_of

    config = bare.config
    views = views_of(config, ledger)
    runs = [run for account in config.accounts for run in ledger.history.last_runs(account.name)]
    return replace(
        bare,
        accounts=views,
        disks=disks_of(config, ledger),
        ledger_problems=ledger.integrity_problems(),
        newest_run=max((run.started_at for run in runs), default=0.0),
        # Who only ever migrates by hand is not told that no worker runs.
        health=read(config.state_dir, bare.now) if any(view.state.first_seen for view in views) else None,
    )


def _ends(config: Config) -> Iterator[EndpointCheck]:
    from jobs.doctor import EndpointCheck

    reachable = [account for account in config.accounts if not config.missing_secrets([account])]
    for checked in looked_at(reachable, config):
        for end in (checked.source, *checked.destinations):
            is_source = end is checked.source
            problem = f"[{end.error.kind}] {end.error}" if end.error else ""
            yield EndpointCheck(
                checked.name, end.label, end.facts, problem, end.error.cure if end.error else "", is_source
            )


def _is_read_from_memory(folder: Path, mounts: str) -> bool:
    """Measure with one file of an archive where its file system does not say it all; without any, say no."""
    from jobs.doctor import IN_MEMORY, file_system_of
    from migrator.read_back import ReadFrom, where_read_from

    if file_system_of(folder, mounts) in IN_MEMORY:
        return True
    files = (path for name in ("", "new", "cur") for path in (folder / name).glob("*") if path.is_file())
    with suppress(OSError):
        sample = next((path for path in files if path.stat().st_size), None)
        return sample is not None and where_read_from(sample) is ReadFrom.MEMORY
    return False


def _mounts() -> str:
    with suppress(OSError):
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    return ""


def _show(finding: Finding, screen: Console) -> None:
    from jobs.doctor import Severity

    words = {
        Severity.BROKEN: ("BROKEN", Style.BAD),
        Severity.SOON: ("SOON", Style.WARNING),
        Severity.HINT: ("hint", Style.STRONG),
    }
    if finding.rank is Severity.HINT and screen.is_quiet:
        return
    screen.result(f"{screen.styled(*words[finding.rank])}  {plain(finding.subject)}: {plain(finding.what)}")
    screen.result(f"        {plain(finding.cure)}")


def _summary(found: list[Finding], accounts: int) -> str:
    from jobs.doctor import Severity

    serious = sum(finding.rank is not Severity.HINT for finding in found)
    if not serious:
        return f"{plural(accounts, 'account')}: nothing needs a person."
    findings = plural(serious, "finding that needs", "findings that need")
    return f"{plural(accounts, 'account')}: {findings} a person."
