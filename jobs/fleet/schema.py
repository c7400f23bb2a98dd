"""The tables of the fleet, beside the ledger's: they can be made again from the configuration, but for what failed.

The queue's own tables are pgqueuer's, unlogged: after a crash of the database it is empty, and the next tick fills it.
"""

from __future__ import annotations

import psycopg

TABLES = (
    """create table if not exists fleet_accounts (
        name text primary key,
        pool text not null,
        source text not null,
        destinations text[] not null,
        configured text not null,
        next_due double precision not null,
        is_to_stop boolean not null default false,
        state jsonb not null default '{}'
    ) with (fillfactor = 70)""",
    "create index if not exists fleet_accounts_next_due on fleet_accounts (next_due)",
    """create table if not exists fleet_limits (
        name text primary key,
        most integer not null check (most > 0)
    )""",
    """create table if not exists fleet_circuits (
        host text primary key,
        failures integer not null,
        open_until double precision not null,
        since double precision not null,
        message text not null
    )""",
    "create table if not exists fleet_key (proof text not null)",
    """create table if not exists fleet_workers (
        name text primary key,
        since timestamptz not null,
        seen timestamptz not null,
        running text[] not null,
        version text not null
    )""",
)
"""``fleet_limits``: how many runs at once a pool, or a host, takes over all machines. ``fleet_key``
tells whether two workers have the same key for their hashes, and not what it is."""


_NUMBERS = """do $$ declare sequence regclass; begin
    for sequence in select c.oid from pg_class c where relkind = 'S' and relpersistence = 'u'
        and relnamespace = current_schema()::regnamespace and starts_with(relname::text, 'pgqueuer') loop
        execute format('alter sequence %s set logged', sequence);
    end loop;
end $$"""
"""From PostgreSQL 15 on the sequence of an unlogged table is unlogged, too: on a promoted standby, where the table is
empty and well, it cannot be read (measured with 15.18)."""


def prepare(connection: psycopg.Connection) -> None:
    """Make what is not there; several workers may do so at one time."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('mailferry fleet'), hashtext(current_schema()))")
        for statement in TABLES:
            connection.execute(statement)
        there = connection.execute("select to_regclass('pgqueuer') is not null").fetchone()
        if there != (True,):
            connection.execute(_queue().encode())
        connection.execute(_NUMBERS)


def _queue() -> str:
    from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
    from pgqueuer.domain.settings import DBSettings, Durability

    return QueryBuilderEnvironment(settings=DBSettings(durability=Durability.volatile)).build_install_query()
