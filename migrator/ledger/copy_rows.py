"""How a copy is written down in the ledger's rows, and read from them."""

from __future__ import annotations

import json
from typing import Any

from migrator.copy_records import Anchor, ImapAnchor, MaildirAnchor, MboxAnchor
from migrator.ledger.contents import THE_CONTENTS
from migrator.model import CopyState, ImapLocator, Locator, MaildirLocator, MboxLocator, Proof, StoredCopy

IN_DOUBT = "(state = 'unproven' or state = 'damaged' or state = 'gone')"
"""What an index has: a query that says it word for word goes through few rows."""

_COPY_COLUMNS = (
    "k.id, c.digest, c.octets, k.state, v.name, k.offset, k.length, k.frame_crc, k.base_name,"
    " k.uid_validity, k.uid, k.proof, k.reason, k.verified_at"
)

COPY = (
    f"select {_COPY_COLUMNS} from copies k join contents c on c.id = k.content_id"
    " left join volumes v on v.id = k.volume_id"
)

COPIES_OF_THE_CONTENTS = (
    f"select {_COPY_COLUMNS} from {THE_CONTENTS} cross join copies k on k.content_id = c.id"
    " left join volumes v on v.id = k.volume_id where k.destination_id = ? and k.state != 'intended'"
)

DESTINATIONS_OF_THE_CONTENTS = (
    f"select k.destination_id, c.digest from {THE_CONTENTS} cross join copies k on k.content_id = c.id"
    " where k.state != 'intended'"
)

PLACE_COLUMNS: dict[type[Locator], tuple[str, ...]] = {
    MboxLocator: ("volume_id", "offset", "length", "frame_crc"),
    MaildirLocator: ("base_name",),
    ImapLocator: ("uid_validity", "uid"),
}
"""The columns that say where a copy stands; those of other kinds are null."""

_PLACES_LIKE = {"s3": "mbox"}


def places_like(kind: str) -> str:
    """Return the kind whose places those of a destination are like: an object of records is a volume.

    That is what ``destinations.kind`` holds; what a destination is, its identity says.
    """
    return _PLACES_LIKE.get(kind, kind)


_ANCHORS: dict[str, type[MboxAnchor | MaildirAnchor | ImapAnchor]] = {
    anchor.__name__: anchor for anchor in (MboxAnchor, MaildirAnchor, ImapAnchor)
}


def anchor_of(text: str) -> Anchor:
    """Read where a batch was about to be stored from on."""
    fields = json.loads(text)
    return _ANCHORS[fields.pop("type")](**fields)


def place_of(locator: Locator, volume_ids: dict[str, int]) -> tuple[int | str, ...]:
    """Return the values of ``PLACE_COLUMNS`` for a place."""
    match locator:
        case MboxLocator(volume, offset, length, frame_crc):
            return (volume_ids[volume], offset, length, frame_crc)
        case MaildirLocator(base_name):
            return (base_name,)
        case ImapLocator(uid_validity, uid):
            return (uid_validity, uid)


_STATES = {state.value: state for state in CopyState}
_PROOFS = {proof.value: proof for proof in Proof}


def stored_copy(row: tuple[Any, ...]) -> StoredCopy:
    """Read a row of ``COPY``."""
    copy_id, digest, octets, state, *place, proof, reason, verified_at = row
    return StoredCopy(copy_id, digest, octets, _STATES[state], _locator(*place), _PROOFS[proof], reason, verified_at)


def _locator(
    volume: str | None, offset: int, length: int, crc: int, base_name: str | None, validity: int, uid: int | None
) -> Locator | None:
    if volume is not None:
        return MboxLocator(volume, offset, length, crc)
    if base_name is not None:
        return MaildirLocator(base_name)
    return ImapLocator(validity, uid) if uid is not None else None
