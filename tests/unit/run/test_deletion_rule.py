"""The one table of what may be deleted at a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, LeaveOnServer, SourceProof
from migrator.run.deletion_rule import Allowance, Decision, DeletionRules, Evidence, ReadBy, decide

NOW = 1_000_000.0
DAY = 86_400.0
AT_ONCE = DeletionRules(DeleteWhenVerified(), SourceProof.CONTENT, Allowance(3, at_most=3))
TOO_MANY = Allowance(4, at_most=3)
BY_HEADERS = replace(AT_ONCE, source_proof=SourceProof.HEADERS)
READ = Evidence(ReadBy.RETR, is_as_copied=True, is_everywhere=True, proven_at=NOW)
SHOWN = Evidence(ReadBy.TOP, is_as_copied=True, is_everywhere=True, proven_at=NOW, was_retrieved_before=True)


@pytest.mark.parametrize(
    ("evidence", "rules", "decision"),
    [
        (READ, AT_ONCE, Decision.DELETE),
        (READ, BY_HEADERS, Decision.DELETE),
        (SHOWN, BY_HEADERS, Decision.DELETE),
        (SHOWN, AT_ONCE, Decision.NOT_READ),
        (replace(SHOWN, was_retrieved_before=False), BY_HEADERS, Decision.NOT_READ),
        (replace(READ, read_by=ReadBy.NOTHING), AT_ONCE, Decision.NOT_READ),
        (replace(SHOWN, read_by=ReadBy.NOTHING), BY_HEADERS, Decision.NOT_READ),
        (replace(READ, is_as_copied=False), AT_ONCE, Decision.CHANGED),
        (replace(SHOWN, is_as_copied=False), BY_HEADERS, Decision.CHANGED),
        (replace(READ, is_everywhere=False), AT_ONCE, Decision.NOT_EVERYWHERE),
        (READ, replace(AT_ONCE, leave_on_server=Keep()), Decision.NOT_DUE),
        (READ, replace(AT_ONCE, allowance=TOO_MANY), Decision.NOT_ALLOWED),
        (READ, replace(AT_ONCE, allowance=Allowance(10**6)), Decision.DELETE),
        (READ, replace(AT_ONCE, is_stopped=True), Decision.STOPPED),
        (READ, replace(AT_ONCE, is_owner=False), Decision.NOT_OURS),
        (READ, replace(AT_ONCE, is_clock_trusted=False), Decision.DELETE),
        (READ, replace(AT_ONCE, leave_on_server=DeleteAfter(timedelta(0))), Decision.DELETE),
        (
            READ,
            replace(AT_ONCE, leave_on_server=DeleteAfter(timedelta(0)), is_clock_trusted=False),
            Decision.CLOCK_DOUBTED,
        ),
    ],
)
def test_what_may_be_deleted(evidence: Evidence, rules: DeletionRules, decision: Decision) -> None:
    assert decide(evidence, rules, NOW) is decision


@pytest.mark.parametrize(
    ("proven_at", "decision"),
    [
        (NOW - 2 * DAY, Decision.DELETE),
        (NOW - 2 * DAY + 1, Decision.NOT_DUE),
        (NOW, Decision.NOT_DUE),
        (NOW + DAY, Decision.NOT_DUE),
    ],
)
def test_an_age_counts_from_the_first_proof(proven_at: float, decision: Decision) -> None:
    rules = replace(AT_ONCE, leave_on_server=DeleteAfter(timedelta(days=2)))
    assert decide(replace(READ, proven_at=proven_at), rules, NOW) is decision


def test_what_was_not_read_is_deleted_whatever_else_is_true_never() -> None:
    wishes: tuple[LeaveOnServer, ...] = (Keep(), DeleteWhenVerified(), DeleteAfter(timedelta(0)))
    truths = product((False, True), repeat=5)
    for (is_as_copied, is_everywhere, was_retrieved, is_trusted, is_stopped), wish, proof, allowance in product(
        truths, wishes, SourceProof, (Allowance(1), TOO_MANY)
    ):
        evidence = Evidence(ReadBy.NOTHING, is_as_copied, is_everywhere, 0.0, was_retrieved)
        rules = DeletionRules(wish, proof, allowance, is_trusted, is_stopped)
        assert decide(evidence, rules, NOW) is not Decision.DELETE
