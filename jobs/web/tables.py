"""Tables of the page's store that stand beside those of its users: tokens, tasks, decisions, ways to sign in."""

MORE_TABLES = """
create table tokens (
    id integer primary key autoincrement,
    hash blob not null unique,
    name text not null,
    scope text not null check (scope in ('read', 'operate', 'admin')),
    user text not null references users (name) on delete cascade,
    created_at real not null,
    used_at real
) strict;
create table tasks (
    id integer primary key autoincrement,
    kind text not null,
    subject text not null,
    details text not null,          -- JSON, for its kind to read; no secret
    asked_by text not null,
    asked_at real not null,
    begun_at real,
    ended_at real,
    state text not null check (state in ('queued', 'running', 'done', 'failed', 'interrupted', 'cancelled')),
    result text not null default '',
    language text not null default '',   -- of the result: that of who asked
    cancelled_by text not null default '',
    file_name text,                 -- while there is a file to be saved
    file_octets integer,
    file_until real
) strict;
create table decisions (
    id integer primary key autoincrement,
    at real not null,
    user text not null,
    account text not null,
    decision text not null check (decision in ('retry', 'accept')),
    messages integer not null
) strict;
create index decisions_by_moment on decisions (at);
"""

SIGN_IN_TABLES = """
create table passkey_users (
    user text primary key references users (name) on delete cascade,
    handle blob not null unique     -- what authenticators know the user by; says nothing of the name
) strict, without rowid;
create table passkeys (
    id integer primary key autoincrement,
    credential blob not null unique,
    user text not null references passkey_users (user) on delete cascade,
    public_key blob not null,
    sign_count integer not null,
    host text not null,             -- the name of the page that it was made for
    name text not null,
    created_at real not null,
    used_at real
) strict;
create index passkeys_by_user on passkeys (user);
create table identities (
    issuer text not null,
    subject text not null,
    user text not null references users (name) on delete cascade,
    label text not null,            -- what the provider calls the account; nothing is decided by it
    linked_at real not null,
    used_at real,
    primary key (issuer, subject),
    unique (user, issuer)
) strict, without rowid;
create table invitations (
    user text primary key references users (name) on delete cascade,
    hash blob not null unique,
    until real not null
) strict, without rowid;
"""
