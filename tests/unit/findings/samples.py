"""A healthy installation as facts, to be made worse by a test."""

from __future__ import annotations

from dataclasses import replace

from migrator.findings.facts import (
    AccountFacts,
    Facts,
    Invocation,
    LedgerFacts,
    LedgerState,
    PlaceFacts,
    RunFacts,
    ScheduleFacts,
    StateFacts,
    TellingFacts,
    WorkerFacts,
)
from migrator.findings.find import find
from migrator.findings.model import Finding

NOW = 2_000_000_000.0
DAY = 86_400.0
MBOX = PlaceFacts("mbox archive/ann", "mbox:/archive/ann", "mbox", "/archive/ann", known=300)
MAILBOX = PlaceFacts("INBOX of ann at imap.example.org", "imap:ann@imap.example.org/INBOX", "imap", known=300)
WELL = RunFacts(NOW - 60, is_ok=True)
ANN = AccountFacts(
    "ann",
    "ann at pop.example.org:995",
    (MBOX.identity, MAILBOX.identity),
    last_run=WELL,
    last_success=NOW - 50,
    first_copy=NOW - 10 * DAY,
    verified_at=NOW - DAY,
    schedule=ScheduleFacts(NOW - 10 * DAY, NOW - 50, interval=900.0),
)
FACTS = Facts(
    NOW,
    Invocation(config="config.toml"),
    StateFacts("state"),
    LedgerFacts(LedgerState.WELL),
    accounts=(ANN,),
    places=(MBOX, MAILBOX),
    worker=WorkerFacts(is_expected=True, is_alive=True),
    telling=TellingFacts(is_configured=True),
)


def found_with(**changes: object) -> list[Finding]:
    """Return what is found when the installation is as it should be, but for these changes."""
    return find(replace(FACTS, **changes))  # type: ignore[arg-type]  # fields of Facts


def found_of_ann(**changes: object) -> list[Finding]:
    """Return what is found when the account is well but for these changes."""
    return found_with(accounts=(replace(ANN, **changes),))  # type: ignore[arg-type]  # fields of AccountFacts


def found_in(place: PlaceFacts) -> list[Finding]:
    """Return what is found when a destination is like this, and the other well."""
    return found_with(places=tuple(place if place.identity == one.identity else one for one in FACTS.places))
