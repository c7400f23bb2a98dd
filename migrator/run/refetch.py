"""Retrieves known messages from their source once more, deleting nothing there: for the repair of damaged copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrator.message.body import Message
from migrator.message.spool import OctetBudget, SpoolFile
from migrator.model import Digest, ListedMessage
from migrator.pop3.retrieve import Blocked, InStep, Retrieved, RetrieveRefused
from migrator.pop3.session import Session

_BUDGET = 48 * 1024 * 1024


def refetched(session: Session, wanted: dict[Digest, bytes], state_dir: Path) -> Iterator[Message]:
    """Yield the wanted contents that the source still holds, each given with the unique-id it was last seen under.

    The digest of what the source gives now must be that one; another message under the same unique-id is passed over.
    The session ends without QUIT: nothing at the source changes. Raises ``FerryError``.
    """
    try:
        listed = _listed(session, set(wanted.values()), state_dir)
        for message in _retrieved(session, listed, state_dir / "spool"):
            if message.digest in wanted:
                yield message
    finally:
        session.abandon()


def _listed(session: Session, unique_ids: set[bytes], state_dir: Path) -> list[ListedMessage]:
    listing = session.listing(state_dir)
    try:
        return [message for message in listing if message.unique_id in unique_ids]
    finally:
        listing.close()


def _retrieved(session: Session, listed: list[ListedMessage], spool: Path) -> Iterator[Message]:
    """Yield messages once the session is known to be in step behind them."""
    octets = {message.number: message.octets for message in listed}
    budget = OctetBudget(_BUDGET)
    arrived: list[Retrieved] = []
    for event in session.retrieve(iter(listed), budget, lambda: SpoolFile(spool)):
        match event:
            case Retrieved():
                arrived.append(event)
            case RetrieveRefused(number):
                budget.give_back(octets[number])
            case InStep():
                for one in arrived:
                    yield one.message
                    budget.give_back(octets[one.number])
                arrived.clear()
            case Blocked():
                continue  # what is held is let go of at the next step
