"""Whatever a server does: nothing lost, nothing doubled, no hang; and a healthy server completes the job."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.rig import Rig, deleting
from tests.scenarios.pop3 import MESSAGES, SCENARIOS, Scenario
from tests.servers.pop3 import Maildrop, Pop3Server

LONGEST = 60.0
"""Seconds that any scenario may take; most take one. A dead server may have 90, a stalling one four minutes."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_or_doubled(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    maildrop = scenario.maildrop()
    with Pop3Server(maildrop, faults=scenario.faults()) as server:
        rig = deleting(Rig(tmp_path, server, timeout=scenario.timeout))
        began = time.monotonic()
        report = rig.migrate()
        assert time.monotonic() - began < LONGEST
        kinds = frozenset(str(problem.kind) for problem in report.problems)
        assert (str(report.status), kinds) == (scenario.status, scenario.kinds), report.problems
        assert server.password not in str(report.as_json())
        assert len(server.logins) <= scenario.logins
        if scenario.deleted is not None:
            assert report.deleted == scenario.deleted
        assert report.deleted <= len(server.removed) or not scenario.tells_truth
        check(rig, maildrop, scenario, missing=(*scenario.missing, *scenario.never_given))
    complete(rig, maildrop, scenario)


def check(rig: Rig, maildrop: Maildrop, scenario: Scenario, missing: tuple[int, ...]) -> None:
    """Each message stands in the archive once, byte for byte, or else is still at the source."""
    stored, left = Counter(rig.stored()), Counter(maildrop.left())
    for place, message in enumerate(MESSAGES):
        wanted = 0 if place in missing else 1
        assert stored.pop(message, 0) == wanted, f"message {place} is lost or doubled"
        if wanted == 0 and place not in scenario.never_given:
            assert left[message] == 1, f"message {place} is neither here nor there"
    assert not stored, f"the archive holds what no server meant: {stored}"


def complete(rig: Rig, maildrop: Maildrop, scenario: Scenario) -> None:
    """A run against the same maildrop on a server in good health completes the job; another one changes nothing."""
    with Pop3Server(maildrop) as server:
        rig.server = server
        rig.timeout = 8.0
        report = rig.migrate()
        assert report.status == scenario.healthy_status, report.problems
        check(rig, maildrop, scenario, missing=scenario.never_given)
        assert maildrop.left() == []
        files = rig.files()
        assert rig.migrate().status == "ok"
        assert rig.files() == files
