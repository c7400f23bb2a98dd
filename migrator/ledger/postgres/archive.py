"""What the ledger knows of contents, where writers do not wait for each other."""

from __future__ import annotations

from migrator.ledger.archive import ArchiveLedger, NumberedContent

_IS_SETTLED = "age(c.xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)"
"""Whether no transaction goes on that may yet commit a smaller number: numbers are given before they can be seen."""


class PostgresArchive(ArchiveLedger):
    """Contents of all destinations and accounts."""

    def contents_after(self, number: int, limit: int) -> list[NumberedContent]:
        """Return the contents with greater numbers, in their order, as far as none can come between them any more."""
        return self._contents(f"c.id > ? and {_IS_SETTLED} order by c.id limit ?", number, limit)

    def count_contents_after(self, number: int, most: int) -> int:
        """Count the contents with greater numbers, up to ``most``."""
        with self._connection.reading() as sql:
            statement = (
                f"select count(*) from (select 1 from contents c where c.id > ? and {_IS_SETTLED} limit ?) as found"
            )
            return int(sql.execute(statement, (number, most)).fetchone()[0])
