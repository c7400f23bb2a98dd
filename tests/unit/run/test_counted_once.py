"""Each row of a listing counts as one thing at a time, whatever is said of it, and in whatever order."""

from __future__ import annotations

from hypothesis import given, strategies as st

from migrator.model import MessageRow
from migrator.run.counters import RunCounters

ROWS = st.integers(1, 9_000)
SAID = st.sampled_from(["copied", "duplicate", "failed", "skipped"])


@given(st.lists(st.tuples(ROWS, SAID)))
def test_the_last_word_counts_and_the_numbers_add_up(said: list[tuple[int, str]]) -> None:
    counters, last = RunCounters("alice"), dict[int, str]()
    for row, what in said:
        last[row] = what
        match what:
            case "failed":
                counters.failed(MessageRow(row), None)
            case "skipped":
                counters.skipped(MessageRow(row), None)
            case _:
                counters.copied_message(MessageRow(row), 10, was_stored=what == "copied")
    counted = list(last.values())
    report = counters.report(0.0)
    assert (report.listed, report.known, report.remaining) == (len(last), 0, 0)
    assert (report.copied, report.duplicates) == (counted.count("copied"), counted.count("duplicate"))
    assert (report.failed, report.skipped) == (counted.count("failed"), counted.count("skipped"))
    assert {row for row in last if counters.has_failed(MessageRow(row))} == {r for r in last if last[r] == "failed"}
