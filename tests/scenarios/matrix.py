"""The page docs/server-behaviour.md, from the tables of scenarios."""

from __future__ import annotations

from collections.abc import Mapping

from tests.scenarios import imap, pop3

POP3_HEAD = """\
# What servers do, and what mailferry does then

Each row is a test that CI runs (`tests/scenarios`): a POP3 server that misbehaves in this way, and the most dangerous policy,
"delete once verified". After each, every message stands byte for byte in the archive or is still on the server, none is stored
twice, and a later run against the same maildrop on a server in good health completes the job.

This page is printed from the tests (`make docs`); to change it, change `tests/scenarios/pop3.py` or `tests/scenarios/imap.py`.

| the server … | mailferry … | status | reported as |
| --- | --- | --- | --- |
"""
IMAP_HEAD = """
# What a mailbox does, and what mailferry does then

Here the source is in good health, the policy is the same, and the only destination is an IMAP mailbox that misbehaves. After each,
nothing is deleted at the source that was not read back from the mailbox and found equal, nothing stands there twice, and a later run
against the mailbox in good health completes the job, but for what its user took out of it.

| the mailbox … | mailferry … | status | reported as |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    return POP3_HEAD + _rows(pop3.SCENARIOS) + IMAP_HEAD + _rows(imap.SCENARIOS)


def _rows(scenarios: Mapping[str, pop3.Scenario] | Mapping[str, imap.ImapScenario]) -> str:
    return "".join(_row(scenario) for scenario in scenarios.values())


def _row(scenario: pop3.Scenario | imap.ImapScenario) -> str:
    kinds = ", ".join(f"`{kind}`" for kind in sorted(scenario.kinds)) or "—"
    return f"| {scenario.does} | {scenario.we} | {scenario.status} | {kinds} |\n"
