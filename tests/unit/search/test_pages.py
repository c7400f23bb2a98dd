"""What the index finds, how many, and page by page, held against looking at every message, one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from migrator.model import Digest
from migrator.operations.visible import Visible
from migrator.parse.headers import Headers
from migrator.search import index as index_module
from migrator.search.cursor import Cursor
from migrator.search.entries import Entry, Page
from migrator.search.index import FILE_NAME, SearchIndex
from migrator.search.keys import message_key
from migrator.search.query import (
    All,
    Any,
    Dated,
    Everything,
    Named,
    Not,
    OfAccount,
    Query,
    Sized,
    WithAttachment,
    Words,
)
from migrator.search.sql import condition

VOCABULARY = ("tea", "coffee", "milk", "sugar", "cake")
ACCOUNTS = ("alice", "bob", "carl", "dora")
FIRST = 1_600_000_000


@dataclass(frozen=True)
class Letter:
    entry: Entry
    said: frozenset[str]

    @property
    def date(self) -> int | None:
        return self.entry.headers.date


def letter(number: int, chance: Random) -> Letter:
    said = chance.sample(VOCABULARY, chance.randrange(len(VOCABULARY)))
    # Few different seconds, more messages of one than it has numbers, and some without a date.
    date = chance.choice([None, FIRST, FIRST, FIRST, FIRST + chance.randrange(5_000)])
    owners = tuple(sorted(chance.sample(ACCOUNTS, chance.randrange(1, 3))))
    headers = Headers("ann", "bob", subject=f"number {number}", message_id=f"<{number}@x>", date=date)
    words = ("ann", "bob", "", f"number {number}", "", "", " ".join(said))
    digest = Digest(sha256(b"%d" % number).digest())
    return Letter(Entry(digest, 1_000 + number, headers, words, number % 3 == 0, owners), frozenset(said))


LETTERS = [letter(number, Random(number)) for number in range(400)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    with closing(SearchIndex.open(tmp_path_factory.mktemp("index"))) as opened:
        for start in range(0, len(LETTERS), 37):
            opened.add(one.entry for one in LETTERS[start : start + 37])
        yield opened


def matches(query: Query, one: Letter) -> bool:  # noqa: C901  # one line for each kind
    match query:
        case Words(text):
            return text in one.said
        case Dated(start, end):
            return one.date is not None and (start is None or one.date >= start) and (end is None or one.date < end)
        case Sized(over, under):
            return (over is None or one.entry.octets > over) and (under is None or one.entry.octets < under)
        case WithAttachment():
            return one.entry.attachments > 0
        case OfAccount(name):
            return name in one.entry.accounts
        case Named(text):
            return one.entry.headers.message_id == text
        case Everything():
            return True
        case Not(clause):
            return not matches(clause, one)
        case All(clauses):
            return all(matches(clause, one) for clause in clauses)
        case Any(clauses):
            return any(matches(clause, one) for clause in clauses)
        case _:
            raise AssertionError(query)


SIMPLE: list[Query] = [
    Words("tea"),
    Words("milk"),
    Words("nowhere"),
    Dated(FIRST, FIRST + 1),
    Dated(FIRST + 100, None),
    Dated(None, FIRST + 2_500),
    Sized(1_200, None),
    WithAttachment(),
    OfAccount("alice"),
    OfAccount("nobody"),
    Named("<7@x>"),
    Everything(),
]


def made(chance: Random, depth: int = 3) -> Query:
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(SIMPLE)
    parts = tuple(made(chance, depth - 1) for _ in range(chance.randrange(2, 4)))
    joined: list[Query] = [All(parts), Any(parts), Not(parts[0])]
    return chance.choice(joined)


QUERIES = [*SIMPLE, *(made(Random(number)) for number in range(150))]


def pages(index: SearchIndex, query: Query, limit: int) -> Iterator[Page]:
    after: Cursor | None = None
    while True:
        page = index.page(query, limit=limit, after=after)
        yield page
        after = page.following
        if after is None:
            return


def right(query: Query) -> dict[Digest, Letter]:
    return {one.entry.digest: one for one in LETTERS if matches(query, one)}


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_page_together_is_what_matches_newest_first(query: Query, index: SearchIndex) -> None:
    wanted = right(query)
    found = [hit for page in pages(index, query, 61) for hit in page.hits]
    assert [hit.digest for hit in found] == list(dict.fromkeys(hit.digest for hit in found))
    assert {hit.digest for hit in found} == set(wanted)
    for page in pages(index, query, 61):
        assert [hit.date or 0 for hit in page.hits] == sorted((hit.date or 0 for hit in page.hits), reverse=True)
    # Of one second there are many messages here: further ones stand some minutes later, on another page maybe.
    dates = [hit.date or 0 for hit in found]
    assert all(first + 600 >= second for first, second in pairwise(dates))
    total, newest = index.search(query, limit=5)
    assert (total, newest) == (len(wanted), index.page(query, limit=5).hits)
    assert index.digests(query) == set(wanted)


@pytest.mark.parametrize("large", [0, 10**9])
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_who_may_see_some_accounts_finds_and_counts_nothing_else(
    query: Query, large: int, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "LARGE", large)  # both ways to look up whose a message is
    visible = Visible(frozenset({"alice", "dora"}))
    wanted = {digest for digest, one in right(query).items() if visible.includes(one.entry.accounts)}
    restricted = visible.restricted(query)
    found = [hit.digest for page in pages(index, restricted, 50) for hit in page.hits]
    assert sorted(found) == sorted(wanted)
    assert index.page(restricted, limit=1).total == len(wanted)
    most = index.page(restricted, limit=1, most=10)
    assert (most.total, most.is_more) == (min(10, len(wanted)), len(wanted) > 10)


def test_who_may_see_nothing_finds_nothing(index: SearchIndex) -> None:
    page = index.page(Visible(frozenset()).restricted(Everything()), limit=10)
    assert (page.total, page.hits) == (0, [])


def test_words_next_to_one_another_are_counted_as_far_as_was_asked(index: SearchIndex) -> None:
    phrase = Words("number 1")  # of the subject
    assert index.page(phrase, limit=1).total == 1
    every = Any((Words("number 1"), Words("number 2"), Words("number 3"), Words("number 4")))
    page = index.page(every, limit=1, most=3)
    assert (page.total, page.is_more) == (3, True)
    assert (index.page(every, limit=1, most=4).total, index.page(every, limit=1).total) == (4, 4)


def test_ten_thousand_messages_of_one_second_are_all_found_by_their_date(tmp_path: Path) -> None:
    headers = Headers("ann", "bob", date=FIRST)
    words = ("ann", "bob", "", "", "", "", "tea")
    with closing(SearchIndex.open(tmp_path)) as index:
        digests = {Digest(sha256(b"%d" % number).digest()) for number in range(10_000)}
        index.add(Entry(digest, 1, headers, words, 0, ("alice",)) for digest in digests)
        assert index.digests(Dated(FIRST, FIRST + 1)) == digests
        assert index.page(Dated(FIRST, FIRST + 1), limit=1).total == 10_000
        assert index.page(All((Words("tea"), Dated(FIRST + 1, None))), limit=1).total == 0


def test_words_alone_are_always_counted_to_the_end(index: SearchIndex) -> None:
    page = index.page(Words("tea"), limit=1, most=3)
    assert (page.total, page.is_more) == (len(right(Words("tea"))), False)


def test_the_words_of_what_is_gone_are_found_no_more_and_its_number_is_nobody_elses(tmp_path: Path) -> None:
    with closing(SearchIndex.open(tmp_path)) as index:
        index.add(one.entry for one in LETTERS[:100])
        kept = [one for one in LETTERS[:100] if "tea" not in one.said]
        index.forget_all_but({one.entry.digest for one in kept})
        assert index.search(Words("tea"))[0] == 0
        index.add(one.entry for one in LETTERS[:200])
        for query in (Words("tea"), Words("milk"), All((Words("milk"), WithAttachment()))):
            wanted = {one.entry.digest for one in LETTERS[:200] if matches(query, one)}
            total, hits = index.search(query)
            assert total == len(wanted)
            assert {hit.digest for hit in hits} == wanted


def test_a_condition_and_a_page_agree_on_what_a_message_id_is(index: SearchIndex) -> None:
    where, values = condition(Named("<7@x>"))
    assert (where, values) == ("m.message_key = ?", [message_key("7@x")])
    assert index.digests(Named("<7@x>")) == {LETTERS[7].entry.digest}
    assert index.search(Named("<>"))[0] == 0
    assert index.search(Named("<7@x>"))[0] == 1


def added_in_small_parts(folder: Path, *, optimised: bool) -> int:
    """Make an index as many small additions leave it; returns how long its file is."""
    with closing(SearchIndex.open(folder)) as index:
        for start in range(0, len(LETTERS), 10):
            index.add(one.entry for one in LETTERS[start : start + 10])
        if optimised:
            index.optimise()
            assert {hit.digest for hit in index.search(Words("tea"))[1]} == set(right(Words("tea")))
    return (folder / FILE_NAME).stat().st_size


def test_an_optimised_index_takes_less_room_and_finds_the_same(tmp_path: Path) -> None:
    for name in ("whole", "left"):
        (tmp_path / name).mkdir()
    assert added_in_small_parts(tmp_path / "whole", optimised=True) < added_in_small_parts(
        tmp_path / "left", optimised=False
    )
    with closing(sqlite3.connect(tmp_path / "whole" / FILE_NAME)) as sql:
        assert sql.execute("pragma freelist_count").fetchone() == (0,)


def test_an_index_that_is_being_read_is_optimised_all_the_same(tmp_path: Path) -> None:
    with closing(SearchIndex.open(tmp_path)) as index, closing(sqlite3.connect(tmp_path / FILE_NAME)) as reader:
        index.add(one.entry for one in LETTERS)
        reader.execute("begin")
        assert reader.execute("select count(*) from messages").fetchone() == (len(LETTERS),)
        index.optimise()
        assert reader.execute("select count(*) from messages").fetchone() == (len(LETTERS),)
        assert {hit.digest for hit in index.search(Words("tea"))[1]} == set(right(Words("tea")))
