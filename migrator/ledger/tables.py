"""The tables, indexes and rules of the ledger as SQL, in the order in which the migrations of ``schema`` made them."""

from __future__ import annotations

from migrator.ledger.copy_rows import IN_DOUBT


def _one_of(column: str, *values: str) -> str:
    return "(" + " or ".join(f"{column} = '{value}'" for value in values) + ")"


TABLES = (
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

INDEXES = tuple(
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

APPEND_ONLY = tuple(
    f"create trigger deletions_are_never_{what}d before {what} on deletions"
    " begin select raise(abort, 'the log of deletions is append-only'); end"
    for what in ("update", "delete")
)

_MESSAGE_STATES = ("copied", "listed", "delete-requested", "deleted", "vanished", "quarantined")

# Frequent states first: the rest of an ``or`` is not evaluated.
CHEAPER_TABLES = {
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

CHEAPER_INDEXES = (
    "unique index messages_present on messages (maildrop_id, unique_id, announced, ordinal) where gone_at is null",
    "index messages_by_content on messages (content_id) where content_id is not null",
    "index messages_vanished on messages (maildrop_id) where state = 'vanished'",
    "index copies_by_volume on copies (volume_id, offset) where volume_id is not null",
    "index copies_by_intent on copies (intent_id) where intent_id is not null",
    "index copies_mismatched on copies (destination_id) where state = 'mismatch'",
)

COPIES_WITH_JUDGEMENTS = f"""
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

EVIDENCE = (
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
    # Where damaged records stand whose messages were stored again: what is read there is no message of its own.
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

KEPT_NUMBERS = (
    """create table account_numbers (
        account text primary key,
        changes integer not null,              -- how often something changed of which the numbers tell,
        counted integer not null default -1,   -- and how often it had when they were counted: they hold if that is all
        on_server integer not null default 0,
        safe integer not null default 0,
        waiting integer not null default 0,
        failed integer not null default 0,
        deleted integer not null default 0,
        octets_safe integer not null default 0,
        oldest_unsafe real,
        accepted integer not null default 0,
        check (counted <= changes),
        check (on_server = safe + waiting + failed + accepted)
    ) strict, without rowid""",
    """insert into account_numbers (account, changes, counted, on_server, safe, waiting, failed, deleted, octets_safe,
            oldest_unsafe, accepted)
        select account, 0, 0, on_server, safe, on_server - safe - failed - accepted, failed, deleted, octets_safe,
            oldest_unsafe, accepted
        from (select d.account, count(m.id) as on_server, count(m.copied_at) as safe,
                count(*) filter (where m.copied_at is null and p.accepted_at is null and p.message_id is not null)
                    as failed,
                (select count(*) from deletions where account = d.account) as deleted,
                coalesce(sum(c.octets) filter (where m.copied_at is not null), 0) as octets_safe,
                min(m.first_seen) filter (where m.copied_at is null and p.accepted_at is null) as oldest_unsafe,
                count(*) filter (where m.copied_at is null and p.accepted_at is not null) as accepted
            from maildrops d left join messages m on m.maildrop_id = d.id and m.gone_at is null
            left join contents c on c.id = m.content_id left join problems p on p.message_id = m.id
            group by d.account)""",
)
