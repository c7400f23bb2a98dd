"""The tables of the search index. Pure."""

from __future__ import annotations

VERSION = 5
"""Raised whenever an index written before would find other things than one written now: then it is built again."""

TABLES = """
create table messages (
    id integer primary key,  -- says when it was written: migrator.search.numbers
    digest blob not null,  -- each once: who adds one has looked for it
    octets integer not null,
    date integer,
    sender text not null,
    recipients text not null,
    subject text not null,
    message_key integer,  -- stands for its Message-ID: migrator.search.keys
    attachments integer not null,
    problem text not null
) strict;
create index messages_by_traits on messages (id, date, octets, attachments, problem);
create index messages_by_message_key on messages (message_key) where message_key is not null;
create index messages_by_digest on messages (substr(digest, 1, 8));
create table owners (
    message integer not null,
    account text not null,
    is_seen integer not null,  -- a maildrop of this account showed it; else it stands where its mail goes
    primary key (message, account)
) strict, without rowid;
create index owners_by_account on owners (account, message);
create table orphans (number integer primary key) strict;  -- numbers of messages that are gone, and whose words are not
create table waiting (number integer primary key) strict;  -- contents of the ledger that had no copy to be read yet
create table notes (name text primary key, value any) strict, without rowid;
create virtual table words using fts5 (
    body, sender, recipients, cc, subject, list, attachments,  -- what stands first takes the least room
    content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);
"""
