"""Prints docs/server-behaviour.md from the table of scenarios.

python -m tests.scenarios.matrix > docs/server-behaviour.md
"""

from __future__ import annotations

import sys

from tests.scenarios.table import SCENARIOS, Scenario

HEAD = """\
# What servers do, and what mailferry does then

Each row is a test that CI runs (`tests/scenarios`): a POP3 server that misbehaves in this way, and the most dangerous policy,
"delete once verified". After each, every message stands byte for byte in the archive or is still on the server, none is stored
twice, and a later run against the same maildrop on a server in good health completes the job.

This page is made from the tests; to change it, change `tests/scenarios/table.py`.

| the server … | mailferry … | status | reported as |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(_row(scenario) for scenario in SCENARIOS.values())


def _row(scenario: Scenario) -> str:
    kinds = ", ".join(f"`{kind}`" for kind in sorted(scenario.kinds)) or "—"
    return f"| {scenario.does} | {scenario.we} | {scenario.status} | {kinds} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
