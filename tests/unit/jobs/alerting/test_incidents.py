from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.alerting.incidents import (
    OF_A_LINE,
    QUIET,
    AlertRules,
    IncidentChanges,
    OpenIncident,
    incident_changes,
    is_to_be_reported,
    notification_of,
)
from migrator.backoff import DAY, HOUR
from migrator.findings.catalogue import ENTRIES
from migrator.findings.model import Cure, Finding, Severity

NOW = 2_000_000_000.0
RULES = AlertRules()
CURE = Cure("plug it in", ("mailferry", "check", "ann"))
DEAD = Finding(
    "host-unreachable", Severity.BROKEN, "pop:995", ("ann",), None, "cannot connect to pop:995", NOW - 900, CURE, 2
)
FULL = Finding("disk-full", Severity.BROKEN, "/archive", (), None, "the disk is full", NOW, Cure("make room"))
ASIDE = Finding("message-refused", Severity.SOON, "ann", ("ann",), None, "2 messages are set aside", NOW, CURE)


def changes(*found: Finding, before: IncidentChanges | None = None, now: float = NOW) -> IncidentChanges:
    return incident_changes(found, before.remembered if before else {}, now, RULES)


@pytest.mark.parametrize(
    ("finding", "lasted", "is_reported"),
    [
        (DEAD, 0.0, True),
        (replace(DEAD, tries=1), 9 * DAY, False),
        (replace(DEAD, id="auth-refused", tries=1), 0.0, False),
        (replace(DEAD, id="auth-refused", tries=2), 0.0, True),
        (FULL, 0.0, True),
        (ASIDE, DAY - 1, False),
        (ASIDE, DAY, True),
        (replace(ASIDE, id="disk-low"), 0.0, True),
        (replace(FULL, id="not-everywhere"), HOUR - 1, False),
        (replace(FULL, id="not-everywhere"), HOUR, True),
        (replace(ASIDE, severity=Severity.HINT), 9 * DAY, False),
    ],
)
def test_when_a_person_hears_of_a_finding(finding: Finding, lasted: float, is_reported: bool) -> None:
    assert is_to_be_reported(finding, lasted, RULES) is is_reported


def test_everything_that_needs_a_person_reaches_one_in_the_end() -> None:
    for entry in ENTRIES:
        finding = replace(ASIDE, id=entry.id, severity=entry.severity, tries=9)
        assert is_to_be_reported(finding, 9 * DAY, RULES) is (entry.severity is not Severity.HINT)
    assert {entry.id for entry in ENTRIES} >= OF_A_LINE


def test_a_finding_is_told_once_and_its_end_once() -> None:
    known = IncidentChanges((), (), {})
    told: list[tuple[int, int]] = []
    for minute, is_wrong in enumerate((True, True, True, False, False)):
        known = changes(*([DEAD, FULL] if is_wrong else []), before=known, now=NOW + 60 * minute)
        told.append((len(known.opened), len(known.recovered)))
    assert told == [(2, 0), (0, 0), (0, 0), (0, 2), (0, 0)]


def test_a_small_thing_is_told_once_it_has_lasted_although_it_has_no_beginning() -> None:
    first = changes(ASIDE)
    assert first.is_empty
    later = changes(replace(ASIDE, since=NOW + DAY), before=first, now=NOW + DAY)
    assert later.opened == (replace(ASIDE, since=NOW + DAY),)


def test_what_nobody_has_heard_of_is_not_called_over() -> None:
    assert changes(before=changes(ASIDE), now=NOW + 60).is_empty


def test_what_comes_and_goes_is_told_again_only_after_a_while() -> None:
    first = changes(DEAD)
    over = changes(before=first, now=NOW + 60)
    again = changes(DEAD, before=over, now=NOW + 120)
    assert again.is_empty
    assert changes(before=again, now=NOW + 180).is_empty
    assert len(changes(DEAD, before=again, now=NOW + QUIET + 60).opened) == 1


def test_an_account_with_another_trouble_has_not_recovered() -> None:
    first = changes(DEAD)
    second = changes(replace(DEAD, id="auth-refused", cause="ann"), before=first, now=NOW + 60)
    assert [finding.id for finding in second.opened] == ["auth-refused"]
    assert second.recovered == ()


def test_incidents_are_remembered_as_they_were() -> None:
    incident = OpenIncident("title", 1.0, 2.0, 3.0, 4.0, ("ann", "bob"))
    assert OpenIncident.from_fact({**incident.as_fact(), "accounts": ["ann", "bob"]}) == incident
    assert OpenIncident.from_fact({"title": "title", "opened_at": 1.0}) == OpenIncident("title", 1.0)


def test_a_message_has_the_words_of_the_findings_and_what_to_do() -> None:
    notification = notification_of(changes(FULL, DEAD), NOW)
    assert notification.title == "the disk is full (and 1 more)"
    assert notification.body.startswith("the disk is full\nWhat to do: make room.\n\nann: cannot connect to pop:995\n")
    assert "Since: 2033-05-18" in notification.body
    assert "  mailferry check ann\nSee: mailferry status ann\n" in notification.body


def test_what_is_over_says_how_long_it_was() -> None:
    over = changes(before=changes(DEAD), now=NOW + 600)
    notification = notification_of(over, NOW + 600)
    assert notification.title == "resolved: ann: cannot connect to pop:995"
    assert notification.body.startswith("Resolved after 10 min: ann: cannot connect to pop:995\nIt began at 2033-05-18")
