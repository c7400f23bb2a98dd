from __future__ import annotations

import shutil
from datetime import date

import pytest

from migrator.errors import ConfigError
from migrator.ledger import Ledger
from migrator.operations.reindex import reindex
from migrator.operations.search import IndexState, Matches, find_digests, parse_query, search
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
