from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobs.web.passkey_store import handle_of
from jobs.web.people import Role, User
from jobs.web.store import FILE_NAME, IDLE_SECONDS, LONGEST_SECONDS, MOST_SESSIONS, VERSION, AuditEntry, WebStore
from migrator.errors import FerryError

ANN = User("Ann", Role.ADMINISTRATOR)
NOW = 1_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WebStore]:
    with closing(WebStore(tmp_path)) as one:
        assert one.add(ANN, "hash", NOW)
        yield one


def test_only_its_owner_reads_the_file(store: WebStore) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_names_have_no_case(store: WebStore) -> None:
    assert not store.add(User("ANN", Role.AUDITOR), "hash", NOW)
    assert store.user("aNN") == (ANN, "hash")


def test_a_first_user_is_added_only_where_there_is_none(store: WebStore) -> None:
    assert not store.add(User("Eve", Role.ADMINISTRATOR), "hash", NOW, is_first=True)


def test_the_secret_of_a_session_is_not_kept(store: WebStore) -> None:
    store.sign_in(ANN, "the secret", "token", NOW)
    assert store.session("the secret", NOW) is not None
    assert b"the secret" not in b"".join(path.read_bytes() for path in store.path.parent.iterdir())


def test_a_session_ends_when_it_is_idle_and_after_a_day(store: WebStore) -> None:
    store.sign_in(ANN, "a", "token", NOW)
    assert store.session("a", NOW + IDLE_SECONDS - 1) is not None
    assert store.session("a", NOW + 2 * IDLE_SECONDS - 2) is not None
    assert store.session("a", NOW + LONGEST_SECONDS + 1) is None
    store.sign_in(ANN, "b", "token", NOW)
    assert store.session("b", NOW + IDLE_SECONDS + 1) is None


def test_the_oldest_session_gives_way(store: WebStore) -> None:
    for number in range(MOST_SESSIONS + 1):
        store.sign_in(ANN, f"s{number}", "token", NOW + number)
    assert store.session("s0", NOW + 20) is None
    assert store.session("s1", NOW + 20) is not None


def test_the_audit_takes_nothing_back(store: WebStore) -> None:
    store.note(AuditEntry(NOW, "Ann", "::1", "pause", "alice", "done"))
    with closing(sqlite3.connect(store.path)) as sql:
        for statement in ("delete from audit", "update audit set user = 'Eve'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                sql.execute(statement)


def test_a_store_of_the_first_version_is_taken_over(store: WebStore) -> None:
    with closing(sqlite3.connect(store.path)) as sql:
        for table in ("passkeys", "passkey_users", "identities", "invitations"):
            sql.execute(f"drop table {table}")
        sql.execute("pragma user_version = 1")
    with closing(WebStore(store.path.parent)) as again:
        assert again.user("Ann") == (ANN, "hash")
        assert len(handle_of(again, "Ann")) == 32
    with closing(WebStore(store.path.parent)) as once_more:
        assert once_more.rows("pragma user_version") == [(VERSION,)]


def test_a_store_of_a_newer_program_is_left_alone(store: WebStore) -> None:
    with closing(sqlite3.connect(store.path)) as sql:
        sql.execute("pragma user_version = 99")
    with pytest.raises(FerryError, match=FILE_NAME):
        WebStore(store.path.parent)
