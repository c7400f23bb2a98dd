"""Copies whose known places mean nothing any more are found again, or are gone; and when too many are gone at once.

A mailbox that was moved or restored has another UIDVALIDITY (RFC 9051, section 2.3.1.1): its copies are looked for by
content, once, before anything is read or stored. It may be cut short anywhere and is then asked again.
"""

from __future__ import annotations

from migrator.copy_records import Lost, Relocated
from migrator.destinations import Destination, Relocating
from migrator.errors import FerryError, Kind
from migrator.ledger.copies import CopiesLedger
from migrator.policy import WhenCopyIsGone

_MANY_GONE = 10
"""From that many on, copies that vanished together are no person's tidying up, if they are more than half of all."""


def relocate(destination: Destination, copies: CopiesLedger) -> None:
    """Bring the ledger in line with a mailbox that got another UIDVALIDITY: each copy has its new place, or is GONE.

    Raises ``archive`` where the mailbox is not there, or was emptied; what was found by then is recorded, and nothing
    is called gone.
    """
    if not isinstance(destination, Relocating):
        return
    lost: list[Lost] = []
    for group in destination.relocate(copies):
        copies.relocated([one for one in group if isinstance(one, Relocated)])
        lost += [one for one in group if isinstance(one, Lost)]
    if lost:
        refuse_if_emptied(destination, sum(one.was_proven for one in lost), len(copies.proven_places()))
        copies.lost(lost)


def is_emptied(gone: int, known: int) -> bool:
    """Say whether so much is gone at once that it was no person's tidying up."""
    return gone >= _MANY_GONE and 2 * gone > known


def refuse_if_emptied(destination: Destination, gone: int, known: int) -> None:
    """Raise ``archive`` where so much is gone at once that nobody can have meant it, unless a setting says so."""
    if destination.when_copy_is_gone is WhenCopyIsGone.KEEP and is_emptied(gone, known):
        problem = f"{destination.label} was emptied: {gone:,} of the {known:,} messages known in it are gone"
        raise emptied(destination, problem)


def emptied(destination: Destination, problem: str) -> FerryError:
    """Return the error that it is when a place was emptied, with its cure; ``problem`` says how far."""
    place = f" {destination.setting_place}" if destination.setting_place else ""
    return FerryError(
        Kind.ARCHIVE,
        problem,
        cure=f'bring them back, or write when_copy_is_gone = "restore" (store them again) or "accept"{place}',
        finding="mailbox-missing" if destination.kind == "imap" else "",
    )
