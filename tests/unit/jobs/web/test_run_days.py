"""The strip of the last thirty days: what each day is, and that the ledger is read no more often than needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from jobs.web.run_days import DAYS, DayState, RunDays, Strip, drawn, local_day, paths, strip_of
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.report import StoppedBy
from migrator.run.counters import RunCounters

TODAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "state")) as opened:
        yield opened


def run(ledger: Ledger, account: str, ago: float, how: str = "ok") -> int:
    began = NOON - ago * DAY
    number = ledger.history.run_started(account, began)
    counters = RunCounters(account)
    if how == "failed":
        counters.problem(FerryError(Kind.CONNECT, "away"))
    if how in {"person", "system"}:
        counters.interrupted(StoppedBy(how))
    if how == "partial":
        counters.settled(1)
        counters.problem(FerryError(Kind.QUOTA, "full"))
    if how != "going on":
        ledger.history.run_ended(number, counters.report(1.0), began + 1)
    return number


def shown(days: RunDays, ledger: Ledger, account: str) -> str:
    letters = {DayState.WELL: "w", DayState.FAILED: "F", DayState.NONE: "."}
    return "".join(letters[state] for state in days.strips(ledger)(account).days)


def test_a_day_is_what_its_runs_were(ledger: Ledger) -> None:
    for ago, how in [
        (6, "ok"),
        (5, "failed"),
        (4, "partial"),
        (3, "person"),
        (2, "system"),
        (1, "going on"),
        (0, "ok"),
    ]:
        run(ledger, "ann", ago, how)
    days = RunDays(lambda: NOON)
    assert shown(days, ledger, "ann") == "." * (DAYS - 7) + "wFF...w"
    assert shown(days, ledger, "bob") == "." * DAYS


def test_one_failure_among_many_runs_that_went_well_is_seen(ledger: Ledger) -> None:
    for how in ("ok", "failed", "ok"):
        run(ledger, "ann", 0, how)
    assert shown(RunDays(lambda: NOON), ledger, "ann")[-1] == "F"


def test_what_happens_later_is_added_and_what_goes_on_is_looked_at_again(ledger: Ledger) -> None:
    days = RunDays(lambda: NOON)
    number = run(ledger, "ann", 0, "going on")
    run(ledger, "bob", 0)
    assert (shown(days, ledger, "ann")[-1], shown(days, ledger, "bob")[-1]) == (".", "w")
    counters = RunCounters("ann")
    counters.problem(FerryError(Kind.CONNECT, "away"))
    ledger.history.run_ended(number, counters.report(1.0), NOON + 5)
    run(ledger, "bob", 0, "failed")
    assert (shown(days, ledger, "ann")[-1], shown(days, ledger, "bob")[-1]) == ("F", "F")


def test_a_killed_run_is_no_failure_and_the_one_after_it_counts(ledger: Ledger) -> None:
    days = RunDays(lambda: NOON)
    run(ledger, "ann", 0, "going on")
    assert shown(days, ledger, "ann")[-1] == "."
    run(ledger, "ann", 0)
    assert shown(days, ledger, "ann")[-1] == "w"


def test_days_move_on_and_what_is_older_is_forgotten(ledger: Ledger) -> None:
    now = [NOON]
    days = RunDays(lambda: now[0])
    run(ledger, "ann", DAYS, "failed")
    run(ledger, "ann", DAYS - 1, "failed")
    assert shown(days, ledger, "ann") == "F" + "." * (DAYS - 1)
    now[0] += DAY
    assert shown(days, ledger, "ann") == "." * DAYS


def test_only_new_runs_are_read_from_the_ledger(ledger: Ledger) -> None:
    numbers = [run(ledger, "ann", 400 - step) for step in range(360)] + [run(ledger, "ann", 20), run(ledger, "ann", 0)]
    since = NOON - 29 * DAY
    assert [row[0] for row in ledger.overview.runs_since(since)] == numbers[-2:]
    assert [row[0] for row in ledger.overview.runs_since(since, numbers[-2])] == numbers[-1:]
    assert [row[0] for row in ledger.overview.runs_since(since, numbers[-1], [numbers[0]])] == [numbers[0]]


def test_an_empty_ledger_has_no_runs(ledger: Ledger) -> None:
    assert ledger.overview.runs_since(0.0) == []


def strip(*states: DayState) -> Strip:
    return Strip(TODAY, states)


def test_the_drawing_has_one_line_for_each_state_and_a_dash_for_each_day() -> None:
    well, failed, none = DayState.WELL, DayState.FAILED, DayState.NONE
    assert paths((well, well, failed, none, well)) == {"well": "M0 7h10M24 7h4", "failed": "M12 7h4", "none": "M18 7h4"}
    everything = strip_of({TODAY - timedelta(days=back): False for back in range(60)}, TODAY)
    assert f'<path class="well" d="M0 7h{DAYS * 6 - 2}"/></svg>' in drawn(everything)
    assert f'viewBox="0 0 {DAYS * 6} 14"' in drawn(everything)
    assert f"<title>{everything.words}</title>" in drawn(everything)


def test_the_words_say_what_the_drawing_shows() -> None:
    well, failed, none = DayState.WELL, DayState.FAILED, DayState.NONE
    assert strip(none, none).words == "Last 2 days: no run"
    assert strip(well, none).words == "Last 2 days: well 1, no run 1"
    said = strip(failed, well, failed, well).words
    assert said == "Last 4 days: well 2, something failed 2 (last: 29 November 2026), no run 0"


def test_a_day_is_that_of_this_machine() -> None:
    moment = datetime(2026, 3, 29, 0, 30).astimezone()
    assert local_day(moment.timestamp()) == date(2026, 3, 29)
