"""What has to be true before the rest of a mailbox is deleted at its provider: one table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs.web.leaving import Facts, Item, blocking, checklist, left_at_provider
from migrator.findings.model import Cure, Finding, Severity

NOW = 2_000_000_000.0
DAY = 86400.0
WELL = Facts(
    now=NOW,
    is_seen=True,
    safe=12,
    waiting=0,
    failed=0,
    accepted=0,
    done_at=NOW - 3600,
    verified_at=NOW - 5 * DAY,
    verify_every=30 * DAY,
    damaged=0,
    findings=(),
    places=("here", "there"),
)


def finding(severity: Severity) -> Finding:
    return Finding("stale", severity, "cause", ("alice",), None, "it is so", 5.0, Cure("do", None))


def test_a_mailbox_that_is_well_can_be_left() -> None:
    checks = checklist(WELL)
    assert [check.item for check in checks] == list(Item)
    assert all(check.is_met for check in checks)
    assert (blocking(checks), left_at_provider(WELL)) == ([], 12)


@pytest.mark.parametrize(
    ("change", "item", "said"),
    [
        ({"done_at": None}, Item.LAST_RUN, "did not do everything"),
        ({"done_at": NOW - DAY - 1}, Item.LAST_RUN, "more than a day ago"),
        ({"is_seen": False}, Item.ALL_SAFE, "has not been seen yet"),
        ({"waiting": 1}, Item.ALL_SAFE, "1 message at the provider is not safe yet"),
        ({"failed": 2}, Item.NEEDS_A_LOOK, "2 messages need a look"),
        ({"verified_at": 0.0}, Item.VERIFIED, "never been read again"),
        ({"verified_at": NOW - 31 * DAY}, Item.VERIFIED, "longer ago than 30 days"),
        ({"damaged": 1}, Item.VERIFIED, "1 copy is damaged"),
        ({"findings": (finding(Severity.SOON),)}, Item.FINDINGS, "alice: it is so."),
        ({"findings": (finding(Severity.BROKEN),)}, Item.FINDINGS, "alice: it is so."),
    ],
)
def test_each_of_these_alone_keeps_the_rest_from_being_deleted(change: dict[str, Any], item: Item, said: str) -> None:
    [check] = blocking(checklist(replace(WELL, **change)))
    assert (check.item, said in check.says) == (item, True), check.says


@pytest.mark.parametrize(
    ("change", "item", "said"),
    [
        ({"accepted": 3}, Item.SET_ASIDE, "3 messages were accepted without a proven copy"),
        ({"places": ("here", "here")}, Item.SECOND_COPY, "in one place only"),
    ],
)
def test_these_are_said_and_decided_by_a_person(change: dict[str, Any], item: Item, said: str) -> None:
    checks = checklist(replace(WELL, **change))
    [check] = [check for check in checks if not check.is_met]
    assert (check.item, said in check.says) == (item, True), check.says
    assert blocking(checks) == []


def test_a_hint_keeps_nobody_from_leaving() -> None:
    assert all(check.is_met for check in checklist(replace(WELL, findings=(finding(Severity.HINT),))))


def test_a_mailbox_that_is_empty_there_has_nothing_to_be_deleted() -> None:
    facts = replace(WELL, safe=0)
    assert left_at_provider(facts) == 0
    assert "Nothing is left at the provider." in [check.says for check in checklist(facts)]
    assert left_at_provider(replace(WELL, is_seen=False)) == 0
