"""The accounts of the fleet, a row each: where it is queued, when it is due, what is remembered of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from jobs.fleet.settling import Settled
from jobs.schedule.account_state import AccountState
from migrator.lazy_dataclasses import dataclass

BUSIEST = 200
"""How many sources have a pool of their own; the queue is asked for each pool at each look."""
SHARED = 32
"""The others share these by their names, with the limit of one host."""


class Listed(NamedTuple):
    """An account of the configuration, as the fleet needs it: its servers, and the hash of what is configured."""

    name: str
    source: str
    destinations: Sequence[str]
    configured: str


@dataclass(frozen=True, slots=True)
class Row:
    """What is remembered of an account."""

    configured: str
    next_due: float
    state: AccountState


def pools(accounts: Iterable[Listed]) -> dict[str, str]:
    """Return the pool of each source: its own where many accounts are, else one that it shares. Pure."""
    counts = Counter(account.source for account in accounts)
    busiest = set(sorted(counts, key=lambda source: (-counts[source], source))[:BUSIEST])
    return {source: f"host {source}" if source in busiest else _shared(source) for source in counts}


def _shared(source: str) -> str:
    return f"pool {int.from_bytes(sha256(source.encode()).digest()[:4]) % SHARED}"


def register(
    connection: psycopg.Connection,
    accounts: Sequence[Listed],
    limits: Mapping[str, int],
    now: float,
    unreadable: Sequence[str] = (),
) -> None:
    """Make the rows those of this configuration: what is new or changed is due at once, what is not there goes.

    ``unreadable`` are accounts of the database that cannot be read here, but maybe elsewhere: their rows stay.
    ``limits`` are the hosts of which somebody has said how many connections they take. What was wrong with a changed
    account may be mended: it is no longer parked, nor held back. Workers that begin at one time take turns.
    """
    pool = pools(accounts)
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('mailferry accounts'), hashtext(current_schema()))")
        connection.execute(
            "create temp table wanted (name text, pool text, source text, destinations text[], configured text)"
            " on commit drop"
        )
        copying = "copy wanted (name, pool, source, destinations, configured) from stdin"
        with connection.cursor() as cursor, cursor.copy(copying) as copy:
            for one in accounts:
                copy.write_row((one.name, pool[one.source], one.source, list(one.destinations), one.configured))
        connection.execute(_REGISTER, {"now": now})
        connection.execute(_FORGET, {"unreadable": list(unreadable)})
        connection.execute("delete from fleet_limits")
        known = {**limits, **{pool[source]: limits[source] for source in pool if source in limits}}
        with connection.cursor() as cursor:
            cursor.executemany("insert into fleet_limits (name, most) values (%s, %s)", list(known.items()))


_FORGET = """delete from fleet_accounts a
    where not exists (select from wanted where name = a.name) and name <> all(%(unreadable)s)"""
_REGISTER = """insert into fleet_accounts as a (name, pool, source, destinations, configured, next_due)
    select name, pool, source, destinations, configured, %(now)s from wanted
    on conflict (name) do update set
        pool = excluded.pool, source = excluded.source, destinations = excluded.destinations,
        configured = excluded.configured,
        next_due = case when a.configured = excluded.configured then a.next_due else excluded.next_due end,
        state = case when a.configured = excluded.configured then a.state
            else a.state || '{"parked": "", "not_before": 0, "gap": 0, "announced": 0, "worked_with": ""}' end
    where (a.pool, a.source, a.destinations, a.configured)
        is distinct from (excluded.pool, excluded.source, excluded.destinations, excluded.configured)"""


def row_of(connection: psycopg.Connection, name: str) -> Row | None:
    """Return what is remembered of an account, None where it is not known (any more)."""
    found = connection.execute(
        "select configured, next_due, state from fleet_accounts where name = %s", [name]
    ).fetchone()
    return None if found is None else Row(found[0], found[1], AccountState.from_fact(found[2]))


def settle(connection: psycopg.Connection, name: str, settled: Settled) -> None:
    """Remember what a run has come to, and when the account is due again."""
    connection.execute(
        "update fleet_accounts set state = %s, next_due = %s, is_to_stop = false where name = %s",
        (Jsonb(settled.state.as_fact()), settled.due, name),
    )


def postpone(connection: psycopg.Connection, name: str, due: float) -> None:
    """Offer an account no earlier; what is remembered of it stays."""
    connection.execute("update fleet_accounts set next_due = %s where name = %s", (due, name))


def try_now(connection: psycopg.Connection, names: Sequence[str], now: float) -> None:
    """Let accounts run at once, whatever failed before; what their servers want between two log-ins is kept."""
    connection.execute(
        """update fleet_accounts set
            next_due = case when coalesce((state->>'attempts')::int, 0) = 0
                then greatest(%(now)s, coalesce((state->>'not_before')::float8, 0)) else %(now)s end,
            state = state || '{"parked": ""}' where name = any(%(names)s)""",
        {"names": list(names), "now": now},
    )


def logged_in(connection: psycopg.Connection, names: Sequence[str], now: float) -> None:
    """Go on with accounts that failed and that somebody has worked since: what kept us from them is over."""
    connection.execute(
        """update fleet_accounts set next_due = %(now)s, state = state || '{"parked": ""}'
        where name = any(%(names)s) and (state->>'attempts')::int > 0""",
        {"names": list(names), "now": now},
    )


def look_again(connection: psycopg.Connection, now: float) -> None:
    """Let every parked account compare its passwords now."""
    connection.execute("update fleet_accounts set next_due = %s where state->>'parked' <> ''", [now])


def stop_run(connection: psycopg.Connection, name: str) -> None:
    """Let the run of an account end between two messages, on whichever machine it is."""
    connection.execute("update fleet_accounts set is_to_stop = true where name = %s", [name])


def to_stop(connection: psycopg.Connection, names: Sequence[str]) -> list[str]:
    """Return which of these are to end because a person wants it."""
    wanted = "select name from fleet_accounts where name = any(%s) and is_to_stop"
    return [row[0] for row in connection.execute(wanted, [list(names)])]


def others_wait(connection: psycopg.Connection, names: Sequence[str], now: float) -> list[str]:
    """Return which of these keep others waiting, at their source or at a destination."""
    waiting = """select a.name from fleet_accounts a where a.name = any(%(names)s) and exists (
        select from fleet_accounts b left join pgqueuer q on q.dedupe_key = b.name
        where b.next_due <= %(now)s and (b.pool = a.pool or b.destinations && a.destinations)
        and b.name <> a.name and q.status is distinct from 'picked')"""
    return [row[0] for row in connection.execute(waiting, {"names": list(names), "now": now})]


def states(connection: psycopg.Connection) -> dict[str, AccountState]:
    """Return what is remembered of every account."""
    return {
        row[0]: AccountState.from_fact(row[1]) for row in connection.execute("select name, state from fleet_accounts")
    }


def limits_of_pools(connection: psycopg.Connection, per_host: int) -> dict[str, int]:
    """Return every pool there is, with how many runs it takes over all machines."""
    rows = connection.execute(
        "select pool, coalesce(max(l.most), %s) from fleet_accounts"
        " left join fleet_limits l on l.name = pool group by pool",
        [per_host],
    )
    return {row[0]: row[1] for row in rows}
