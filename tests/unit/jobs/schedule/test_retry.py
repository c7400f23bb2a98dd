from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from jobs.schedule.retry import (
    Park,
    Retry,
    RunOutcome,
    Scheduled,
    crashed,
    next_attempt,
    outcome_of,
)
from migrator.backoff import ACCOUNT, DAY, HOUR, MINUTE
from migrator.errors import Advice, DefectError, Endpoint, FerryError, Kind, Scope
from migrator.report import AccountReport, ForSchedule, Status

NOON = 1.0 - 1e-9


def failure(kind: Kind, wait: float | None = None, advice: Advice | None = None) -> RunOutcome:
    error = FerryError(kind, "no", wait=wait, advice=advice)
    return RunOutcome(Status.FAILED, kind, error.scope, error.advice, "no", wait, "pop.example.org:995")


@pytest.mark.parametrize(
    ("outcome", "attempts", "decision"),
    [
        (RunOutcome(Status.OK), 0, Scheduled(0.0)),
        (RunOutcome(Status.PARTIAL, Kind.REFUSED, Scope.MESSAGE), 0, Scheduled(0.0)),
        (failure(Kind.CONNECT), 1, Retry(MINUTE)),
        (failure(Kind.CONNECT), 2, Retry(2 * MINUTE)),
        (failure(Kind.CONNECT), 3, Retry(4 * MINUTE)),
        (failure(Kind.CONNECT), 99, Retry(HOUR)),
        (failure(Kind.TEMPORARY), 1, Retry(5 * MINUTE)),
        (failure(Kind.TEMPORARY), 99, Retry(2 * HOUR)),
        (failure(Kind.TEMPORARY, wait=30.0), 1, Retry(5 * MINUTE)),
        (failure(Kind.TEMPORARY, wait=HOUR), 1, Retry(HOUR)),
        (failure(Kind.TEMPORARY, wait=9 * DAY), 1, Retry(DAY)),
        (failure(Kind.LOGIN_DELAY, wait=30.0), 1, Retry(30.0)),
        (failure(Kind.LOGIN_DELAY, wait=600.0), 7, Retry(600.0)),
        (failure(Kind.TLS), 1, Retry(HOUR)),
        (failure(Kind.TLS), 99, Retry(6 * HOUR)),
        (failure(Kind.ARCHIVE), 1, Retry(HOUR)),
        (failure(Kind.AUTH), 1, Park(0.0)),
        (failure(Kind.AUTH), 2, Park(2 * HOUR)),
        (failure(Kind.AUTH, advice=Advice.LATER), 1, Retry(5 * MINUTE)),
    ],
)
def test_each_outcome_has_its_decision(outcome: RunOutcome, attempts: int, decision: object) -> None:
    decided = next_attempt(outcome, attempts, NOON)
    match decided, decision:
        case Retry(after), Retry(expected):
            assert after == pytest.approx(expected)
        case Park(after), Park(expected):
            assert after == pytest.approx(expected)
        case _:
            assert decided == decision


@pytest.mark.parametrize(
    ("outcome", "decision"),
    [
        (RunOutcome(Status.OK), Scheduled(600.0)),
        (failure(Kind.CONNECT), Retry(600.0)),
        (failure(Kind.LOGIN_DELAY, wait=30.0), Retry(30.0)),  # its last word counts
    ],
)
def test_nobody_comes_sooner_than_the_server_is_known_to_want(outcome: RunOutcome, decision: object) -> None:
    assert next_attempt(outcome, 1, NOON, least_gap=600.0) == decision


@given(
    kind=st.sampled_from(Kind),
    attempts=st.integers(1, 10**6),
    jitter=st.floats(0, 1, exclude_max=True),
    wait=st.none() | st.floats(0, 10**9),
)
def test_no_failure_is_tried_in_a_tight_loop_or_forgotten(
    kind: Kind, attempts: int, jitter: float, wait: float | None
) -> None:
    match next_attempt(failure(kind, wait), attempts, jitter):
        case Retry(after):
            assert after <= DAY
            assert after >= (wait or 0.0 if kind is Kind.LOGIN_DELAY else MINUTE * 2 / 3) or after == DAY
        case Park():
            assert kind is Kind.AUTH
        case Scheduled():
            # What concerns single messages only; a FAILED run always has its back-off.
            pytest.fail("a failed run was taken for a good one")


@pytest.mark.parametrize("advice", Advice)
def test_back_off_spreads_over_the_last_third(advice: Advice) -> None:
    outcome = RunOutcome(Status.FAILED, Kind.PROTOCOL, Scope.SESSION, advice)
    waits = [next_attempt(outcome, 1, jitter / 100) for jitter in range(100)]
    seconds = [wait.after for wait in waits if isinstance(wait, Retry)]
    assert min(seconds) == pytest.approx(ACCOUNT[advice].first * 2 / 3)
    assert max(seconds) < ACCOUNT[advice].first <= ACCOUNT[advice].longest
    assert len(set(seconds)) == 100


def test_only_trouble_of_the_line_is_an_outage_of_the_host() -> None:
    outages = {kind for kind in Kind if failure(kind).is_outage}
    assert outages == {Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.TEMPORARY}


def test_a_report_tells_the_schedule_what_it_needs() -> None:
    error = FerryError(Kind.TEMPORARY, "busy", server_words="try later", wait=120.0)
    report = AccountReport(
        "alice", Status.FAILED, for_schedule=ForSchedule(error.blame(Endpoint("Pop.example.org", 995)), 900.0)
    )
    outcome = outcome_of(report)
    assert (outcome.host, outcome.announced_gap) == ("pop.example.org:995", 900.0)
    assert (outcome.kind, outcome.scope, outcome.wait) == (Kind.TEMPORARY, Scope.ACCOUNT, 120.0)
    assert outcome.message == 'busy (the server said: "try later")'
    assert outcome.is_failure


def test_an_unexpected_exception_is_told_by_its_type_only() -> None:
    outcome = crashed(DefectError(KeyError("hunter2")))
    assert outcome.kind is Kind.INTERNAL
    assert outcome.is_failure
    assert "hunter2" not in outcome.message


REFUSED = RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, "no")


@pytest.mark.parametrize(
    ("outcome", "refusals", "decision"),
    [
        (REFUSED, None, Park(0.0)),  # it never worked
        (REFUSED, 1, Retry(15 * MINUTE)),
        (REFUSED, 2, Retry(60 * MINUTE)),
        (REFUSED, 3, Retry(360 * MINUTE)),
        (REFUSED, 4, Park(0.0)),
        (replace(REFUSED, names_credentials=True), 1, Park(0.0)),
        (replace(REFUSED, finding="sign-in-needed"), 1, Park(0.0)),  # it was renewed already
    ],
)
def test_a_password_that_has_worked_is_tried_some_more(
    outcome: RunOutcome, refusals: int | None, decision: object
) -> None:
    assert next_attempt(outcome, 1, NOON, refusals=refusals) == decision


def test_a_password_that_cannot_be_had_is_no_refused_one_and_looked_for_in_every_round() -> None:
    missing = replace(REFUSED, finding="secret-missing")
    assert not missing.is_refused
    assert next_attempt(missing, 7, NOON) == Scheduled(0.0)


@pytest.mark.parametrize(
    ("words", "is_named"),
    [("[AUTH] no", True), ("[AUTHENTICATIONFAILED] no", True), ("Logon failure", False), ("not [AUTH]", False)],
)
def test_a_response_code_names_the_credentials(words: str, is_named: bool) -> None:
    error = FerryError(Kind.AUTH, "refused", server_words=words, finding="auth-refused")
    outcome = outcome_of(AccountReport("alice", Status.FAILED, for_schedule=ForSchedule(error)))
    assert (outcome.names_credentials, outcome.finding) == (is_named, "auth-refused")
