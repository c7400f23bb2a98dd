from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.alerting.incidents import (
    QUIET,
    AlertInputs,
    AlertRules,
    OpenIncident,
    Urgency,
    incident_changes,
    incidents,
    notification_of,
)
from jobs.disk_usage import Disk
from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Circuit
from migrator.errors import Kind

NOW = 2_000_000_000.0
HOST = "pop.example.org:995"
WELL = AccountState(first_seen=NOW - 1e8, last_worked=NOW - 60)
FAILING = replace(WELL, attempts=2, failing_since=NOW - 900, kind="connect", host=HOST, message="cannot connect")


def wrong(state: AccountState, *, interval: float = 900.0, rules: AlertRules | None = None) -> list[str]:
    inputs = AlertInputs({"ann": state}, {"ann": interval}, {"ann": frozenset({HOST})})
    return list(incidents(inputs, [], now=NOW, rules=rules or AlertRules()))


@pytest.mark.parametrize(
    ("state", "keys"),
    [
        (WELL, []),
        (replace(FAILING, attempts=1), []),
        (FAILING, ["account:ann:failing"]),
        (replace(FAILING, attempts=1, kind="disk-full"), ["account:ann:failing"]),
        (replace(FAILING, attempts=1, kind="archive"), ["account:ann:failing"]),
        (replace(FAILING, attempts=9, kind="in-use"), []),
        (replace(FAILING, attempts=9, kind="locked"), []),
        (replace(FAILING, attempts=9, kind="in-use", last_worked=NOW - 90_000), ["account:ann:silent"]),
        (replace(FAILING, attempts=1, kind="auth", parked="hash"), ["account:ann:parked"]),
        (replace(WELL, last_worked=NOW - 86_399), []),
        (replace(WELL, last_worked=NOW - 86_401), ["account:ann:silent"]),
        (AccountState(first_seen=NOW - 100), []),
        (replace(WELL, partial_since=NOW - 3600), []),
        (replace(WELL, partial_since=NOW - 90_000), ["account:ann:partial"]),
    ],
)
def test_what_is_an_incident(state: AccountState, keys: list[str]) -> None:
    assert wrong(state) == keys


def test_silence_is_measured_in_rounds_where_these_are_long() -> None:
    state = replace(WELL, last_worked=NOW - 5 * 86_400)
    assert wrong(state, interval=7 * 86_400) == []
    assert wrong(replace(state, last_worked=NOW - 15 * 86_400), interval=7 * 86_400) == ["account:ann:silent"]


def crowd(count: int, failures: int) -> AlertInputs:
    names = [f"user{number}" for number in range(count)]
    return AlertInputs(
        dict.fromkeys(names, FAILING),
        dict.fromkeys(names, 900.0),
        dict.fromkeys(names, frozenset({HOST})),
        {HOST: Circuit(failures, NOW + 60, NOW - 600, "cannot connect")},
    )


def test_many_accounts_of_one_dead_host_are_one_incident() -> None:
    assert list(incidents(crowd(50, 9), [], now=NOW, rules=AlertRules())) == [f"host:{HOST}"]


def test_a_host_is_not_called_dead_before_it_was_asked_again() -> None:
    assert list(incidents(crowd(50, 3), [], now=NOW, rules=AlertRules())) == []


def test_few_accounts_are_told_by_name() -> None:
    assert list(incidents(crowd(2, 9), [], now=NOW, rules=AlertRules())) == [
        "account:user0:failing",
        "account:user1:failing",
    ]


def test_what_was_told_by_name_stays_open_when_the_whole_host_goes() -> None:
    found = incidents(crowd(50, 9), ["account:user7:failing"], now=NOW, rules=AlertRules())
    assert set(found) == {f"host:{HOST}", "account:user7:failing"}


def test_disks_archives_and_configurations_are_told_too() -> None:
    disk = Disk("/archive", 10, 100, 20)
    inputs = AlertInputs({}, {}, {}, disks=[disk, replace(disk, path="/", free=50)], damaged={"mbox:/archive": 2})
    found = incidents(replace(inputs, config_problem="unknown key"), [], now=NOW, rules=AlertRules())
    assert set(found) == {"disk:/archive", "damage:mbox:/archive", "configuration"}
    assert found["damage:mbox:/archive"].urgency is Urgency.URGENT


def test_an_incident_is_told_once_and_its_end_once() -> None:
    now, before = NOW, dict[str, OpenIncident]()
    told: list[tuple[int, int]] = []
    wrong_now = incidents(crowd(2, 9), [], now=NOW, rules=AlertRules())
    for is_wrong in (True, True, True, False, False):
        found = incident_changes(wrong_now if is_wrong else {}, before, now)
        told.append((len(found.opened), len(found.recovered)))
        before, now = dict(found.remembered), now + 60
    assert told == [(2, 0), (0, 0), (0, 0), (0, 2), (0, 0)]


def test_what_comes_and_goes_is_told_again_only_after_a_while() -> None:
    wrong_now = incidents(crowd(2, 9), [], now=NOW, rules=AlertRules())
    first = incident_changes(wrong_now, {}, NOW)
    over = incident_changes({}, first.remembered, NOW + 60)
    again = incident_changes(wrong_now, over.remembered, NOW + 120)
    assert again.is_empty
    gone_again = incident_changes({}, again.remembered, NOW + 180)
    assert gone_again.is_empty
    lasting = incident_changes(wrong_now, again.remembered, NOW + QUIET + 60)
    assert len(lasting.opened) == 2


def test_a_failure_that_becomes_a_refused_password_has_not_recovered() -> None:
    failing = incidents(AlertInputs({"ann": FAILING}, {}, {}), [], now=NOW, rules=AlertRules())
    first = incident_changes(failing, {}, NOW)
    parked = incidents(
        AlertInputs({"ann": replace(FAILING, kind="auth", parked="x")}, {}, {}), [], now=NOW, rules=AlertRules()
    )
    second = incident_changes(parked, first.remembered, NOW + 60)
    assert [incident.key for incident in second.opened] == ["account:ann:parked"]
    assert second.recovered == ()


def test_incidents_are_remembered_as_they_were() -> None:
    incident = OpenIncident("title", 1.0, 2.0, 3.0, 4.0)
    assert OpenIncident.from_fact(incident.as_fact()) == incident


def test_a_message_names_the_worst_first_and_what_to_do() -> None:
    inputs = AlertInputs({"ann": FAILING}, {}, {}, disks=[Disk("/archive", 10, 100, 20)])
    found = incident_changes(incidents(inputs, [], now=NOW, rules=AlertRules()), {}, NOW)
    notification = notification_of(found, NOW)
    assert notification.title == "the disk of /archive is nearly full (and 1 more)"
    assert "What to do: make room" in notification.body
    assert notification.body.index("nearly full") < notification.body.index("ann: mail is not being archived")
    assert "cannot connect" in notification.body


def test_every_kind_of_failure_reaches_a_person_in_the_end() -> None:
    for kind in Kind:
        state = replace(FAILING, kind=str(kind), attempts=50, last_worked=NOW - 2 * 86_400)
        assert wrong(state), kind
