"""The circuits of all hosts, over all machines: a server that is down is asked by one account now and then.

The same rule as on one machine (``jobs.schedule.circuit_breaker``); the tick queues nobody for a host whose circuit is
open, and one account when its pause is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from jobs.schedule.circuit_breaker import THRESHOLD, Circuit
from migrator.backoff import HOST


def failed(connection: psycopg.Connection, hosts: Iterable[str], now: float, message: str) -> None:
    """Note one more failure that looks like these hosts'."""
    for host in sorted(hosts):
        with connection.transaction():
            row = connection.execute(
                "insert into fleet_circuits as c (host, failures, open_until, since, message) values (%s, 1, 0, %s, %s)"
                " on conflict (host) do update set failures = c.failures + 1, message = excluded.message"
                " returning failures",
                (host, now, message),
            ).fetchone()
            failures = 0 if row is None else int(row[0])
            pause = HOST.retry_delay(failures - THRESHOLD + 1)
            connection.execute("update fleet_circuits set open_until = %s where host = %s", (now + pause, host))


def answered(connection: psycopg.Connection, hosts: Iterable[str], now: float) -> None:
    """Note that these hosts work; the accounts that failed because of one that was down may begin at once."""
    recovered = connection.execute(
        "delete from fleet_circuits where host = any(%s) returning host, failures", [sorted(hosts)]
    ).fetchall()
    if back := [host for host, failures in recovered if failures >= THRESHOLD]:
        connection.execute(
            "update fleet_accounts set next_due = least(next_due, %s)"
            " where state->>'host' = any(%s) and (state->>'attempts')::int > 0 and state->>'parked' = ''",
            (now, back),
        )


def down(connection: psycopg.Connection) -> Mapping[str, Circuit]:
    """Return the hosts that are taken to be down."""
    rows = connection.execute(
        "select host, failures, open_until, since, message from fleet_circuits where failures >= %s", [THRESHOLD]
    )
    return {row[0]: Circuit(*row[1:]) for row in rows}
