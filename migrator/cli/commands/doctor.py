"""``mailferry doctor``: look for everything that is or will go wrong, each finding with its cure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from jobs.doctor import Finding


def run(arguments: Namespace, screen: Console) -> int:
    """Examine everything; changes nothing."""
    from jobs.doctor import examine, is_person_needed

    config = configuration(arguments, screen)
    found = examine(config, time.time())
    if screen.is_json:
        screen.document({"findings": [finding.as_json() for finding in found]})
    for finding in found:
        _show(finding, screen)
    is_needed = is_person_needed(found)
    if not screen.is_quiet or is_needed:
        screen.result(_summary(found, len(config.accounts)))
    return NOT_ALL_DONE if is_needed else DONE


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
