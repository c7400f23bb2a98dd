from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from migrator.copy_records import MaildirAnchor
from migrator.errors import Advice, FerryError, Kind, Scope
from migrator.ledger import Ledger
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres.connection import PostgresDatabase
from migrator.ledger.sqlite.connection import VERSION
from migrator.model import ListedMessage, MaildirLocator, MessageNumber, UniqueId
from tests.mail import simple
from tests.servers.postgres import Postgres
from tests.servers.postgres_wire import RoundTrips


def test_two_programs_that_find_a_new_database_make_one_ledger(database: str) -> None:
    with ThreadPoolExecutor(4) as programs:
        for ledger in programs.map(Ledger.open, [database] * 4):
            with closing(ledger):
                assert not any("rule" in weakness for weakness in ledger.weaknesses())


def test_a_ledger_of_a_later_release_is_refused_and_left_alone(database: str) -> None:
    Ledger.open(database).close()
    with psycopg.connect(database) as connection:
        connection.execute("update schema_version set version = %s", [VERSION + 1])
    for opening in (Ledger.open, Ledger.open_dry):
        with pytest.raises(FerryError, match="newer mailferry") as caught:
            opening(database)
        assert caught.value.finding == "ledger-newer"


def test_a_dry_look_at_a_database_without_a_ledger_makes_none(database: str) -> None:
    assert Ledger.open_existing(database) is None
    with closing(Ledger.open_dry(database)) as ledger:
        drop = ledger.maildrop("alice", "h", 995, "u")
        assert drop.match([ListedMessage(MessageNumber(1), UniqueId(b"a"), 10)]) == 1
        assert len(list(drop.listed({}))) == 1
        assert ledger.history.last_runs("alice") == []
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


def test_a_ledger_that_is_there_is_found(database: str) -> None:
    Ledger.open(database).close()
    ledger = Ledger.open_existing(database)
    assert ledger is not None
    with closing(ledger):
        ledger.history.run_started("alice", 1.0)


def test_two_customers_have_a_schema_each(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create schema one")
        connection.execute("create schema two")
    places = [f"{database}&options=-csearch_path%3D{name}" for name in ("one", "two")]
    with closing(Ledger.open(places[0])) as one, closing(Ledger.open(places[1])) as two:
        one.history.run_started("alice", 1.0)
        assert two.history.last_runs("alice") == []
        assert not any("rule" in weakness for ledger in (one, two) for weakness in ledger.weaknesses())


def test_who_has_the_ledger_open_goes_on_after_the_database_was_restarted(postgres: Postgres, database: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        ledger.history.run_started("alice", 1.0)
        postgres.restart()
        ledger.history.run_started("alice", 2.0)
        assert [run.started_at for run in ledger.history.last_runs("alice", 5)] == [2.0, 1.0]


def test_while_the_database_is_away_the_account_is_tried_again_later(postgres: Postgres, database: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        postgres.crash()
        for _ in range(2):
            with pytest.raises(FerryError, match="does not answer") as caught:
                ledger.history.run_started("alice", 1.0)
            assert (caught.value.kind, caught.value.advice, caught.value.scope) == (
                Kind.INTERNAL,
                Advice.LATER,
                Scope.ACCOUNT,
            )
        postgres.start()
        ledger.history.run_started("alice", 2.0)


def test_a_commit_whose_answer_is_lost_counts_as_failed(postgres: Postgres) -> None:
    with postgres.database() as name, RoundTrips(postgres.port) as line:
        address = f"postgresql://mailferry@127.0.0.1:{line.port}/{name}?sslmode=disable&gssencmode=disable"
        with closing(Ledger.open(address)) as ledger:
            line.is_deaf = True
            with pytest.raises(FerryError, match="does not answer"):
                ledger.history.run_started("alice", 1.0)
            line.is_deaf = False
            ledger.history.run_started("alice", 2.0)  # by another connection


def test_a_row_that_another_session_holds_is_locked_and_no_more_than_that(database: str) -> None:
    address = f"{database}&options=-clock_timeout%3D100ms"
    with closing(Ledger.open(database)) as ledger:
        copies = ledger.copies("mbox:/a", "mbox")
        with psycopg.connect(database) as other:
            other.execute("update destinations set revision = 9 where id = %s", [copies.destination_id])
            with closing(PostgresDatabase(address)) as impatient:
                impatient._sql.session.execute("set lock_timeout = '100ms'")  # noqa: SLF001  # a shorter wait
                with pytest.raises(FerryError) as caught, impatient.transaction() as sql:
                    sql.execute("update destinations set revision = 1", ())
            assert caught.value.kind is Kind.LOCKED
        ledger.copies("mbox:/b", "mbox")


def test_writers_of_the_same_contents_in_other_orders_never_wait_for_each_other_in_a_ring(database: str) -> None:
    messages = [(simple(number), b"") for number in range(60)]

    def write(place: int) -> None:
        with closing(Ledger.open(database)) as ledger:
            copies = ledger.copies(f"maildir:{place}", "maildir")
            mine = messages if place % 2 else messages[::-1]
            for start in range(0, len(mine), 15):
                ids = copies.intended(MaildirAnchor(""), mine[start : start + 15], 1.0)
                copies.stored([(number, MaildirLocator(str(number))) for number in ids.values()], [])

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    with closing(Ledger.open(database)) as ledger:
        assert [ledger.copies(f"maildir:{place}", "maildir").copies_known() for place in range(4)] == [60] * 4
        assert len(ledger.archive.contents_after(0, 1_000)) == 60


def test_who_follows_the_contents_misses_none_that_is_committed_late(database: str) -> None:
    with closing(Ledger.open(database)) as slow, closing(Ledger.open(database)) as quick:
        first, second = slow.copies("maildir:a", "maildir"), quick.copies("maildir:b", "maildir")
        with slow.together():
            first.intended(MaildirAnchor(""), [(simple(1), b"")], 1.0)
            second.intended(MaildirAnchor(""), [(simple(2), b"")], 1.0)
            assert quick.archive.contents_after(0, 10) == []
        assert [one.digest for one in quick.archive.contents_after(0, 10)] == [simple(1).digest, simple(2).digest]


def test_another_process_opens_the_same_ledger_for_what_is_owned_here(database: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        copies = ledger.copies("mbox:/a", "mbox")
        with ledger.owning("account alice"):
            opener = pickle.loads(pickle.dumps(copies.opener()))  # noqa: S301  # our own
            with closing(Ledger.opened_by(opener)) as child:
                child.copies("mbox:/b", "mbox")
                with psycopg.connect(database) as connection:
                    connection.execute("update leases set epoch = epoch + 1")
                for overtaken in (child, ledger):
                    with pytest.raises(LeaseLostError):
                        overtaken.history.run_started("alice", 1.0)


def test_an_error_in_the_middle_is_the_error_that_is_seen_and_nothing_stays(database: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        database_of = ledger._connection  # noqa: SLF001  # the test looks behind the curtain

        def fail_and_go_on() -> None:
            with database_of.transaction() as sql:
                sql.execute("insert into runs (account, started_at) values ('alice', 1.0)", ())
                sql.execute("insert into runs (account, started_at, status) values ('alice', 1.0, 'odd')", ())
                sql.execute("insert into runs (account, started_at) values ('alice', 2.0)", ())

        with pytest.raises(FerryError, match="break its rules"):
            fail_and_go_on()
        assert ledger.history.last_runs("alice") == []
        ledger.history.run_started("alice", 3.0)


def test_no_copy_is_made_of_a_database_and_the_error_says_what_makes_one(database: str, tmp_path: Path) -> None:
    with closing(Ledger.open(database)) as ledger:
        with pytest.raises(FerryError, match="is in PostgreSQL") as caught:
            ledger.copy_to(tmp_path / "copy")
        assert "pg_dump" in caught.value.cure
        assert not (tmp_path / "copy").exists()


def test_a_report_of_any_words_is_kept(database: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        fact = {"words": "a\0b \ud83d\ude00 'quoted' \\ %s $1 ?"}
        ledger.state_store.put("topic", "name", json.loads(json.dumps(fact)))
        assert ledger.state_store.get("topic", "name") == json.loads(json.dumps(fact))


def test_a_long_transaction_has_all_the_time_it_needs_and_no_other_has(database: str) -> None:
    with closing(PostgresDatabase(database)) as ledger:
        for is_long, allowed in ((True, "0"), (False, "1min")):
            with ledger.transaction(is_long=is_long) as sql:
                assert sql.own("show statement_timeout").fetchone() == (allowed,)
