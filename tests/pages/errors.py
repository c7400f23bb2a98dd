"""The page docs/errors.md: every finding, from the catalogue that all commands take their words from."""

from __future__ import annotations

import re

from migrator.findings.catalogue import ENTRIES, RANK
from migrator.findings.hints import Entry
from migrator.findings.model import Severity

_HEAD = """\
# Findings: what is wrong, and the way out

`status`, `doctor`, `check`, /healthz, alerts and the weekly digest show the same findings in the same words. One cause is one finding,
whether behind one account or twelve. A finding is seen by looking: it ends as soon as its cause has. `--json` has each with `id`,
`severity`, `account`, `accounts`, `destination`, `text`, `since` and `cure`; a cure has `text` and, where something other than a person
can act, `command` (it can be run as it stands) or `settings` (changes to make); where both are given, either suffices. `doctor` ends
with 1 where anything is broken or soon will be.

This page is printed from the catalogue in the code (`make docs`). `…` stands for what is filled in.

"""

_SEVERITIES = {
    Severity.BROKEN: "## Broken: mail is not moving, or is not safe, until a person acts",
    Severity.SOON: "## Soon: it will be",
    Severity.HINT: "## Hints: it could be better",
}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for severity, heading in _SEVERITIES.items():
        entries = sorted((one for one in ENTRIES if one.severity is severity), key=lambda one: RANK[one.id])
        parts += [f"{heading}\n\n", *map(_entry, entries)]
    return "".join(parts).rstrip() + "\n"


def _entry(entry: Entry) -> str:
    text, cure = _shown(entry.text), _shown(entry.cure)
    said = "" if text == "…" else f"Says: *{text}*  \n"
    return f"### `{entry.id}`\n\n{entry.meaning}  \n{said}Way out: {cure}.\n\n"


def _shown(sentence: str) -> str:
    return re.sub(r"\{\w+\}", "…", sentence)
