"""What was copied when, found without a look at every message and every destination."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from migrator.copy_records import Found
from migrator.ledger import FILE_NAME, Ledger, archive as archive_module
from migrator.ledger.archive import Copied
from migrator.ledger.listings import LAST_LISTED
from migrator.ledger.schema import MIGRATIONS
from migrator.model import Digest, HeaderDigest, ListedMessage, MaildirLocator, MessageNumber, UniqueId
from migrator.policy import WhenCopyIsGone


def digest_of(account: str, number: int) -> Digest:
    return Digest(sha256(f"{account} {number}".encode()).digest())


def copy(ledger: Ledger, account: str, moments: list[float]) -> None:
    """Have an account copy a message at each of these moments, and another listed."""
    maildrop = ledger.maildrop(account, "h", 110, account)
    copies = ledger.copies(f"maildir:{account}", "maildir")
    count = len(moments)
    maildrop.match(ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in range(1, count + 2))
    maildrop.note(1.0)
    rows = [known.row for known in maildrop.listed({copies.destination_id: WhenCopyIsGone.KEEP})]
    found = [
        Found(digest_of(account, n), HeaderDigest(b""), b"", 10, MaildirLocator(f"{account}{n}")) for n in range(count)
    ]
    copies.found(found, [])
    for number, moment in enumerate(moments):
        maildrop.copied([(rows[number], digest_of(account, number))], moment)


@pytest.mark.parametrize("part", [1, 2, 100])
def test_what_was_copied_since_a_moment_comes_once_each_in_parts(
    part: int, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_PART", part)
    copy(ledger, "alice", [5.0, 7.0, 7.0, 9.0])
    copy(ledger, "bob", [6.0, 8.0])
    parts = list(ledger.archive.copied_since(7.0))
    assert all(0 < len(some) <= part for some in parts)
    assert [one for some in parts for one in some] == [
        Copied(digest_of("alice", 1), "alice", 7.0),
        Copied(digest_of("alice", 2), "alice", 7.0),
        Copied(digest_of("alice", 3), "alice", 9.0),
        Copied(digest_of("bob", 1), "bob", 8.0),
    ]
    assert list(ledger.archive.copied_since(9.5)) == []


def test_what_was_copied_after_a_moment_is_counted_as_far_as_is_wanted(ledger: Ledger) -> None:
    copy(ledger, "alice", [5.0, 7.0, 9.0])
    copy(ledger, "bob", [6.0])
    counts = [ledger.archive.count_copied_after(moment, 3) for moment in (0.0, 5.0, 6.0, 9.0)]
    assert counts == [3, 3, 2, 0]
    numbers = [0, *(content.number for content in ledger.archive.contents_after(0, 10))]
    assert [ledger.archive.count_contents_after(numbers[place], 3) for place in (0, 2, 4)] == [3, 2, 0]


def test_only_the_holdings_of_some_destinations_are_counted(ledger: Ledger) -> None:
    copy(ledger, "alice", [5.0])
    assert ledger.archive.holdings({"maildir:alice", "maildir:nowhere"}) == {}  # nothing is proven yet
    assert ledger.overview.first_copies(["alice", "bob"]) == {"alice": 5.0}


STATEMENTS = (
    (
        "select min((select min(m.copied_at) from messages m where m.maildrop_id = d.id and m.copied_at is not null))"
        " from maildrops d where d.account = 'a'"
    ),
    (
        "select 1 from maildrops d cross join messages m on m.maildrop_id = d.id and m.copied_at is not null"
        " and m.copied_at > 5.0"
    ),
    "select 1 from copies k where k.content_id = 5 and k.state != 'intended'",
    LAST_LISTED.replace("?", "'a'"),
)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_an_index_answers_what_is_asked_all_the_time(statement: str, tmp_path: Path) -> None:
    Ledger.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        plan = [row[3] for row in sql.execute(f"explain query plan {statement}")]
    assert not [step for step in plan if step.startswith(("SCAN m", "SCAN k"))], plan


def test_a_ledger_of_the_release_before_gets_the_indexes(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as sql:
        sql.execute(
            "create table _sqlite_migrations (id integer primary key, migration_set text, name text, applied_at text)"
        )
        sql.execute(
            "create unique index idx__sqlite_migrations_migration_set_name on _sqlite_migrations (migration_set, name)"
        )
        for migration in MIGRATIONS[:-1]:
            migration(sql)
            sql.execute(
                "insert into _sqlite_migrations (migration_set, name, applied_at) values ('mailferry', ?, 'then')",
                (migration.__name__,),
            )
        sql.execute("pragma user_version = 5")
    with closing(Ledger.open(tmp_path)) as ledger:
        copy(ledger, "alice", [5.0])
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        names = {name for (name,) in sql.execute("select name from sqlite_schema where type = 'index'")}
    assert {"messages_by_copying", "copies_by_content"} <= names
