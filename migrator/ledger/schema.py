"""The ledger's tables, as numbered migrations.

The database repeats the state tables of docs/architecture.md as constraints and triggers: a move that is not legal
fails here even if the program asked for it. A migration, once released, is never edited; a new one is added, and
``connection.VERSION`` with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import TYPE_CHECKING

from migrator.ledger.copies import IN_DOUBT
from migrator.model import base_name_of, mailbox_identity

if TYPE_CHECKING:
    from sqlite_utils import Database

_Migration = Callable[[Connection], None]

_SET = "mailferry"
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
_LEGAL_COPY_MOVES = {
    "intended": ("stored", "damaged"),
    "stored": ("stored", *_JUDGEMENTS),
    **dict.fromkeys(_JUDGEMENTS, ("stored", *_JUDGEMENTS)),
    "damaged": ("stored", *_JUDGEMENTS, "intended"),
}
_LEGAL_MESSAGE_MOVES = {
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
    """Bring a ledger of an earlier release up to date."""
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
    for statement in (*_TABLES, *_INDEXES, *_APPEND_ONLY):
        sql.execute(statement)
    sql.execute(_moves_trigger("copies", _FIRST_COPY_MOVES))
    sql.execute(_moves_trigger("messages", _LEGAL_MESSAGE_MOVES))


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
    tables = ("copies", "messages", "problems")  # problems refer to messages, and must not while these are made anew
    for table in tables:
        sql.execute(f"create temp table kept_{table} as select * from {table}")
    sql.execute("delete from problems")
    for table, columns in _CHEAPER_TABLES.items():
        sql.execute(f"drop table {table}")
        sql.execute(f"create table {table} ({columns}) strict")
    for table in tables:
        sql.execute(f"insert into {table} select * from kept_{table}")
        sql.execute(f"drop table kept_{table}")
    for index in _CHEAPER_INDEXES:
        sql.execute(f"create {index}")
    sql.execute(_moves_trigger("copies", _FIRST_COPY_MOVES))
    sql.execute(_moves_trigger("messages", _LEGAL_MESSAGE_MOVES))


def m004_evidence(sql: Connection) -> None:
    """Tell damaged copies from unproven ones and from those a person took out; refuse deletions of what was not read.

    A copy that was compared and falls short only of the required proof becomes UNPROVEN. Of no message that an earlier
    release copied is it known whether a RETR under its present unique-id gave it: it counts as not retrieved.
    """
    sql.execute("create temp table kept_copies as select * from copies")
    sql.execute("drop table copies")
    sql.execute(f"create table copies ({_COPIES_WITH_JUDGEMENTS}) strict")
    sql.execute(
        "insert into copies select id, destination_id, content_id, case when state != 'mismatch' then state"
        " when uid is not null and (proof != 'none' or verified_at is null) then 'unproven' else 'damaged' end,"
        " intent_id, recognition, volume_id,"
        " offset, length, frame_crc, base_name, uid_validity, uid, proof, reason, verified_at from kept_copies"
    )
    sql.execute("drop table kept_copies")
    for statement in _EVIDENCE:
        sql.execute(statement)
    _name_files_alike(sql)
    sql.execute(_moves_trigger("copies", _LEGAL_COPY_MOVES))
    _spell_mailboxes_alike(sql)


def _name_files_alike(sql: Connection) -> None:
    """Know the files of Maildirs by what no mail program appends to their names."""
    named = sql.execute("select id, base_name from copies where base_name like '%,%'").fetchall()
    sql.executemany(
        "update copies set base_name = ? where id = ?", [(base_name_of(name), number) for number, name in named]
    )


def _spell_mailboxes_alike(sql: Connection) -> None:
    """Name known mailboxes by what they are; of two spellings of one mailbox the first keeps what is known."""
    known = sql.execute("select id, identity from destinations where kind = 'imap' order by id").fetchall()
    for number, identity in known:
        if (parts := _IMAP_IDENTITY_BEFORE.match(identity)) is not None:
            values = (mailbox_identity(*parts.groups()), number)
            sql.execute("update or ignore destinations set identity = ? where id = ?", values)


MIGRATIONS: tuple[_Migration, ...] = (m001_initial, m002_worker_notes, m003_cheaper_rules, m004_evidence)


def _one_of(column: str, *values: str) -> str:
    return "(" + " or ".join(f"{column} = '{value}'" for value in values) + ")"


def _moves_trigger(table: str, moves: dict[str, tuple[str, ...]]) -> str:
    legal = " or ".join(
        f"(old.state = '{before}' and ({' or '.join(f'new.state = {after!r}' for after in afters)}))"
        for before, afters in moves.items()
    )
    return (
        f"create trigger {table}_legal_moves before update of state on {table} when not ({legal}) "
        f"begin select raise(abort, 'illegal move in {table}'); end"
    )


_TABLES = (
    """create table maildrops (
        id integer primary key,
        account text not null,
        host text not null,
        port integer not null,
        username text not null,
        settled_key blob,      -- fingerprint of a listing in which nothing was left to do,
        settled_count integer, -- how many messages it showed
        settled_until real,    -- and until when that holds (a deletion falls due)
        unique (account, host, port, username)
    ) strict""",
    """create table servers (
        host text not null,
        port integer not null,
        facts text not null check (json_valid(facts)),
        primary key (host, port)
    ) strict, without rowid""",
    """create table destinations (
        id integer primary key,
        identity text not null unique,
        kind text not null check (kind in ('mbox', 'maildir', 'imap'))
    ) strict""",
    """create table volumes (
        id integer primary key,
        destination_id integer not null references destinations,
        name text not null,
        end_offset integer not null check (end_offset >= 0),
        tail_digest blob not null,
        stamp text not null,
        state text not null check (state in ('open', 'closed', 'changed')),
        problem text not null default '',
        unique (destination_id, name)
    ) strict""",
    """create table contents (
        id integer primary key,
        digest blob not null unique check (length(digest) = 32),
        header_digest blob not null,
        octets integer not null check (octets >= 0),
        message_id blob not null
    ) strict""",
    """create table intents (
        id integer primary key,
        destination_id integer not null references destinations,
        anchor text not null check (json_valid(anchor)),
        begun_at real not null
    ) strict""",
    # A copy is content x destination: the key is what forbids storing anything twice.
    """create table copies (
        id integer primary key,
        destination_id integer not null references destinations,
        content_id integer not null references contents,
        state text not null check (state in ('intended', 'stored', 'verified', 'mismatch')),
        intent_id integer references intents,
        recognition blob,
        volume_id integer references volumes,   -- mbox: with offset, length and frame
        offset integer,
        length integer,
        frame_crc integer,
        base_name text,                          -- maildir
        uid_validity integer,                    -- imap: with uid
        uid integer,
        proof text not null default 'none' check (proof in ('exact', 'canonical', 'semantic', 'none')),
        reason text not null default '',
        verified_at real,
        unique (destination_id, content_id),
        check (state != 'intended' or intent_id is not null),
        check (state not in ('stored', 'verified') or coalesce(volume_id, base_name, uid) is not null),
        check (state != 'verified' or (verified_at is not null and proof != 'none'))
    ) strict""",
    """create table messages (
        id integer primary key,
        maildrop_id integer not null references maildrops,
        unique_id blob not null,
        announced integer not null,  -- octets by LIST: a hint
        ordinal integer not null default 0,  -- tells messages apart that share unique-id and octets
        state text not null check (
            state in ('listed', 'copied', 'delete-requested', 'deleted', 'vanished', 'quarantined')),
        content_id integer references contents,
        first_seen real not null,
        copied_at real,
        gone_at real,
        check (state not in ('copied', 'delete-requested', 'deleted')
            or (content_id is not null and copied_at is not null)),
        check ((gone_at is null) = (state not in ('deleted', 'vanished')))
    ) strict""",
    """create table problems (
        message_id integer primary key references messages,
        kind text not null,
        text text not null,
        destination text,
        attempts integer not null check (attempts > 0),
        first_at real not null,
        last_at real not null,
        accepted_at real
    ) strict""",
    """create table deletions (
        id integer primary key,
        account text not null,
        host text not null,
        username text not null,
        unique_id blob not null,
        announced integer not null,
        digest blob not null,
        copies text not null check (json_valid(copies)),  -- where the copies are
        deleted_at real not null,
        confirmed_by text not null   -- the reply to QUIT, or that the next listing lacked it
    ) strict""",
    """create table fillings (   -- destinations that have what the account's other folders held
        account text not null,
        destination_id integer not null references destinations,
        filled_at real not null,
        primary key (account, destination_id)
    ) strict, without rowid""",
    """create table runs (
        id integer primary key,
        account text not null,
        started_at real not null,
        ended_at real,
        status text check (status in ('ok', 'partial', 'failed')),
        report text check (report is null or json_valid(report))
    ) strict""",
)

_INDEXES = tuple(
    f"create {index}"
    for index in (
        "unique index messages_present on messages (maildrop_id, unique_id, announced, ordinal) where gone_at is null",
        "index messages_by_content on messages (content_id)",
        "index messages_vanished on messages (maildrop_id) where state = 'vanished'",
        "index copies_by_volume on copies (volume_id, offset) where volume_id is not null",
        "index copies_by_intent on copies (intent_id) where intent_id is not null",
        "index copies_mismatched on copies (destination_id) where state = 'mismatch'",
        "index runs_by_account on runs (account, id)",
    )
)

_APPEND_ONLY = tuple(
    f"create trigger deletions_are_never_{what}d before {what} on deletions"
    " begin select raise(abort, 'the log of deletions is append-only'); end"
    for what in ("update", "delete")
)

_MESSAGE_STATES = ("copied", "listed", "delete-requested", "deleted", "vanished", "quarantined")

# Frequent states first: the rest of an ``or`` is not evaluated.
_CHEAPER_TABLES = {
    "copies": f"""
        id integer primary key,
        destination_id integer not null references destinations,
        content_id integer not null references contents,
        state text not null check {_one_of("state", "verified", "stored", "intended", "mismatch")},
        intent_id integer references intents,
        recognition blob,
        volume_id integer references volumes,   -- mbox: with offset, length and frame
        offset integer,
        length integer,
        frame_crc integer,
        base_name text,                          -- maildir
        uid_validity integer,                    -- imap: with uid
        uid integer,
        proof text not null default 'none' check {_one_of("proof", "exact", "none", "canonical", "semantic")},
        reason text not null default '',
        verified_at real,
        unique (destination_id, content_id),     -- what forbids storing anything twice
        check (state != 'intended' or intent_id is not null),
        check (not {_one_of("state", "verified", "stored")} or coalesce(volume_id, base_name, uid) is not null),
        check (state != 'verified' or (verified_at is not null and proof != 'none'))""",
    "messages": f"""
        id integer primary key,
        maildrop_id integer not null references maildrops,
        unique_id blob not null,
        announced integer not null,  -- octets by LIST: a hint
        ordinal integer not null default 0,  -- tells messages apart that share unique-id and octets
        state text not null check {_one_of("state", *_MESSAGE_STATES)},
        content_id integer references contents,
        first_seen real not null,
        copied_at real,
        gone_at real,
        check (not {_one_of("state", "copied", "delete-requested", "deleted")}
            or (content_id is not null and copied_at is not null)),
        check ((gone_at is null) = not {_one_of("state", "deleted", "vanished")})""",
}

_CHEAPER_INDEXES = (
    "unique index messages_present on messages (maildrop_id, unique_id, announced, ordinal) where gone_at is null",
    "index messages_by_content on messages (content_id) where content_id is not null",
    "index messages_vanished on messages (maildrop_id) where state = 'vanished'",
    "index copies_by_volume on copies (volume_id, offset) where volume_id is not null",
    "index copies_by_intent on copies (intent_id) where intent_id is not null",
    "index copies_mismatched on copies (destination_id) where state = 'mismatch'",
)

_COPIES_WITH_JUDGEMENTS = f"""
        id integer primary key,
        destination_id integer not null references destinations,
        content_id integer not null references contents,
        state text not null check {_one_of("state", "verified", "stored", "intended", "unproven", "damaged", "gone")},
        intent_id integer references intents,
        recognition blob,
        volume_id integer references volumes,   -- mbox: with offset, length and frame
        offset integer,
        length integer,
        frame_crc integer,
        base_name text,                          -- maildir
        uid_validity integer,                    -- imap: with uid
        uid integer,
        proof text not null default 'none' check {_one_of("proof", "exact", "none", "canonical", "semantic")},
        reason text not null default '',
        verified_at real,
        unique (destination_id, content_id),     -- what forbids storing anything twice
        check (state != 'intended' or intent_id is not null),
        check (not {_one_of("state", "verified", "stored")} or coalesce(volume_id, base_name, uid) is not null),
        check (state != 'verified' or (verified_at is not null and proof != 'none'))"""

_EVIDENCE = (
    "create index copies_by_volume on copies (volume_id, offset) where volume_id is not null",
    "create index copies_by_intent on copies (intent_id) where intent_id is not null",
    "create index copies_by_base_name on copies (destination_id, base_name) where base_name is not null",
    "create index copies_by_uid on copies (destination_id, uid_validity, uid) where uid is not null",
    "create index copies_to_be_read_back on copies (destination_id) where state = 'stored'",
    f"create index copies_in_doubt on copies (destination_id, state) where {IN_DOUBT}",
    # A RETR under its present unique-id gave the content of this message, as far as is known.
    "alter table messages add column is_retrieved integer not null default 0",
    # The session, of its maildrop's, in which this program last read it at the source.
    "alter table messages add column read_in integer",
    """create index messages_incomplete on messages (maildrop_id)
        where copied_at is null and content_id is not null and gone_at is null""",
    # How many sessions have listed this maildrop; the last of them may delete what it read.
    "alter table maildrops add column session integer not null default 0",
    # What the clock showed when the last run began, and when it was seen to have jumped and nobody has looked yet.
    "alter table maildrops add column last_run_at real",
    "alter table maildrops add column clock_doubted_at real",
    # The stamp under which a changed volume was last found changed.
    "alter table volumes add column changed_stamp text not null default ''",
    # Whatever it describes, it is looked at again: an earlier release kept the stamp of what it found changed.
    "update volumes set stamp = '' where state = 'changed'",
    # Up to where a mailbox was looked through, and what stands there without being known as a copy.
    "alter table destinations add column uid_validity integer",
    "alter table destinations add column uid_next integer",
    """create table strangers (
        destination_id integer not null references destinations,
        uid integer not null,
        octets integer not null,
        message_id blob not null,   -- the first 16 bytes of SHA-256 over its value, x'' without one
        primary key (destination_id, uid)
    ) strict, without rowid""",
    "create index strangers_by_message_id on strangers (destination_id, message_id, octets)",
    # Where damaged records stand whose messages were stored anew: what is read there is no message of its own.
    """create table remains (
        destination_id integer not null references destinations,
        content_id integer not null references contents,
        volume_id integer references volumes,
        offset integer,
        length integer,
        frame_crc integer,
        base_name text
    ) strict""",
    "create index remains_by_volume on remains (volume_id, offset)",
    "create index remains_by_content on remains (destination_id, content_id)",
    "create index remains_by_base_name on remains (destination_id, base_name)",
    """create trigger messages_deleted_unread before update of state on messages
        when new.state = 'delete-requested'
        and new.read_in is not (select session from maildrops where id = new.maildrop_id)
        begin select raise(abort, 'no message is deleted that its session has not read'); end""",
    """create table former_names (   -- of destinations that have another one now
        identity text primary key,
        destination_id integer not null references destinations
    ) strict, without rowid""",
    "drop table fillings",
)

_IMAP_IDENTITY_BEFORE = re.compile(r"imap:(.*)@([^@/]*):\d+/(.*)", re.DOTALL)
