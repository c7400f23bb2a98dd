"""The rows of the overview: written once, and again when anything of them is another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.web.language import ENGLISH, speaking
from jobs.web.languages import shipped_languages
from jobs.web.live import rows as written
from jobs.web.live.rows import Rows
from jobs.web.standing import Standing
from migrator.ledger.history import AccountNumbers
from migrator.operations.status import WorkerView

ONE = Standing("alice", AccountNumbers(5, 4, 1, 0, 0, 4_000, None), None, 50.0, 100.0, WorkerView(), None, False)


def test_a_row_is_written_once_and_again_when_it_changes() -> None:
    rows = Rows()
    first = rows.html(ONE, 10.0)
    assert rows.html(replace(ONE), 20.0) is first
    numbers = AccountNumbers(5_000, 4, 1, 0, 0, 4_000, None)
    assert "5,000" in rows.html(replace(ONE, numbers=numbers), 20.0)
    assert "5,000" not in rows.html(ONE, 20.0)


def test_a_run_becomes_due_without_any_other_change() -> None:
    rows = Rows()
    assert "due" not in rows.html(ONE, 99.0)
    assert "due" in rows.html(ONE, 100.0)


def test_each_language_has_rows_of_its_own() -> None:
    rows, [german] = Rows(), [one for one in shipped_languages() if one.tag == "de"]
    with speaking(ENGLISH):
        english = rows.html(ONE, 10.0)
    with speaking(german):
        assert rows.html(ONE, 10.0) != english
    with speaking(ENGLISH):
        assert rows.html(ONE, 10.0) is english


def test_no_more_rows_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MOST_KEPT", 3)
    rows = Rows()
    first, *others = (rows.html(replace(ONE, name=f"user{number}"), 10.0) for number in range(5))
    assert rows.html(replace(ONE, name="user4"), 10.0) is others[-1]
    again = rows.html(replace(ONE, name="user0"), 10.0)
    assert again == first
    assert again is not first
