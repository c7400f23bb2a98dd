"""Filling a destination that was added later from an archive that the account already has.

What stands proven in one of the account's own folders is read from there, held against its digest, and brought to
the new destination like any other message: intended, stored, read back, recorded. What no folder holds comes from the
source, as ever. Interrupted, it goes on at the next run; done once, it is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from migrator.digest import digest_of_body
from migrator.errors import FerryError
from migrator.ledger.maildrops import Archived
from migrator.model import Body, Digest, MemoryBody, Message
from migrator.spool import SpoolFile
from migrator.transfer import Brought, Carrier

if TYPE_CHECKING:
    from migrator.run import AccountRun

_BATCH = 200
_MEMORY_LIMIT = 256 * 1024


def fill_new_destinations(run: AccountRun) -> set[Digest]:
    """Bring what the account's folders hold to its destinations that lack it; returns what was brought.

    A destination that fails is reported, and filled by a later run.
    """
    filled: set[Digest] = set()
    if len(run.carriers) < 2:
        return filled
    for target in run.carriers:
        if run.maildrop.is_filled(target.copies.destination_id):
            continue
        try:
            for digest in _fill(run, target):
                filled.add(digest)
        except FerryError as error:
            run.tally.trouble(error, target.destination.label)
        else:
            if not run.around.stop.is_set():
                run.maildrop.filled(target.copies.destination_id, run.around.clock())
    return filled


def _fill(run: AccountRun, target: Carrier) -> Iterator[Digest]:
    for source in run.carriers:
        if source is target or source.destination.kind == "imap":
            continue
        lacking = iter(run.maildrop.lacking(target.copies.destination_id, source.copies.destination_id))
        while (batch := list(islice(lacking, _BATCH))) and not run.around.stop.is_set():
            messages = list(_read(run, source, batch))
            for message, outcome in zip(messages, target.bring(messages), strict=True):
                if isinstance(outcome, Brought):
                    yield message.digest


def _read(run: AccountRun, source: Carrier, batch: Sequence[Archived]) -> Iterator[Message]:
    """Read archived messages; one that is not as it was is left out, for the source to give again."""
    copies = source.copies.find([archived.digest for archived in batch])
    located = [(archived, copy.locator) for archived in batch if (copy := copies.get(archived.digest)) and copy.locator]
    bodies = source.destination.read([locator for _, locator in located])
    for (archived, _), stored in zip(located, bodies, strict=True):
        if isinstance(stored, FerryError):
            continue
        body = _kept(run, stored)
        if digest_of_body(body) == archived.digest:
            yield Message(archived.digest, archived.header_digest, archived.message_id, body)


def _kept(run: AccountRun, stored: Body) -> Body:
    """Keep a body beyond its turn: in memory, or in the spool if it is large."""
    if stored.octets <= _MEMORY_LIMIT:
        return MemoryBody(b"".join(stored.chunks()))
    spool = SpoolFile(run.spool_dir)
    for chunk in stored.chunks():
        spool.write(chunk)
    return spool
