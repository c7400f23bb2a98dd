"""What the scheduled worker must not forget: facts by topic and name, each one flat JSON object.

What the facts say is the worker's business (package ``jobs``); that they survive is the ledger's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from migrator.ledger.acceptance import accepted_copies
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Database, texts
from migrator.model import CopyState

SCHEDULE = "schedule"
"""The topic of where each account stands between two runs of the worker."""

VERIFICATION = "verification"
"""The topic of what is known of full verifications of the archive."""

PAGE = 1_000
"""Facts that are read at one time."""


def of_account(name: str) -> str:
    """Return what an account's own fact is called in a topic that has others, too."""
    return f"account {name}"


class StateStore:
    """What the worker remembers; each method is one transaction."""

    def __init__(self, connection: Database) -> None:
        """Read and write through this connection."""
        self._connection = connection

    def get_all(self, topic: str) -> dict[str, dict[str, object]]:
        """Return every fact of a topic, by name."""
        with self._connection.reading() as sql:
            rows = sql.execute("select name, fact from worker_notes where topic = ?", (topic,)).fetchall()
        return {name: json.loads(fact) for name, fact in rows}

    def each(self, topic: str) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield every fact of a topic with its name, in the order of the names; not all are in memory at one time.

        What is written meanwhile is there or not.
        """
        last = ""
        while True:
            with self._connection.reading() as sql:
                rows = sql.execute(
                    "select name, fact from worker_notes where topic = ? and name > ? order by name limit ?",
                    (topic, last, PAGE),
                ).fetchall()
            yield from ((name, json.loads(fact)) for name, fact in rows)
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def get(self, topic: str, name: str) -> dict[str, object]:
        """Return one fact of a topic, ``{}`` where there is none."""
        with self._connection.reading() as sql:
            row = sql.execute("select fact from worker_notes where topic = ? and name = ?", (topic, name)).fetchone()
        fact: dict[str, object] = json.loads(row[0]) if row else {}
        return fact

    def get_some(self, topic: str, names: Iterable[str]) -> dict[str, dict[str, object]]:
        """Return the facts of a topic that have these names, by name; nothing of those without one."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select n.name, n.fact from json_each(?2, '$') as wanted"
                " cross join worker_notes n on n.topic = ?1 and n.name = wanted.value",
                (topic, texts(names)),
            ).fetchall()
        return {name: json.loads(fact) for name, fact in rows}

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact in place of what was known under that name."""
        self.put_all(topic, {name: fact})

    def put_all(self, topic: str, facts: Mapping[str, Mapping[str, object]]) -> None:
        """Remember facts in place of what was known under their names: all of them or none."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "insert into worker_notes (topic, name, fact) values (?, ?, ?)"
                " on conflict (topic, name) do update set fact = excluded.fact",
                [(topic, name, json.dumps(dict(fact))) for name, fact in facts.items()],
            )

    def delete(self, topic: str, name: str) -> None:
        """Forget a fact; harmless when there is none."""
        with self._connection.transaction() as sql:
            sql.execute("delete from worker_notes where topic = ? and name = ?", (topic, name))

    def verified_in_full(self, accounts: Iterable[str], now: float) -> None:
        """Note that every copy of these accounts has been read."""
        self.put_all(VERIFICATION, {of_account(name): {"completed_at": now} for name in accounts})

    def mismatches(self) -> dict[str, int]:
        """Count the stored copies that are known to be damaged, by the identity of their destination.

        What a person has accepted as it is does not count.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, count(*) from copies k join destinations d on d.id = k.destination_id"
                f" where k.state = 'damaged' and {IN_DOUBT.replace('state', 'k.state')} group by d.identity"
            )
            counts = Counter(dict(rows.fetchall()))
            counts.subtract(accepted_copies(sql, CopyState.DAMAGED).values())
            return dict(+counts)
