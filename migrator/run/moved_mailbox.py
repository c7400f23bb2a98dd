"""A mailbox whose server has another name now, recognised before anything is copied from or to it.

Of a mailbox at a host of which the ledger knows nothing, another one may be known: the same user's, the same folder, at
a host that this account does not use any more. Where UIDVALIDITY is the same (RFC 9051, section 2.3.1.1: no two
mailboxes of one name have the same by chance), it is that mailbox, and what is known of it stays known. Else it is a
new one, as when a person changes provider.
"""

from __future__ import annotations

from migrator.copying.copier import Copier
from migrator.destinations import HasUidValidity
from migrator.ledger import Ledger
from migrator.model import is_same_mailbox_elsewhere


def follow_mailbox(ledger: Ledger, copier: Copier, configured: set[str]) -> bool:
    """Know a mailbox under its present host; says whether it was moved. Connects only where there is a candidate.

    ``configured`` are the identities that the account uses. Raises what keeps the server from being asked.
    """
    destination = copier.destination
    if not isinstance(destination, HasUidValidity) or copier.copies.has_copies():
        return False
    candidates = [
        one
        for one in ledger.moves.known().values()
        if one.has_copies and one.identity not in configured
        if is_same_mailbox_elsewhere(one.identity, destination.identity)
    ]
    if not candidates:
        return False
    uid_validity = destination.uid_validity()
    for one in candidates:
        if uid_validity is not None and ledger.copies(one.identity, one.kind).stand_under(uid_validity):
            ledger.moves.moved(one, destination.identity)
            return True
    return False
