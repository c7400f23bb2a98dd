"""Filling a destination that was added later from an archive that the account already has.

What stands proven in one of the account's own folders is read from there, held against its digest, and brought to
the new destination like any other message: intended, stored, read back, recorded. What no folder holds comes from the
source, as ever. Interrupted, it goes on at the next run; done once, it is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from migrator.destinations.line_ends import lines_of, pieces_of_lines
from migrator.digest import digest_of_body
from migrator.errand import Errand
from migrator.errors import FerryError
from migrator.model import Body, Content, Digest, LinesBody, Message
from migrator.spool import SpoolFile
from migrator.transfer import Carrier, Outcome

_BATCH = 200
_MEMORY_LIMIT = 256 * 1024


def fill_new_destinations(errand: Errand) -> set[Digest]:
    """Bring what the account's folders hold to its destinations that lack it; returns what was brought.

    A destination that fails, or refuses a message, is reported, and filled by a later run.
    """
    filled: set[Digest] = set()
    if len(errand.carriers) < 2:
        return filled
    for place, target in enumerate(errand.carriers):
        if place in errand.unusable or errand.maildrop.is_filled(target.copies.destination_id):
            continue
        troubles: list[FerryError] = []
        try:
            for digest, outcome in _fill(errand, target):
                if isinstance(outcome, FerryError):
                    troubles.append(outcome)
                else:
                    filled.add(digest)
        except FerryError as error:
            troubles.append(error)
        for trouble in troubles:
            errand.tally.trouble(trouble, target.destination.label)
        if not (troubles or errand.is_stopped):
            errand.maildrop.filled(target.copies.destination_id, errand.around.clock())
    return filled


def _fill(errand: Errand, target: Carrier) -> Iterator[tuple[Digest, Outcome]]:
    for place, source in enumerate(errand.carriers):
        if source is target or place in errand.unusable or source.destination.kind == "imap":
            continue
        lacking = iter(errand.maildrop.lacking(target.copies.destination_id, source.copies.destination_id))
        while (batch := list(islice(lacking, _BATCH))) and not errand.is_stopped:
            messages = read_archived(source, batch, errand.spool_dir)
            for message, outcome in zip(messages, target.bring(messages), strict=True):
                yield message.digest, outcome


def read_archived(source: Carrier, contents: Sequence[Content], spool_dir: Path) -> list[Message]:
    """Read messages from an account's own folder; one that is not there, or not as it was, is left out."""
    copies = source.copies.find([content.digest for content in contents])
    located = [(content, copy.locator) for content in contents if (copy := copies.get(content.digest)) and copy.locator]
    bodies = source.destination.read([locator for _, locator in located])
    messages: list[Message] = []
    for (content, _), stored in zip(located, bodies, strict=True):
        if isinstance(stored, FerryError):
            continue
        body = _kept(stored, spool_dir)
        if digest_of_body(body) == content.digest:
            messages.append(Message(content.digest, content.header_digest, content.message_id, body.octets, body))
    return messages


def _kept(stored: Body, spool_dir: Path) -> Body:
    """Keep a body beyond its turn: in memory, or in the spool if it is large."""
    octets = stored.octets
    if octets <= _MEMORY_LIMIT:
        return LinesBody(lines_of(stored))
    spool = SpoolFile(spool_dir)
    for lines in pieces_of_lines(stored):
        spool.write(lines)
    return spool.body(octets)
