"""What the database refuses, whoever asks: the tables of docs/architecture.md, word for word."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.ledger.schema import MIGRATIONS
from migrator.model import CopyState, MessageState

DIGEST = f"x'{'00' * 32}'"

LEGAL_MESSAGE_MOVES = {
    "listed": {"listed", "copied", "quarantined", "vanished"},
    "quarantined": {"quarantined", "listed", "copied", "vanished"},
    "copied": {"copied", "listed", "quarantined", "delete-requested", "vanished"},
    "delete-requested": {"delete-requested", "copied", "listed", "quarantined", "deleted"},
    "vanished": {"vanished", "listed", "copied"},
    "deleted": {"deleted"},
}
LEGAL_COPY_MOVES = {
    "intended": {"stored", "damaged"},
    "stored": {"stored", "verified", "unproven", "damaged", "gone"},
    "verified": {"stored", "verified", "unproven", "damaged", "gone"},
    "unproven": {"stored", "verified", "unproven", "damaged", "gone"},
    "damaged": {"intended", "stored", "verified", "unproven", "damaged", "gone"},
    "gone": {"stored", "verified", "unproven", "damaged", "gone"},
}


class Rules:
    """A ledger's database with one maildrop, one destination, one volume and one content."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger._connection  # noqa: SLF001  # the rules are the database's
        for statement in (
            "insert into maildrops (account, host, port, username) values ('alice', 'h', 995, 'u')",
            "insert into destinations (identity, kind) values ('/archive', 'mbox')",
            "insert into volumes values (1, 1, '2026-11.mbox', 0, x'', '', 'open', '', '')",
            f"insert into contents values (1, {DIGEST}, x'', 10, x'')",  # noqa: S608  # our own words
            "insert into intents values (1, 1, '{}', 1.0)",
        ):
            self.execute(statement)

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement in a transaction of its own; raises ``FerryError`` where a rule forbids it."""
        with self._database.transaction() as sql:
            sql.execute(statement, values)


@pytest.fixture
def sql(ledger: Ledger) -> Rules:
    return Rules(ledger)


def put_message(sql: Rules, state: str) -> None:
    gone = 5.0 if state in {"deleted", "vanished"} else None
    sql.execute(
        "insert into messages (id, maildrop_id, unique_id, announced, state, content_id, first_seen, copied_at, gone_at,"
        " read_in) values (7, 1, x'61', 10, ?, 1, 1.0, 2.0, ?, 0)",
        (state, gone),
    )


def move_message(sql: Rules, state: str) -> None:
    gone = 6.0 if state in {"deleted", "vanished"} else None
    sql.execute("update messages set state = ?, gone_at = ? where id = 7", (state, gone))


@pytest.mark.parametrize(("before", "after"), list(product(LEGAL_MESSAGE_MOVES, LEGAL_MESSAGE_MOVES)))
def test_a_message_makes_legal_moves_only(sql: Rules, before: str, after: str) -> None:
    put_message(sql, before)
    if after in LEGAL_MESSAGE_MOVES[before]:
        move_message(sql, after)
    else:
        with pytest.raises(FerryError, match="illegal move in messages"):
            move_message(sql, after)


def put_copy(sql: Rules, state: str) -> None:
    sql.execute(
        "insert into copies (id, destination_id, content_id, state, intent_id, volume_id, offset, length, proof, verified_at)"
        " values (1, 1, 1, ?, 1, 1, 0, 20, 'exact', 3.0)",
        (state,),
    )


@pytest.mark.parametrize(("before", "after"), list(product(LEGAL_COPY_MOVES, LEGAL_COPY_MOVES)))
def test_a_copy_makes_legal_moves_only(sql: Rules, before: str, after: str) -> None:
    put_copy(sql, before)
    if after in LEGAL_COPY_MOVES[before]:
        sql.execute("update copies set state = ?", (after,))
    else:
        with pytest.raises(FerryError, match="illegal move in copies"):
            sql.execute("update copies set state = ?", (after,))


def test_the_tables_here_name_every_state() -> None:
    assert set(LEGAL_MESSAGE_MOVES) == {str(state) for state in MessageState}
    assert set(LEGAL_COPY_MOVES) == {str(state) for state in CopyState}


@pytest.mark.parametrize(
    "statement",
    [
        # no second copy of one content in one destination, whatever its state
        "insert into copies (destination_id, content_id, state, volume_id, proof, verified_at) values (1, 1, 'verified', 1, 'exact', 3.0)",
        "insert into copies (destination_id, content_id, state, intent_id) values (1, 1, 'intended', 1)",
        # a verified copy has a place, a moment and a proof
        "update copies set verified_at = null",
        "update copies set proof = 'none'",
        "update copies set volume_id = null, base_name = null, uid = null",
        "update copies set state = 'sold'",
        "update copies set content_id = 99",
        "update contents set digest = x'00'",
    ],
)
def test_a_copy_is_never_less_than_it_claims(sql: Rules, statement: str) -> None:
    put_copy(sql, "verified")
    with pytest.raises(FerryError, match="break its rules"):
        sql.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        # only what was copied may be wished away, and only what is gone has a moment of going
        "update messages set state = 'delete-requested', content_id = null",
        "update messages set state = 'delete-requested', copied_at = null",
        "update messages set gone_at = 4.0",
        "update messages set state = 'vanished'",
        "update messages set state = 'lost'",
        "insert into messages (maildrop_id, unique_id, announced, state, first_seen) values (1, x'61', 10, 'listed', 1.0)",
    ],
)
def test_a_message_is_never_less_than_it_claims(sql: Rules, statement: str) -> None:
    put_message(sql, "copied")
    with pytest.raises(FerryError, match="break its rules"):
        sql.execute(statement)


def test_a_unique_id_may_come_again_when_its_message_is_gone(sql: Rules) -> None:
    put_message(sql, "deleted")
    again = "insert into messages (maildrop_id, unique_id, announced, state, first_seen) values (1, x'61', 10, 'listed', 9.0)"
    sql.execute(again)
    with pytest.raises(FerryError, match="break its rules"):
        sql.execute(again)


@pytest.mark.parametrize("statement", ["update deletions set account = 'eve'", "delete from deletions"])
def test_the_log_of_deletions_is_append_only(sql: Rules, statement: str) -> None:
    values = f"(1, 'alice', 'h', 'u', x'61', 10, {DIGEST}, '[]', 5.0, 'QUIT: +OK')"
    sql.execute(f"insert into deletions values {values}")  # noqa: S608  # our own words
    with pytest.raises(FerryError, match="append-only"):
        sql.execute(statement)


def test_mailboxes_of_earlier_releases_are_known_by_what_they_are(tmp_path: Path) -> None:
    before = [
        "imap:ann@example.org@Mail.Example.org:143/inbox",
        "imap:ann@example.org@mail.example.org:993/INBOX",
        "imap:bob@::1:993/Old/2026/",
        "imap:bob@h:993/inbox/Old",
    ]
    with closing(sqlite3.connect(tmp_path / "old")) as sql:
        for migration in MIGRATIONS[:3]:
            migration(sql)
        sql.executemany("insert into destinations (identity, kind) values (?, 'imap')", [(name,) for name in before])
        sql.execute("insert into destinations (identity, kind) values ('mbox:/a', 'mbox')")
        MIGRATIONS[3](sql)
        after = [identity for (identity,) in sql.execute("select identity from destinations order by id")]
    assert after == [
        "imap:ann@example.org@mail.example.org/INBOX",
        before[1],  # what it holds is found by content from now on
        "imap:bob@::1/Old/2026",
        "imap:bob@h/INBOX/Old",
        "mbox:/a",
    ]
