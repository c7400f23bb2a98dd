"""The event streams over real HTTP: what is told to whom, for how long, and how many may listen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from jobs.schedule.live_progress import RunProgress
from jobs.web.live.streams import MOST, MOST_OF_USER
from jobs.web.people import Role
from tests.browser import Browser
from tests.unit.jobs.web.live.stream import Stream
from tests.unit.jobs.web.office import Office, office

RUNNING = RunProgress(time.time(), 1_200, 5_000_000, 5_000, 20_000_000, 1_000_000.0, 15.0)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def address_in(browser: Browser, path: str) -> str:
    """Return where the script of a page listens."""
    found = re.search(r'data-events="([^"]+)" data-since="([^"]*)"', browser.get(path).text)
    assert found
    address = unescape(found[1])
    return f"{address}{'&' if '?' in address else '?'}since={found[2]}"


def test_the_overview_is_told_as_it_changes_in_the_words_of_the_page(here: Office) -> None:
    browser = here.signed_in()
    with Stream(browser) as stream:
        assert stream.answer.status == 200
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        first = stream.event()
        assert first is not None
        page = browser.get("/").text
        for place in ("light", "row-alice", "row-bob"):
            assert first.parts[place].strip() in page
        here.running["alice"] = RUNNING
        told = stream.until("row-alice", "1,200 of 5,000")
        assert "row-bob" not in told.parts  # it has not changed
        here.running["alice"] = replace(RUNNING, messages=1_300)
        assert set(stream.until("row-alice", "1,300 of 5,000").parts) == {"row-alice"}
        here.running.clear()
        assert "no run so far" in stream.until("row-alice", "no run").parts["row-alice"]


def test_a_mailbox_tells_how_far_its_run_is_and_what_came_of_it(here: Office) -> None:
    browser = here.signed_in()
    with Stream(browser, "/events?account=alice") as stream:
        stream.until("moving", 'data-state="resting"')
        here.running["alice"] = RUNNING
        part = stream.until("moving", 'data-state="running"').parts["moving"]
        for words in ("1,200 of 5,000", "5.0 MB of 20 MB", "1.0 MB a second", "about 15 s", "20 % done"):
            assert words in part
        here.running["alice"] = replace(RUNNING, is_stopping=True)
        stream.until("moving", 'data-state="stopping"')
        here.running.clear()
        number = here.ledger.history.run_started("alice", 10.0)
        assert number
        assert {"moving", "runs"} <= set(stream.until("moving", 'data-state="resting"').parts)


def test_what_a_page_shows_is_not_told_again_and_who_comes_back_hears_the_rest(here: Office) -> None:
    browser = here.signed_in()
    with Stream(browser) as first:
        event = first.event()
        assert event is not None
        with Stream(browser, address_in(browser, "/")) as second:
            here.running["bob"] = RUNNING
            told = second.event()
            assert told is not None
            assert set(told.parts) == {"row-bob"}
        here.running["alice"] = RUNNING
        first.until("row-alice", "1,200")
        with Stream(browser, **{"Last-Event-ID": told.id}) as again:
            back = again.event()
            assert back is not None
            assert set(back.parts) == {"row-alice"}
        with Stream(browser, "/events?since=other-5") as foreign:  # the worker was restarted meanwhile
            everything = foreign.event()
            assert everything is not None
            assert {"light", "row-alice", "row-bob"} <= set(everything.parts)


def test_another_finding_or_mailbox_is_another_page(here: Office) -> None:
    browser = here.signed_in()
    mark = re.search(r'<span id="(as-of-\w+)" hidden>', browser.get("/").text)
    assert mark
    with Stream(browser) as stream:
        event = stream.event()
        assert event is not None
        assert mark[1] in event.parts


def test_a_reader_is_told_of_the_own_mailboxes_and_of_no_other(here: Office) -> None:
    rita = here.signed_in("rita", Role.READER, "alice")
    assert rita.get("/events?account=bob").status == rita.get("/events?account=nobody").status == 404
    with Stream(rita) as stream, Stream(here.signed_in(), "/events?account=bob") as other:
        event = stream.event()
        assert event is not None
        here.running["bob"] = RUNNING
        other.until("moving", "running")
        here.running["alice"] = RUNNING
        told = stream.until("row-alice", "1,200")
        assert "bob" not in f"{event}{told}"


def test_a_stranger_is_sent_to_the_sign_in(here: Office) -> None:
    here.add("ann")
    answer = here.browser().get("/events")
    assert (answer.status, answer.location) == (303, "/sign-in?next=%2Fevents")


@pytest.mark.parametrize("change", ["removed", "another role", "signed out"])
def test_who_may_not_look_any_more_hears_nothing_more(here: Office, change: str) -> None:
    rita = here.signed_in("rita", Role.READER, "alice")
    with Stream(rita) as stream, Stream(here.signed_in()) as other:
        assert stream.event() is not None
        if change == "signed out":
            assert rita.send(rita.get("/").form("/sign-out")).status == 303
        else:
            here.site.store.remove("rita")
        if change == "another role":
            here.add("rita", Role.READER, "bob")
        here.running["alice"] = RUNNING
        other.until("row-alice", "1,200")
        assert stream.event() is None


def test_a_page_that_stays_open_does_not_keep_its_session(here: Office) -> None:
    browser = here.signed_in()
    [secret] = browser.cookies.values()
    now = time.time()
    store = here.site.store
    assert store.session(secret, now + 5 * 3600, is_use=False) is not None
    assert store.session(secret, now + 9 * 3600, is_use=False) is None
    assert store.session(secret, now + 5 * 3600) is not None
    assert store.session(secret, now + 9 * 3600) is not None  # it was used meanwhile


def test_a_page_that_its_script_renews_does_not_keep_its_session_either(here: Office) -> None:
    browser = here.signed_in()

    def seen_at() -> float:
        return float(here.site.store.rows("select seen_at from sessions")[0][0])

    with here.site.store.transaction() as sql:
        sql.execute("update sessions set seen_at = seen_at - 3600")
    before = seen_at()
    assert "Mailboxes" in browser.get("/", {"X-Asked-By": "script"}).text
    assert seen_at() == before
    browser.get("/")
    assert seen_at() > before


def test_a_hundred_open_pages_are_served_and_the_next_is_told_to_come_later(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with office(tmp_path) as here:
            users = [here.signed_in(f"user{number}") for number in range(MOST // MOST_OF_USER)]
            streams = [stack.enter_context(Stream(user)) for user in users for _ in range(MOST_OF_USER)]
            assert len(streams) == MOST == 100
            assert all(stream.event() for stream in streams)
            for path in ("/", "/accounts/alice", "/needs-a-look"):
                assert users[0].get(path).status == 200
            refused = here.signed_in("late").get("/events")
            assert (refused.status, refused.headers["retry-after"]) == (503, "60")
            here.running["alice"] = RUNNING
            assert all(stream.until("row-alice", "1,200") for stream in streams)
            streams.pop().close()
            while here.site.streams.count == MOST:
                here.running["alice"] = replace(RUNNING, messages=len(users[1].get("/").body))  # a dead line is noticed
            with Stream(here.signed_in("late")) as stream:
                assert stream.event()
        assert not here.page.is_alive()
        for stream in streams:
            stream.rest()  # the worker has ended, and so has each of them
            assert stream.event() is None


def test_one_user_does_not_take_the_places_of_all(here: Office) -> None:
    ann, bob = here.signed_in("ann"), here.signed_in("bob")
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(ann)) for _ in range(MOST_OF_USER)]
        assert {stream.answer.status for stream in streams} == {200}
        assert ann.get("/events").status == 503
        assert stack.enter_context(Stream(bob)).answer.status == 200
