"""What is known of a destination under another name: an archive folder at another path, a mailbox at another host.

The former name keeps leading there until it is used for something else, so that a configuration that is edited later
does not begin a second archive in the meantime.
"""

from __future__ import annotations

from migrator.lazy_dataclasses import dataclass
from migrator.ledger.database import Database, Sql
from migrator.ledger.settled import destination_worth_less


@dataclass(frozen=True, slots=True)
class KnownDestination:
    """A destination that the ledger knows, and whether it knows any copy there."""

    number: int
    identity: str
    kind: str
    has_copies: bool


class Moves:
    """The names of all destinations."""

    def __init__(self, connection: Database) -> None:
        """Speak through this connection."""
        self._connection = connection

    def known(self) -> dict[str, KnownDestination]:
        """Return the destinations that the ledger knows, by identity."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select id, identity, exists (select 1 from copies where destination_id = destinations.id)"
                " from destinations order by id"
            )
            return {
                identity: KnownDestination(number, identity, identity.partition(":")[0], bool(has_copies))
                for number, identity, has_copies in rows
            }

    def has_copies(self, identity: str) -> bool:
        """Say whether the ledger knows a destination by this name, and any copy there."""
        with self._connection.reading() as sql:
            row = sql.execute(
                "select 1 from destinations d where d.identity = ?"
                " and exists (select 1 from copies where destination_id = d.id)",
                (identity,),
            ).fetchone()
        return row is not None

    def is_known_as(self, former: str, identity: str) -> bool:
        """Say whether a former name leads to a destination already."""
        with self._connection.reading() as sql:
            row = sql.execute(
                "select 1 from former_names f join destinations d on d.id = f.destination_id"
                " where f.identity = ? and d.identity = ?",
                (former, identity),
            ).fetchone()
        return row is not None

    def former_names(self) -> dict[str, str]:
        """Return the former names that still lead somewhere, each with the present one."""
        with self._connection.reading() as sql:
            return dict(
                sql.execute(
                    "select f.identity, d.identity from former_names f join destinations d on d.id = f.destination_id"
                ).fetchall()
            )

    def forget_former_name(self, identity: str) -> None:
        """Let a former name lead nowhere any more: another archive is begun under it."""
        with self._connection.transaction() as sql:
            sql.execute("delete from former_names where identity = ?", (identity,))

    def moved(self, old: KnownDestination, identity: str) -> int:
        """Know under another identity what is known of a destination; returns how many copies were taken along.

        Where something is known under the new identity already, both become one: of what both know, that of the new
        one stays.
        """
        with self._connection.transaction(is_long=True) as sql:
            row = sql.execute("select id from destinations where identity = ?", (identity,)).fetchone()
            if row is None:
                sql.execute("update destinations set identity = ? where id = ?", (identity, old.number))
                (taken,) = sql.execute("select count(*) from copies where destination_id = ?", (old.number,)).fetchone()
                number = old.number
            else:
                (number,) = row
                taken = _merge(sql, old.number, number)
            sql.execute("delete from former_names where identity = ?", (identity,))
            sql.execute(
                "insert into former_names (identity, destination_id) values (?, ?)"
                " on conflict (identity) do update set destination_id = excluded.destination_id",
                (old.identity, number),
            )
            destination_worth_less(sql, number)
        return int(taken)


def _merge(sql: Sql, old: int, new: int) -> int:
    """Give to one destination what only the other knows, and forget the other."""
    both = {"old": old, "new": new}
    sql.execute(
        "update volumes set destination_id = :new where destination_id = :old"
        " and name not in (select name from volumes where destination_id = :new)",
        both,
    )
    sql.execute("update intents set destination_id = :new where destination_id = :old", both)
    # What is only intended in one and stands in the other is there.
    sql.execute(
        "delete from copies where destination_id = :new and state = 'intended' and content_id in"
        " (select content_id from copies where destination_id = :old and state != 'intended')",
        both,
    )
    sql.execute(
        "delete from copies where destination_id = :old"
        " and content_id in (select content_id from copies where destination_id = :new)",
        both,
    )
    sql.execute(
        "update copies set volume_id = (select theirs.id from volumes ours join volumes theirs"
        " on theirs.name = ours.name and theirs.destination_id = :new where ours.id = copies.volume_id)"
        " where destination_id = :old and volume_id in (select id from volumes where destination_id = :old)",
        both,
    )
    (taken,) = sql.execute("select count(*) from copies where destination_id = :old", both).fetchone()
    sql.execute("update copies set destination_id = :new where destination_id = :old", both)
    sql.execute("update former_names set destination_id = :new where destination_id = :old", both)
    for table in ("volumes", "strangers"):
        sql.execute(f"delete from {table} where destination_id = :old", both)
    sql.execute("delete from destinations where id = :old", both)
    return int(taken)
