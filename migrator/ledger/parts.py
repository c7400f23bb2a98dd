"""Which classes speak for a ledger: those that stand here, unless its database has better ways to say the same."""

from __future__ import annotations

from typing import NamedTuple

from migrator.ledger.archive import ArchiveLedger
from migrator.ledger.copies import CopiesLedger
from migrator.ledger.maildrops import MaildropLedger


class Parts(NamedTuple):
    """The classes of those parts that differ between databases."""

    archive: type[ArchiveLedger] = ArchiveLedger
    copies: type[CopiesLedger] = CopiesLedger
    maildrop: type[MaildropLedger] = MaildropLedger
