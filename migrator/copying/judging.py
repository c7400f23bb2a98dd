"""What a stored copy is worth by what was read of it: pure, and the only place that names a copy's state."""

from __future__ import annotations

from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger.copies import Judged, reaches
from migrator.model import CopyState, ImapLocator, Locator, Proof

_OF_THE_SERVER = frozenset(
    {Kind.CONNECT, Kind.TLS, Kind.AUTH, Kind.TEMPORARY, Kind.REFUSED, Kind.PROTOCOL, Kind.TIMEOUT, Kind.QUOTA}
)
"""Errors of a store that does not answer as it should: they say nothing of what it holds."""


_VERIFIED, _EXACT = CopyState.VERIFIED, Proof.EXACT  # for each message: names of the module are looked up sooner


def proven_exactly(copy_id: int) -> Judged:
    """Return the state of a copy that equals its message byte for byte: that reaches every grade."""
    return Judged(copy_id, _VERIFIED, _EXACT)


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
        return (
            None
            if is_mailbox or read.kind in _OF_THE_SERVER
            else Judged(copy_id, CopyState.DAMAGED, Proof.NONE, read.message)
        )
    proof, reason = read
    if reaches(proof, required):
        return Judged(copy_id, CopyState.VERIFIED, proof, reason)
    is_altered = is_mailbox and (proof is not Proof.NONE or before in (CopyState.STORED, CopyState.UNPROVEN))
    return Judged(copy_id, CopyState.UNPROVEN if is_altered else CopyState.DAMAGED, proof, reason)
