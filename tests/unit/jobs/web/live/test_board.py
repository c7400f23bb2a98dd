"""The parts of a page: made only when something has changed, and told only to who does not know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.web.live.board import SELDOM, Board


@dataclass
class Page:
    """A source that counts how often it is asked, on a clock of its own."""

    parts: dict[str, str] = field(default_factory=lambda: {"light": "good", "row-a": "resting"})
    runs: dict[str, str] = field(default_factory=dict)
    version: int = 1
    made: int = 0
    now: float = 0.0
    takes: float = 0.0

    def seen(self) -> object:
        return self.version

    def whole(self) -> Mapping[str, str]:
        self.made += 1
        self.now += self.takes
        return dict(self.parts)

    def moving(self) -> Mapping[str, str]:
        return dict(self.runs)


def board(page: Page) -> Board:
    return Board(page, lambda: page.now)


def test_who_comes_first_is_told_everything_and_later_what_has_changed() -> None:
    page = Page()
    one = board(page)
    assert one.refresh(1)
    assert dict(one.since(0)) == page.parts
    assert not one.refresh(2)
    assert one.since(1) == []
    page.parts["light"], page.version = "bad", 2
    assert one.refresh(3)
    assert one.since(2) == [("light", "bad")]
    assert one.since(3) == []
    assert dict(one.since(0)) == page.parts


def test_what_many_are_told_is_written_once_and_again_after_a_change() -> None:
    page = Page()
    one = board(page)
    one.refresh(1)
    first = one.told(0)
    assert dict(json.loads(first)) == page.parts
    assert one.told(0) is first
    assert one.told(1) == b""
    page.parts["light"], page.version = "bad", 2
    one.refresh(2)
    assert json.loads(one.told(1)) == [["light", "bad"]]
    assert dict(json.loads(one.told(0))) == page.parts


def test_all_parts_are_made_only_when_something_is_seen_to_have_changed() -> None:
    page = Page()
    one = board(page)
    for number in range(1, 6):
        one.refresh(number)
    assert page.made == 1
    page.version = 2
    assert not one.refresh(6)  # made again, and found the same
    assert page.made == 2


def test_progress_is_told_without_making_all_parts_again() -> None:
    page = Page()
    one = board(page)
    one.refresh(1)
    page.runs = {"row-a": "1 of 3"}
    assert one.refresh(2)
    assert one.since(1) == [("row-a", "1 of 3")]
    assert not one.refresh(3)
    assert page.made == 1


def test_a_run_that_begins_and_ends_while_the_page_rests_leaves_no_trace() -> None:
    page = Page(takes=1.0)
    one = board(page)
    one.refresh(1)
    page.runs = {"row-a": "1 of 3"}
    assert one.refresh(2)
    page.runs = {}
    assert not one.refresh(3)
    page.now = SELDOM + 0.5
    assert one.refresh(4)  # what is seen is what it was before the run
    assert one.since(3) == [("row-a", "resting")]


def test_a_part_that_is_gone_is_told_no_more() -> None:
    page = Page()
    one = board(page)
    one.refresh(1)
    del page.parts["row-a"]
    page.version = 2
    assert not one.refresh(2)
    assert dict(one.since(0)) == {"light": "good"}


def test_making_all_parts_takes_a_small_part_of_the_time() -> None:
    page = Page(takes=1.0)
    one = board(page)
    one.refresh(1)
    page.version, page.now = 2, SELDOM - 0.5
    assert not one.refresh(2)
    assert page.made == 1
    page.parts["light"], page.now = "bad", SELDOM + 0.5
    assert one.refresh(3)  # nothing is lost by waiting
    assert (page.made, one.since(2)) == (2, [("light", "bad")])
