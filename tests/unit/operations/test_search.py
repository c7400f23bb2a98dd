from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import date

import pytest

from migrator.errors import ConfigError
from migrator.ledger import Ledger
from migrator.operations import search as search_module
from migrator.operations.reindex import reindex
from migrator.operations.search import IndexState, Matches, find_digests, parse_query, search, search_page
from migrator.search import index as index_module
from migrator.search.index import FILE_NAME, SearchIndex
from migrator.search.update import exclusively
from tests.mail import mail
from tests.unit.archive.office import Office


def test_hits_are_the_newest_of_all_that_was_found(office: Office, ledger: Ledger) -> None:
    heard: list[int] = []
    found = search(parse_query("bread"), office.config, ledger, limit=1, on_progress=heard.append)
    assert (found.total, [hit.subject for hit in found.hits], found.index) == (2, ["lunch"], IndexState())
    assert heard == [3]
    assert found.as_json()["total"] == 2


def test_what_arrives_is_found_at_once(office: Office, ledger: Ledger) -> None:
    assert search(parse_query("cake"), office.config, ledger).total == 0
    office.copy([mail("tea", "cake")])
    assert search(parse_query("cake"), office.config, ledger).total == 1


def test_a_message_that_cannot_be_read_is_counted_with_the_reason(office: Office, ledger: Ledger) -> None:
    for name in ("a", "b"):
        shutil.rmtree(office.root / "archive" / name)
    found = search(parse_query("bread"), office.config, ledger)
    assert found.total == 0
    assert sum(found.index.unread.values()) == 3


def test_a_search_goes_on_without_what_another_is_indexing(office: Office, ledger: Ledger) -> None:
    with exclusively(office.state_dir, patience=0):
        assert search(parse_query("bread"), office.config, ledger, patience=0.0).index == IndexState(is_busy=True)


def test_without_a_query_everything_is_meant_and_nothing_is_indexed(office: Office, ledger: Ledger) -> None:
    assert find_digests(None, office.config, ledger) == Matches()
    assert not (office.state_dir / "search.sqlite3").exists()
    found = find_digests("subject:dinner", office.config, ledger)
    assert found.digests is not None
    assert len(found.digests) == 1


def test_a_query_that_means_nothing_is_wrong_usage() -> None:
    with pytest.raises(ConfigError, match="query: "):
        parse_query("date:never")
    assert parse_query("date:today", date(2024, 1, 15)) == parse_query("date:2024-01-15")


def test_an_index_is_built_anew_from_the_archive(office: Office, ledger: Ledger) -> None:
    search(parse_query("bread"), office.config, ledger)
    done = reindex(office.config, ledger)
    assert done.as_json() == {"indexed": 3, "not_parsed": 0, "unread": 0}


def test_pages_end_to_end_are_all_hits_in_their_order(office: Office, ledger: Ledger) -> None:
    office.copy([mail(f"letter {number}", Date="Mon, 15 Jan 2024 12:00:00 +0000") for number in range(5)])
    office.copy([mail(f"undated {number}") for number in range(3)])
    whole = search(parse_query("*"), office.config, ledger)
    pages = [search_page(parse_query("*"), office.config, ledger, limit=3)]
    while cursor := pages[-1].following:
        pages.append(search_page(parse_query("*"), office.config, ledger, cursor=cursor, limit=3))
    assert {page.total for page in pages} == {whole.total} == {11}
    assert tuple(hit for page in pages for hit in page.hits) == whole.hits
    assert [len(page.hits) for page in pages] == [3, 3, 3, 2]
    assert pages[-1].as_json()["cursor"] is None


def test_a_cursor_of_ones_own_is_wrong_usage(office: Office, ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="cursor: "):
        search_page(parse_query("*"), office.config, ledger, cursor="1 or 1")


@pytest.mark.parametrize("written", ["number", "number -seven", "seven", "seven or eight", "subject:number seven"])
def test_rare_and_frequent_words_come_in_the_same_order(written: str, office: Office, ledger: Ledger) -> None:
    names = ["seven", "eight", *["other"] * 118]
    office.copy(
        [
            mail(f"number {number}", f"{name} words", Date=f"Mon, 15 Jan {1990 + number % 30} 12:00:00 +0000")
            for number, name in enumerate(names)
        ]
    )
    whole = search(parse_query(written), office.config, ledger)
    page = search_page(parse_query(written), office.config, ledger, limit=7)
    rest = search_page(parse_query(written), office.config, ledger, limit=500, cursor=page.following)
    assert page.total == whole.total > 0
    assert (page.hits + rest.hits if page.following else page.hits) == whole.hits


def test_a_page_leaves_more_than_a_few_new_messages_to_somebody_who_has_time(
    office: Office, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "TAKEN_IN", 2)
    office.copy([mail(f"tea {number}", "cake") for number in range(3)])
    page = search_page(parse_query("cake"), office.config, ledger)
    assert (page.total, page.index.is_busy) == (0, True)
    assert search(parse_query("cake"), office.config, ledger).total == 3  # the command waits for all of it
    office.copy([mail("one more", "cake")])
    page = search_page(parse_query("cake"), office.config, ledger)
    assert (page.total, page.index.is_busy) == (4, False)


def test_a_page_shows_what_there_is_while_somebody_else_writes_the_index(
    office: Office, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.copy([mail("tea", "cake")])
    assert search_page(parse_query("cake"), office.config, ledger).total == 1
    office.copy([mail("more tea", "cake")])
    monkeypatch.setattr(index_module, "_BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(office.state_dir / FILE_NAME, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        page = search_page(parse_query("cake"), office.config, ledger)
    assert (page.total, str(page.index.error)) == (1, "the search index cannot be used: database is locked")
    assert search_page(parse_query("cake"), office.config, ledger).total == 2


def test_only_who_indexes_much_takes_the_memory_for_that(
    office: Office, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[SearchIndex] = []
    monkeypatch.setattr(SearchIndex, "take_room", lambda index: taken.append(index))  # noqa: PLW0108  # no method else
    assert search_page(parse_query("bread"), office.config, ledger).total == 2  # a page of hits takes in a few itself
    assert taken == []
    office.copy([mail("tea", "cake")])
    assert search(parse_query("cake"), office.config, ledger).total == 1
    assert len(taken) == 1


def test_a_page_counts_no_further_than_is_wanted(office: Office, ledger: Ledger) -> None:
    office.copy([mail(f"tea {number}") for number in range(9)])
    page = search_page(parse_query("not cake"), office.config, ledger, limit=2, most=5)
    assert (page.total, page.is_more, len(page.hits)) == (5, True, 2)
    assert search_page(parse_query("tea"), office.config, ledger, limit=2, most=5).total == 9
