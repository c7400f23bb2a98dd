"""Findings as every command shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.config.one_shot import FILE_NAME
from migrator.findings.cure_lines import cure_lines
from migrator.findings.facts import Invocation
from migrator.findings.model import Finding, Severity
from migrator.ui.console import Console, Style
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

_WORDS = {
    Severity.BROKEN: ("BROKEN", Style.BAD),
    Severity.SOON: ("SOON", Style.WARNING),
    Severity.HINT: ("hint", Style.STRONG),
}


def invocation_of(arguments: Namespace) -> Invocation:
    """Return how the program was called, for commands that it prints.

    What was named by ``--state-dir`` is named by the file in it, which every command takes.
    """
    state_dir: Path | None = getattr(arguments, "state_dir", None)
    config = state_dir / FILE_NAME if state_dir else getattr(arguments, "config", None)
    return Invocation(config=str(config) if config else "")


def show_finding(finding: Finding, screen: Console) -> None:
    """Say what it is and the way out; a hint is not said when quiet."""
    if finding.severity is Severity.HINT and screen.is_quiet:
        return
    screen.result(f"{screen.styled(*_WORDS[finding.severity])}  {plain(finding.headline)}")
    for line in cure_lines(finding):
        screen.result(f"        {plain(line)}")


def as_json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Return the list that stands in JSON documents."""
    return [finding.as_json() for finding in findings]
