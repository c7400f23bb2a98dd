"""What is left of providers' upload allowances, for all machines that share the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.ledger.database import Database
from migrator.ledger.schedule import StateStore

TOPIC = "allowances"


class SharedAllowances:
    """When the allowances of a user at a host are full again, in seconds since the epoch, by their names."""

    def __init__(self, connection: Database) -> None:
        """Read and write through this connection."""
        self._store = StateStore(connection)

    def read(self, owner: str) -> Mapping[str, float]:
        """Return what any machine wrote of an owner last; nothing where that is not known."""
        return {name: float(str(moment)) for name, moment in self._store.get(TOPIC, owner).items()}

    def write(self, owner: str, full_at: Mapping[str, float]) -> None:
        """Keep this in place of what was known of an owner."""
        self._store.put(TOPIC, owner, full_at)
