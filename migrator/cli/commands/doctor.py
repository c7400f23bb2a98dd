"""``mailferry doctor``: look for everything that is or will go wrong, each finding with its cure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.finding_lines import as_json, invocation_of, show_finding
from migrator.findings.model import Finding, Severity, is_person_needed
from migrator.ui.text import plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Examine everything; changes nothing."""
    from jobs.doctor import examine
    from migrator.ledger.sqlite.upgrading import kept_ledgers

    config = configuration(arguments, screen, is_to_find_out=True)
    found = examine(config, time.time(), invocation_of(arguments))
    if screen.is_json:
        screen.document({"findings": as_json(found)})
    for finding in found:
        show_finding(finding, screen)
    is_needed = is_person_needed(found)
    if not screen.is_quiet or is_needed:
        screen.result(_summary(found, len(config.accounts)))
    for kept in kept_ledgers(config.state_dir):
        screen.note(f"{kept} is the ledger as it was before its last upgrade; where all is well, it may be deleted")
    return NOT_ALL_DONE if is_needed else DONE


def _summary(found: Sequence[Finding], accounts: int) -> str:
    serious = sum(finding.severity is not Severity.HINT for finding in found)
    if not serious:
        return f"{plural(accounts, 'account')}: nothing needs a person."
    findings = plural(serious, "finding that needs", "findings that need")
    return f"{plural(accounts, 'account')}: {findings} a person."
