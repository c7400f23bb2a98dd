"""Who is to be queued now: of those that are due as many as their hosts have room for, and no more.

So the queue is never deep, a host with a hundred accounts gets its share beside one with a hundred thousand, and what
has waited longest comes first.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from jobs.schedule.circuit_breaker import THRESHOLD

AHEAD = 2
"""How many runs are queued for each that a source takes at one time: none of them waits for the next tick."""

_LOCK = "select pg_try_advisory_xact_lock(hashtext('mailferry tick'), hashtext(current_schema()))"
_DUE = """
with queued as (
    select a.pool, a.source, a.destinations from pgqueuer q join fleet_accounts a on a.name = q.dedupe_key
), used as (
    select host, count(*) as runs
    from (select source as host from queued union all select unnest(destinations) from queued) every group by host
), pools as (
    select pool, count(*) as runs from queued group by pool
), circuits as (
    select host, open_until > %(now)s as is_open from fleet_circuits where failures >= %(threshold)s
), hosts as (
    select host, coalesce(used.runs, 0) as runs, coalesce(l.most, %(most)s) as most, circuits.is_open
    from (select host from used union select host from circuits) known (host)
    left join used using (host) left join circuits using (host) left join fleet_limits l on l.name = host
), shut as (
    select coalesce(array_agg(host) filter (where is_closed or runs >= %(ahead)s * most), '{}') as sources,
        coalesce(array_agg(host) filter (where is_closed or runs >= most), '{}') as destinations
    from (select *, is_open is not null and (is_open or runs >= 1) as is_closed from hosts) every
), due as (
    select a.name, a.pool, a.source, a.destinations, a.next_due,
        row_number() over (partition by a.pool order by a.next_due, a.name) as place
    from fleet_accounts a, shut
    where a.next_due <= %(now)s and a.source <> all(shut.sources) and not a.destinations && shut.destinations
    and not exists (select from pgqueuer q where q.dedupe_key = a.name)
), candidates as (
    select due.* from due left join pools using (pool) left join fleet_limits l on l.name = due.pool
    where place <= %(ahead)s * coalesce(l.most, %(most)s) - coalesce(pools.runs, 0)
), asked as (
    select name, source as host, %(ahead)s as ahead, next_due from candidates
    union all
    select name, unnest(destinations), 1, next_due from candidates
), placed as (
    select asked.name, row_number() over (partition by asked.host order by asked.next_due, asked.name)
        <= case when hosts.is_open is null then asked.ahead * coalesce(hosts.most, l.most, %(most)s) else 1 end
        - coalesce(hosts.runs, 0) as has_room
    from asked left join hosts using (host) left join fleet_limits l on l.name = asked.host
), chosen as (
    select name from placed group by name having bool_and(has_room)
)
select name, pool from candidates join chosen using (name) order by next_due, name limit %(at_once)s"""
"""Of a host that was down one account asks first (``is_open`` is false: its pause is over). A destination never has
more runs queued than it takes at one time: nothing else bounds it over all machines."""


class Due(NamedTuple):
    """An account that is to be queued, and where."""

    name: str
    pool: str


def due_accounts(
    connection: psycopg.Connection, now: float, *, per_host: int, at_once: int = 10_000
) -> list[Due] | None:
    """Return who is to be queued; None where another worker is at it just now.

    To be called inside the transaction that queues them. ``per_host`` is what a host takes of which nothing is said.
    """
    if connection.execute(_LOCK).fetchone() != (True,):
        return None
    wanted = {"now": now, "most": per_host, "ahead": AHEAD, "threshold": THRESHOLD, "at_once": at_once}
    return [Due(*row) for row in connection.execute(_DUE, wanted)]
