"""The modules that decide, and the tests that are to notice when one of them decides otherwise."""

from __future__ import annotations

_FETCHING = (
    "integration/run/test_fetch",
    "integration/run/test_fetch_outcomes",
    "integration/run/test_fetch_batches",
    "integration/run/test_session",
    "integration/run/test_account",
)
_DELETING = (
    "integration/run/test_deletion",
    "integration/run/test_deletion_evidence",
    "integration/run/test_session",
)

TESTS: dict[str, tuple[str, ...]] = {
    "run.plan": ("unit/run/test_plan",),
    "run.deletion_rule": ("unit/run/test_deletion_rule",),
    "run.portion": ("unit/run/test_portion",),
    "run.relogin": ("unit/run/test_relogin",),
    "run.suspects": ("unit/run/test_suspects",),
    "run.counters": ("unit/run/test_counters",),
    "pop3.failure": ("unit/pop3/test_failure",),
    "pop3.server_profile": ("unit/pop3/test_server_profile",),
    "copying.judging": ("unit/copying/test_judging",),
    "copying.proving": (
        "unit/copying/test_copier",
        "unit/copying/test_copier_states",
        "unit/copying/test_touched_volumes",
    ),
    "copying.relocating": ("unit/copying/test_relocating",),
    "copying.copier": (
        "unit/copying/test_copier",
        "unit/copying/test_copier_states",
        "unit/copying/test_touched_volumes",
        "unit/copying/test_touched_archives",
    ),
    "run.clock": ("integration/run/test_account",),
    "run.rematch": ("integration/run/test_rematch", "integration/run/test_rematch_moved"),
    "run.backfill": ("integration/run/test_backfill", "integration/run/test_backfill_sources"),
    "run.header_proof": _DELETING,
    "run.deletion": _DELETING,
    "run.recheck": _FETCHING,
    "run.record": _FETCHING,
    "run.fetch": _FETCHING,
    "run.selection": ("integration/run/test_session", "integration/run/test_any_line"),
    "run.session": (
        "integration/run/test_session",
        "integration/run/test_session_rules",
        "integration/run/test_account",
        "integration/run/test_any_line",
    ),
    "run.account": (
        "integration/run/test_account",
        "integration/run/test_accounts",
        "integration/run/test_any_line",
    ),
}
"""Modules of ``migrator``, the purest first, each with the tests of its own."""

WIDER = (
    *dict.fromkeys(test for tests in TESTS.values() for test in tests),
    "unit/archive/test_repair",
    "unit/archive/test_repair_states",
    "unit/archive/test_verify",
    "integration/cli/commands/test_migrate",
    "integration/cli/commands/test_quarantine",
)
"""Tests that a survivor meets next."""


def path(test: str) -> str:
    """Return where a test file is, from the repository's root."""
    return f"tests/{test}.py"
