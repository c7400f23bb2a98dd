"""The classes that speak to PostgreSQL."""

from __future__ import annotations

from migrator.ledger.parts import Parts
from migrator.ledger.postgres.archive import PostgresArchive
from migrator.ledger.postgres.copies import PostgresCopies
from migrator.ledger.postgres.maildrops import PostgresMaildrop

PARTS = Parts(PostgresArchive, PostgresCopies, PostgresMaildrop)
