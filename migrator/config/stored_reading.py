"""One reading of the accounts that are kept in the ledger's database: they are there, or there is a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from migrator.config.sheets import NamedSheet, StoredSheets


@dataclass(slots=True)
class StoredReading:
    """Reads them once; ``unread`` is why they could not be read, ``revision`` another one when they are others."""

    source: StoredSheets | None
    revision: str = ""
    unread: FerryError | None = None

    def sheets(self, address: str) -> Sequence[NamedSheet]:
        """Return the sheets that are kept in the database at this address; none for no address."""
        if self.source is None or not address:
            return ()
        try:
            found = self.source(address)
        except FerryError as error:
            self.unread = error
            return ()
        self.revision = "".join(one.revision for one in found)
        return found
