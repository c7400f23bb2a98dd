"""The way out of a finding, in lines that a person reads: the same ones in every command and on the page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from migrator.findings.model import Finding, Setting


def cure_lines(finding: Finding) -> Iterator[str]:
    """Yield the way out: in words, as a command to paste, as settings to write."""
    yield finding.cure.text
    if finding.cure.command:
        yield f"run: {shlex.join(finding.cure.command)}"
    for setting in finding.cure.settings:
        yield f"{'or ' if finding.cure.command else ''}{setting_line(setting)}"


def setting_line(setting: Setting) -> str:
    """Say where which value is to be written."""
    *table, key = setting.path
    names = [f"{step}" for step in table if isinstance(step, str)]
    place = f"[[{'.'.join(names)}]]" if table and isinstance(table[-1], int) else f"[{'.'.join(names)}]"
    counts = [step + 1 for step in table if isinstance(step, int)]
    which = f" (number {counts[-1]})" if counts else ""
    account = f" of account {counts[0]}" if len(counts) > 1 else ""
    if setting.value is None:
        return f"take {key} out of {place}{which}{account} in {setting.file}"
    return f"write {key} = {json.dumps(setting.value)} under {place}{which}{account} in {setting.file}"
