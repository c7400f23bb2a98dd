"""What a stored copy is worth by what was read of it: the only place that names a copy's state."""

from __future__ import annotations

from migrator.destinations import Destination
from migrator.errors import AwayError, FerryError, GoneError
from migrator.ledger.copies import CopiesLedger, Judged, reaches
from migrator.model import CopyState, ImapLocator, Locator, Proof
from migrator.policy import WhenCopyIsGone

_MANY_GONE = 10
"""From so many on, copies that vanished together are no person's tidying up, if they are more than half of all."""


def judge(
    copy_id: int, locator: Locator, before: CopyState, read: tuple[Proof, str] | FerryError, required: Proof
) -> Judged | None:
    """Return the state of a copy that was ``before`` in another; None where its server does not show it just now.

    ``read`` is how well what stands there is proven, with what differs, or why nothing could be read. What a mailbox's
    server altered from the start is unproven, whatever the grade: stored again it would be altered again.
    """
    is_mailbox = isinstance(locator, ImapLocator)
    if isinstance(read, GoneError):
        return Judged(copy_id, CopyState.GONE, Proof.NONE, read.message)
    if isinstance(read, FerryError):
        return None if is_mailbox else Judged(copy_id, CopyState.DAMAGED, Proof.NONE, read.message)
    proof, reason = read
    if reaches(proof, required):
        return Judged(copy_id, CopyState.VERIFIED, proof, reason)
    is_altered = is_mailbox and (proof is not Proof.NONE or before in (CopyState.STORED, CopyState.UNPROVEN))
    return Judged(copy_id, CopyState.UNPROVEN if is_altered else CopyState.DAMAGED, proof, reason)


def refuse_if_emptied(destination: Destination, copies: CopiesLedger) -> None:
    """Raise ``AwayError`` where so much is gone at once that nobody can have meant it; nothing is to be recorded then.

    To be asked before a copy is noted as GONE. Without ``keep`` its owner has said what one that is gone counts for.
    """
    if destination.when_copy_is_gone is not WhenCopyIsGone.KEEP:
        return
    places = copies.proven_places()
    gone = destination.count_missing(places)
    if gone >= _MANY_GONE and 2 * gone > len(places):
        raise AwayError(
            f"{destination.label} was emptied: {gone:,} of the {len(places):,} messages known in it are gone",
            cure='bring them back, or set when_copy_is_gone = "restore" or "accept" for this destination',
        )
