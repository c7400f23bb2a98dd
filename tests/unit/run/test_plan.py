from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from migrator.model import Digest, KnownMessage, MessageNumber, MessageRow, UniqueId
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, Policy
from migrator.run.plan import Column, Step, make_plan, step_for

NOW = 1_000_000.0
DAY = 86_400.0
KEEP, AT_ONCE, AFTER_A_DAY = Policy(Keep()), Policy(DeleteWhenVerified()), Policy(DeleteAfter(timedelta(days=1)))


def message(
    number: int = 1,
    *,
    octets: int = 100,
    content: int = 0,
    is_proven: bool = False,
    copied_at: float | None = None,
    failure: str = "",
    failed_at: float | None = None,
    attempts: int = 0,
    is_accepted: bool = False,
    is_kept: bool = False,
) -> KnownMessage:
    return KnownMessage(
        number=MessageNumber(number),
        unique_id=UniqueId(b"%d" % number),
        octets=octets,
        row=MessageRow(number + 1000),
        content=content,
        digest=Digest(b"d" * 32) if content else None,
        is_proven=is_proven,
        copied_at=copied_at,
        failure=failure,
        attempts=attempts,
        failed_at=failed_at,
        is_accepted=is_accepted,
        is_kept=is_kept,
    )


NEW = message()
PROVEN = message(content=7, is_proven=True, copied_at=NOW - 2 * DAY)
FRESH = message(content=7, is_proven=True, copied_at=NOW - DAY / 2)
PARTLY = message(content=7)
FAILED = message(failure="refused", failed_at=NOW - 60, attempts=1)
ACCEPTED = message(failure="refused", failed_at=NOW - 60, attempts=1, is_accepted=True)
PROVEN_ACCEPTED = message(
    content=7,
    is_proven=True,
    copied_at=NOW - 2 * DAY,
    failure="connect",
    failed_at=NOW - 60,
    attempts=1,
    is_accepted=True,
)


@pytest.mark.parametrize(
    ("known", "policy", "step"),
    [
        (NEW, KEEP, Step.RETRIEVE),
        (NEW, AT_ONCE, Step.RETRIEVE),
        (NEW, AFTER_A_DAY, Step.RETRIEVE),
        (PROVEN, KEEP, Step.KEEP),
        (PROVEN, AT_ONCE, Step.DELETE),
        (PROVEN, AFTER_A_DAY, Step.DELETE),
        (FRESH, AT_ONCE, Step.DELETE),
        (FRESH, AFTER_A_DAY, Step.KEEP),
        (PARTLY, KEEP, Step.COMPLETE),
        (PARTLY, AT_ONCE, Step.COMPLETE),
        (FAILED, KEEP, Step.RETRIEVE),
        (FAILED, replace(KEEP, has_patience=True), Step.WAIT),
        (FAILED._replace(failed_at=NOW - 899), replace(KEEP, has_patience=True), Step.WAIT),
        (FAILED._replace(failed_at=NOW - 900), replace(KEEP, has_patience=True), Step.RETRIEVE),
        (message(content=7, is_kept=True), KEEP, Step.KEEP),
        (message(content=7, is_kept=True), AT_ONCE, Step.KEEP),
        (ACCEPTED, KEEP, Step.SKIP_ACCEPTED),
        (ACCEPTED, AT_ONCE, Step.SKIP_ACCEPTED),
        (PROVEN_ACCEPTED, AT_ONCE, Step.KEEP),
        (NEW, replace(KEEP, max_octets=99), Step.SKIP_SIZE),
        (NEW, replace(KEEP, max_octets=100), Step.RETRIEVE),
        (PROVEN, replace(AT_ONCE, max_octets=99), Step.DELETE),
        (PROVEN, replace(KEEP, max_octets=99), Step.KEEP),
    ],
)
def test_each_message_has_one_step(known: KnownMessage, policy: Policy, step: Step) -> None:
    assert step_for(known, policy, NOW) is step


def test_nothing_unproven_is_ever_to_be_deleted() -> None:
    for known in (NEW, PARTLY, FAILED, ACCEPTED):
        for policy in (KEEP, AT_ONCE, AFTER_A_DAY):
            assert step_for(known, policy, NOW) is not Step.DELETE


def test_days_count_to_the_second() -> None:
    assert not AFTER_A_DAY.due(NOW - DAY + 1, NOW)
    assert AFTER_A_DAY.due(NOW - DAY, NOW)
    assert AFTER_A_DAY.next_due(NOW) == NOW + DAY
    assert KEEP.next_due(NOW) == float("inf")


def test_only_delete_when_verified_deletes_at_once() -> None:
    assert [policy.deletes_at_once for policy in (KEEP, AT_ONCE, AFTER_A_DAY)] == [False, True, False]
    assert Policy(DeleteAfter(timedelta(0))).deletes_at_once
    assert not Policy(DeleteAfter(timedelta(seconds=1))).deletes_at_once


def test_what_waits_is_known_by_name() -> None:
    plan = make_plan([FAILED, NEW], replace(KEEP, has_patience=True), NOW)
    assert ([wanted.row for wanted in plan.waiting], len(plan.retrieve)) == ([FAILED.row], 1)


def test_what_failed_before_comes_last() -> None:
    plan = make_plan([message(1, failure="refused"), message(2), message(3)], KEEP, NOW)
    assert [wanted.number for wanted in plan.retrieve] == [2, 3, 1]


def test_a_plan_announces_the_octets_of_all_that_is_to_be_done() -> None:
    due = message(3, octets=100, content=7, is_proven=True, copied_at=NOW)
    plan = make_plan([message(1, octets=1), message(2, octets=10, content=7), due, ACCEPTED], AT_ONCE, NOW)
    assert (plan.messages, plan.octets) == (3, 111)


def test_the_limit_takes_what_can_be_completed_without_the_source_first() -> None:
    messages = [message(1), message(2, content=7), message(3), message(4, content=8)]
    plan = make_plan(messages, replace(KEEP, limit=3), NOW)
    assert [wanted.number for wanted in plan.complete] == [2, 4]
    assert [wanted.number for wanted in plan.retrieve] == [1]
    assert plan.beyond_limit == 1


def test_the_limit_bounds_no_deletion() -> None:
    known = [message(number, content=7, is_proven=True, copied_at=NOW) for number in range(1, 6)]
    assert len(make_plan(known, replace(AT_ONCE, limit=0), NOW).delete) == 5


def test_what_is_left_of_a_limit_is_never_negative() -> None:
    assert replace(KEEP, limit=5).after(3).limit == 2
    assert replace(KEEP, limit=5).after(9).limit == 0
    assert KEEP.after(9).limit is None


def test_a_kept_listing_is_settled_until_the_first_message_falls_due() -> None:
    known = [message(n, content=7, is_proven=True, copied_at=NOW - n) for n in (1, 9, 5)]
    assert make_plan(known, AFTER_A_DAY, NOW).settled_until == NOW - 9 + DAY
    assert make_plan(known, KEEP, NOW).settled_until == float("inf")
    assert make_plan([PROVEN_ACCEPTED], AT_ONCE, NOW).settled_until == float("inf")


anything = st.builds(
    message,
    st.integers(1, 50),
    octets=st.integers(0, 500),
    content=st.integers(0, 3),
    is_proven=st.booleans(),
    copied_at=st.floats(0, NOW),
    failure=st.sampled_from(["", "refused", "changed"]),
    failed_at=st.none() | st.floats(NOW - 2 * DAY, NOW),
    attempts=st.integers(1, 5),
    is_accepted=st.booleans(),
)
policies = st.builds(
    Policy,
    st.sampled_from([Keep(), DeleteWhenVerified(), DeleteAfter(timedelta(hours=5))]),
    max_octets=st.none() | st.integers(0, 500),
    limit=st.none() | st.integers(0, 10),
    has_patience=st.booleans(),
)


@given(st.lists(anything, max_size=20), policies)
def test_every_message_is_in_the_plan_once(messages: list[KnownMessage], policy: Policy) -> None:
    plan = make_plan(messages, policy, NOW)
    columns = (plan.retrieve, plan.complete, plan.delete, plan.oversized, plan.waiting)
    plural = plan.known + len(plan.accepted) + plan.beyond_limit + sum(len(column) for column in columns)
    assert plural == len(messages)
    assert policy.limit is None or len(plan.retrieve) + len(plan.complete) <= policy.limit
    assert plan.messages == len(plan.retrieve) + len(plan.complete) + len(plan.delete)


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(0, 10**12)), max_size=20))
def test_a_column_gives_back_what_was_put_in(rows: list[tuple[int, int, int]]) -> None:
    column, other = Column(), Column()
    for row in rows:
        column.append(*row)
    other.extend(column)
    assert [tuple(wanted) for wanted in other] == rows
    assert other.octets == sum(octets for _, _, octets in rows)
    assert other.cut(3) == max(0, len(rows) - 3)
    assert [tuple(wanted) for wanted in other] == rows[:3]
