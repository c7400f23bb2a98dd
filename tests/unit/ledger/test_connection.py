from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from migrator.errors import FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.schema import m001_initial, migrate
from migrator.ledger.sqlite.connection import VERSION
from tests.faults import fill_disk, small_disk
from tests.mail import simple
from tests.unit.ledger.conftest import Place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


_KNOWN = (
    "insert into maildrops (account, host, port, username) values ('alice', 'h', 995, 'u')",
    "insert into destinations values (1, '/archive', 'mbox'), (2, 'imap://h', 'imap')",
    "insert into volumes values (1, 1, '2026-11.mbox', 20, x'', '', 'open', '')",
    "insert into contents values (1, zeroblob(32), x'', 10, x''), (2, randomblob(32), x'aa', 11, x'3c3e')",
    "insert into intents values (4, 2, '{}', 1.5)",
    "insert into copies values (7, 1, 1, 'verified', null, null, 1, 0, 20, 3, null, null, null, 'exact', '', 3.0)",
    "insert into copies values (8, 2, 1, 'stored', null, null, null, null, null, null, null, 9, 5, 'none', 'why', null)",
    "insert into copies values (9, 2, 2, 'intended', 4, x'01', null, null, null, null, null, null, null, 'none', '', null)",
    "insert into messages values (3, 1, x'61', 10, 0, 'copied', 1, 1.0, 2.0, null)",
    "insert into messages values (4, 1, x'62', 11, 1, 'quarantined', 2, 1.5, null, null)",
    "insert into messages values (5, 1, x'62', 11, 0, 'vanished', null, 1.5, null, 4.0)",
    "insert into problems values (4, 'short', 'text', null, 2, 1.0, 2.0, 3.0)",
    "insert into deletions values (1, 'alice', 'h', 'u', x'61', 10, zeroblob(32), '[]', 5.0, 'QUIT: +OK')",
)


def put_first_release(path: Path) -> None:
    """Leave a ledger as the first release did, with something in every table that a migration might touch."""
    with closing(sqlite3.connect(path)) as sql, sql:
        m001_initial(sql)
        sql.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        sql.execute("insert into _sqlite_migrations values ('mailferry', 'm001_initial', '2026-11-01')")
        for statement in _KNOWN:
            sql.execute(statement)
        sql.execute("pragma user_version = 1")


def rows_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as sql:
        return {line for line in sql.iterdump() if line.startswith("INSERT") and "_sqlite_migrations" not in line}


def known_of(path: Path) -> set[tuple[object, ...]]:
    """Return every row, by table, as far as the first release had columns for it."""
    with closing(sqlite3.connect(":memory:")) as first, closing(sqlite3.connect(path)) as sql:
        m001_initial(first)
        columns = {
            table: ", ".join(row[1] for row in first.execute(f"pragma table_info({table})"))
            for (table,) in first.execute("select name from sqlite_schema where type = 'table'").fetchall()
            if table != "fillings"
        }
        rows = [(table, *row) for table, names in columns.items() for row in _selected(sql, names, table)]
        return set(rows)


def _selected(sql: sqlite3.Connection, columns: str, table: str) -> list[tuple[object, ...]]:
    return sql.execute(f"select {columns} from {table}").fetchall()  # noqa: S608  # the schema's own names


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as sql:
        return int(sql.execute("pragma user_version").fetchone()[0])


def test_a_new_ledger_is_private_and_survives_a_power_cut(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    with closing(Ledger.open(folder)) as ledger, ledger._connection.reading() as sql:  # noqa: SLF001  # its settings
        assert sql.execute("pragma journal_mode").fetchone() == ("wal",)
        assert sql.execute("pragma synchronous").fetchone() == (2,)
        assert sql.execute("pragma foreign_keys").fetchone() == (1,)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600


def test_a_ledger_of_an_earlier_release_is_migrated_with_all_it_knows(path: Path) -> None:
    put_first_release(path)
    before = known_of(path)
    with closing(Ledger.open(path.parent)) as ledger:
        assert known_of(path) == before != set()
        ledger.state_store.put("topic", "name", {"a": 1})
        assert ledger.integrity_problems() == []
    assert version_of(path) == VERSION


def test_a_migrated_ledger_refuses_what_a_new_one_refuses(path: Path, tmp_path: Path) -> None:
    put_first_release(path)
    Ledger.open(path.parent).close()
    Ledger.open(tmp_path / "new").close()
    rules = "select type, name, sql from sqlite_schema where tbl_name != '_sqlite_migrations' order by name"
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(tmp_path / "new" / FILE_NAME)) as new:
        assert old.execute(rules).fetchall() == new.execute(rules).fetchall()


def test_nothing_is_left_to_migrate_in_a_new_ledger(path: Path) -> None:
    Ledger.open(path.parent).close()
    with closing(sqlite3.connect(path)) as sql:
        before = list(sql.iterdump())
        migrate(sql)
        assert list(sql.iterdump()) == before


def test_a_dry_look_at_an_earlier_ledger_migrates_nothing(path: Path) -> None:
    put_first_release(path)
    before = path.read_bytes()
    with closing(Ledger.open_dry(path.parent)) as ledger, closing(ledger.another()) as other:
        assert other.state_store.get_all("topic") == {}
    assert path.read_bytes() == before
    assert version_of(path) == 1


def test_a_ledger_of_a_later_release_is_refused_and_left_alone(path: Path) -> None:
    Ledger.open(path.parent).close()
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute(f"pragma user_version = {VERSION + 1}")
    for opening in (Ledger.open, Ledger.open_dry):
        with pytest.raises(FerryError, match="newer mailferry"):
            opening(path.parent)
    assert version_of(path) == VERSION + 1


def test_a_damaged_ledger_is_one_line_with_a_cure(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)
    with pytest.raises(FerryError) as caught:
        Ledger.open(path.parent)
    assert caught.value.kind is Kind.INTERNAL
    assert str(path) in str(caught.value)
    assert "rebuild-ledger" in str(caught.value)


def test_a_transaction_that_fails_leaves_nothing_behind(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger:
        connection = ledger._connection  # noqa: SLF001  # the test looks behind the curtain
        with pytest.raises(FerryError, match="break its rules"), connection.transaction() as sql:
            sql.executemany("insert into destinations (identity, kind) values ('x', ?)", [("mbox",), ("no kind",)])
        with connection.reading() as sql:
            assert sql.execute("select count(*) from destinations").fetchone() == (0,)


def test_what_is_said_together_is_one_transaction(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger, closing(ledger.another()) as reader:
        with ledger.together():
            ledger.history.run_started("alice", 1.0)
            ledger.maildrop("alice", "h", 995, "u")
            assert reader.history.last_runs("alice") == []
        assert len(reader.history.last_runs("alice")) == 1


def test_what_is_said_together_is_undone_together(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger:

        def begin_badly() -> None:
            with ledger.together():
                ledger.history.run_started("alice", 1.0)
                ledger.copies("shelf", "no kind")

        with pytest.raises(FerryError, match="break its rules"):
            begin_badly()
        assert ledger.history.last_runs("alice") == []
        ledger.history.run_started("alice", 2.0)
        assert [run.started_at for run in ledger.history.last_runs("alice")] == [2.0]


def test_runs_side_by_side_are_lent_different_openings_and_the_next_run_one_of_them(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger:
        with ledger.lent() as first, ledger.lent() as second:
            assert len({first, second, ledger}) == 3
        with ledger.lent() as third:
            assert third in {first, second}
            third.history.run_started("alice", 1.0)
        assert len(ledger.history.last_runs("alice")) == 1
    with pytest.raises(FerryError):  # closed with the ledger that lent it
        third.history.last_runs("alice")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 1_000_000), closing(Ledger.open(folder)) as ledger:
        filler = fill_disk(folder)
        with pytest.raises(FerryError) as caught:
            ledger.copies("x" * 500_000, "mbox")
        assert caught.value.kind is Kind.DISK_FULL
        filler.unlink()
        ledger.copies("another", "mbox")


def test_a_copy_of_the_ledger_is_whole_and_private(path: Path, tmp_path: Path) -> None:
    with closing(Ledger.open(path.parent)) as ledger:
        ledger.maildrop("alice", "h", 995, "u")
        ledger.copy_to(tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    with closing(sqlite3.connect(tmp_path / "copy")) as sql:
        assert sql.execute("select account from maildrops").fetchall() == [("alice",)]


def test_what_a_server_taught_is_remembered_by_host_and_port(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger:
        ledger.server_learned("Pop.Example.Org", 995, {"habits": {"shows_part": True}})
        assert ledger.server_facts("pop.example.org", 995) == {"habits": {"shows_part": True}}
        assert ledger.server_facts("pop.example.org", 110) == {}


def test_a_content_that_is_nowhere_is_found_nowhere(place: Place) -> None:
    with closing(Ledger.open(place)) as ledger:
        assert ledger.copies("shelf", "maildir").find([simple(1).digest]) == {}


def test_what_a_server_altered_is_unproven_after_the_migration_and_what_is_broken_is_damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql, sql:
        m001_initial(sql)
        sql.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        sql.execute("insert into _sqlite_migrations values ('mailferry', 'm001_initial', '2026-11-01')")
        sql.execute("insert into destinations values (1, '/archive', 'mbox'), (2, 'imap:u@h:993/INBOX', 'imap')")
        sql.execute("insert into volumes values (1, 1, '2026-11.mbox', 20, x'', '', 'open', '')")
        for number in range(1, 5):
            sql.execute("insert into contents values (?, randomblob(32), x'', 10, x'')", (number,))
        place = "null, null, null, null, null, 9"
        for row in (
            "1, 1, 1, 'mismatch', null, null, 1, 0, 20, 3, null, null, null, 'none', 'differs', 3.0",
            f"2, 2, 1, 'mismatch', null, null, {place}, 5, 'canonical', 'carriage returns', null",
            f"3, 2, 2, 'mismatch', null, null, {place}, 6, 'none', 'mangled', null",
            f"4, 2, 3, 'mismatch', null, null, {place}, 7, 'none', 'differs', 3.0",
        ):
            sql.execute(f"insert into copies values ({row})")  # noqa: S608  # our own words
        sql.execute("pragma user_version = 1")
    Ledger.open(path.parent).close()
    with closing(sqlite3.connect(path)) as sql:
        states = dict(sql.execute("select id, state from copies").fetchall())
        assert states == {1: "damaged", 2: "unproven", 3: "unproven", 4: "damaged"}


def test_known_mailboxes_are_spelled_alike_and_the_first_of_two_spellings_keeps_what_is_known(path: Path) -> None:
    with closing(sqlite3.connect(path)) as sql, sql:
        m001_initial(sql)
        sql.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        sql.execute("insert into _sqlite_migrations values ('mailferry', 'm001_initial', '2026-11-01')")
        sql.execute(
            "insert into destinations values (1, 'imap:a@b@Mail.Example:993/inbox/Old', 'imap'),"
            " (2, 'imap:a@b@mail.example:143/INBOX/Old', 'imap'), (3, 'mbox:/a:1/b', 'mbox')"
        )
        sql.execute("pragma user_version = 1")
    Ledger.open(path.parent).close()
    with closing(sqlite3.connect(path)) as sql:
        identities = [identity for (identity,) in sql.execute("select identity from destinations order by id")]
    assert identities == ["imap:a@b@mail.example/INBOX/Old", "imap:a@b@mail.example:143/INBOX/Old", "mbox:/a:1/b"]
