"""The ledger's tables, as numbered migrations.

The database repeats the state tables (docs/states.md) as constraints and triggers: a move that is not legal
fails here even if the program asked for it. A migration, once released, is never edited; a new one is added, and
``connection.VERSION`` with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import TYPE_CHECKING

from migrator.ledger.tables import (
    APPEND_ONLY,
    CHEAPER_INDEXES,
    CHEAPER_TABLES,
    COPIES_WITH_JUDGEMENTS,
    EVIDENCE,
    INDEXES,
    KEPT_NUMBERS,
    TABLES,
)
from migrator.model import base_name_of, mailbox_identity

if TYPE_CHECKING:
    from sqlite_utils import Database

_Migration = Callable[[Connection], None]

_SET = "mailferry"
_IMAP_IDENTITY_BEFORE = re.compile(r"imap:(.*)@([^@/]*):\d+/(.*)", re.DOTALL)
_ACCOUNT_OF_MIGRATIONS = (  # as sqlite-utils keeps it
    "create table _sqlite_migrations (id integer primary key, migration_set text, name text, applied_at text)",
    "create unique index idx__sqlite_migrations_migration_set_name on _sqlite_migrations (migration_set, name)",
)

_FIRST_COPY_MOVES = {
    "intended": ("stored", "verified"),
    "stored": ("stored", "verified", "mismatch"),
    "verified": ("verified", "mismatch", "stored"),
    "mismatch": ("mismatch", "verified", "stored"),
}
_JUDGEMENTS = ("verified", "unproven", "damaged", "gone")
COPY_MOVES = {
    "intended": ("stored", "damaged"),
    "stored": ("stored", *_JUDGEMENTS),
    **dict.fromkeys(_JUDGEMENTS, ("stored", *_JUDGEMENTS)),
    "damaged": ("stored", *_JUDGEMENTS, "intended"),
}
MESSAGE_MOVES = {
    "listed": ("listed", "copied", "quarantined", "vanished"),
    "quarantined": ("quarantined", "listed", "copied", "vanished"),
    "copied": ("copied", "listed", "quarantined", "delete-requested", "vanished"),
    "delete-requested": ("delete-requested", "copied", "listed", "quarantined", "deleted"),
    "vanished": ("vanished", "listed", "copied"),
    "deleted": ("deleted",),
}


def create(sql: Connection) -> None:
    """Make a new ledger: apply every migration, and keep account of it as ``migrate`` does, without its library."""
    for statement in _ACCOUNT_OF_MIGRATIONS:
        sql.execute(statement)
    for migration in MIGRATIONS:
        migration(sql)
        sql.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values (?, ?, ?)",
            (_SET, migration.__name__, str(datetime.now(UTC))),
        )


def migrate(sql: Connection) -> None:
    """Apply what a ledger of an earlier release lacks."""
    from sqlite_utils import Database  # takes a fifth of the program's start, and most ledgers never need it
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for migration in MIGRATIONS:
        migrations(name=migration.__name__)(_applied_by(migration))
    migrations.apply(Database(sql, recursive_triggers=False, execute_plugins=False))


def _applied_by(migration: _Migration) -> Callable[[Database], None]:
    return lambda db: migration(db.conn)


def m001_initial(sql: Connection) -> None:
    """Create everything that the first release needs."""
    for statement in (*TABLES, *INDEXES, *APPEND_ONLY):
        sql.execute(statement)
    sql.execute(_moves_trigger("copies", _FIRST_COPY_MOVES))
    sql.execute(_moves_trigger("messages", MESSAGE_MOVES))


def m002_worker_notes(sql: Connection) -> None:
    """Give the scheduled worker a place for what it must not forget, and a quick way to count deletions."""
    sql.execute(
        """create table worker_notes (
            topic text not null,
            name text not null,
            fact text not null check (json_valid(fact)),
            primary key (topic, name)
        ) strict, without rowid"""
    )
    sql.execute("create index deletions_by_account on deletions (account)")


def m003_cheaper_rules(sql: Connection) -> None:
    """Say the same rules in a way that costs a message half: every copy and every message passes them several times.

    SQLite makes a table in memory for an ``in (...)`` of a constraint, for each row that it checks. And until a message
    has been retrieved nothing is known of its content: it need not stand in the index by content.
    """
    tables = ("copies", "messages", "problems")  # problems refer to messages, and must not while these are made again
    for table in tables:
        sql.execute(f"create temp table kept_{table} as select * from {table}")
    sql.execute("delete from problems")
    for table, columns in CHEAPER_TABLES.items():
        sql.execute(f"drop table {table}")
        sql.execute(f"create table {table} ({columns}) strict")
    for table in tables:
        sql.execute(f"insert into {table} select * from kept_{table}")
        sql.execute(f"drop table kept_{table}")
    for index in CHEAPER_INDEXES:
        sql.execute(f"create {index}")
    sql.execute(_moves_trigger("copies", _FIRST_COPY_MOVES))
    sql.execute(_moves_trigger("messages", MESSAGE_MOVES))


def m004_evidence(sql: Connection) -> None:
    """Tell damaged copies from unproven ones and from those a person took out; refuse deletions of what was not read.

    A copy that was compared and falls short only of the required proof becomes UNPROVEN. Of no message that an earlier
    release copied is it known whether a RETR under its present unique-id gave it: it counts as not retrieved.
    """
    sql.execute("create temp table kept_copies as select * from copies")
    sql.execute("drop table copies")
    sql.execute(f"create table copies ({COPIES_WITH_JUDGEMENTS}) strict")
    sql.execute(
        "insert into copies select id, destination_id, content_id, case when state != 'mismatch' then state"
        " when uid is not null and (proof != 'none' or verified_at is null) then 'unproven' else 'damaged' end,"
        " intent_id, recognition, volume_id,"
        " offset, length, frame_crc, base_name, uid_validity, uid, proof, reason, verified_at from kept_copies"
    )
    sql.execute("drop table kept_copies")
    for statement in EVIDENCE:
        sql.execute(statement)
    _name_files_alike(sql)
    sql.execute(_moves_trigger("copies", COPY_MOVES))
    _spell_mailboxes_alike(sql)


def _name_files_alike(sql: Connection) -> None:
    """Know the files of Maildirs by what no mail program appends to their names."""
    named = sql.execute("select id, base_name from copies where base_name like '%,%'").fetchall()
    renamed = [(base_name_of(name), number) for number, name in named]
    sql.executemany("update copies set base_name = ? where id = ?", renamed)


def _spell_mailboxes_alike(sql: Connection) -> None:
    """Name known mailboxes by what they are; of two spellings of one mailbox the first keeps what is known."""
    known = sql.execute("select id, identity from destinations where kind = 'imap' order by id").fetchall()
    for number, identity in known:
        if (parts := _IMAP_IDENTITY_BEFORE.match(identity)) is not None:
            values = (mailbox_identity(*parts.groups()), number)
            sql.execute("update or ignore destinations set identity = ? where id = ?", values)


def m005_cures(sql: Connection) -> None:
    """Keep apart what went wrong with a message and what a person can do about it."""
    sql.execute("alter table problems add column cure text not null default ''")


def m006_copying(sql: Connection) -> None:
    """Know in which order a maildrop's messages were copied, and where the copies of a content are.

    A search index that follows the ledger asks for both all the time; with hundreds of accounts neither a look at every
    message nor one at every destination will do.
    """
    sql.execute("create index messages_by_copying on messages (maildrop_id, copied_at) where copied_at is not null")
    sql.execute("create index copies_by_content on copies (content_id)")


def m007_revisions(sql: Connection) -> None:
    """Know whether copies of a destination have become worth less, for the listings that were settled by them."""
    sql.execute("alter table destinations add column revision integer not null default 0")


def m008_kept_numbers(sql: Connection) -> None:
    """Keep the numbers of each account, that nobody must count its messages to see where they stand."""
    for statement in KEPT_NUMBERS:
        sql.execute(statement)


MIGRATIONS: tuple[_Migration, ...] = (
    m001_initial,
    m002_worker_notes,
    m003_cheaper_rules,
    m004_evidence,
    m005_cures,
    m006_copying,
    m007_revisions,
    m008_kept_numbers,
)


def _moves_trigger(table: str, moves: dict[str, tuple[str, ...]]) -> str:
    legal = " or ".join(
        f"(old.state = '{before}' and ({' or '.join(f'new.state = {after!r}' for after in afters)}))"
        for before, afters in moves.items()
    )
    return (
        f"create trigger {table}_legal_moves before update of state on {table} when not ({legal}) "
        f"begin select raise(abort, 'illegal move in {table}'); end"
    )
