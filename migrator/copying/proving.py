"""A copy that is to be read back, with what it should equal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from migrator.message.body import Message
from migrator.model import CopyState, Digest, Locator, Proof, StoredCopy


class ToProve(NamedTuple):
    """A copy to be read back, with the message it should equal; ``original`` is None where it is not there."""

    copy_id: int
    digest: Digest
    locator: Locator
    state: CopyState
    proof: Proof
    was_proven: bool
    original: Message | None

    @property
    def was_never_shown(self) -> bool:
        """Whether only the destination's word says that this copy ever stood there."""
        return self.state is CopyState.STORED and not self.was_proven


_STORED, _NONE = CopyState.STORED, Proof.NONE  # for each message: names of the module are looked up sooner


def stored_now(copy_id: int, locator: Locator, message: Message) -> ToProve:
    """Return what is to be proven of a copy that has just been stored."""
    return ToProve(copy_id, message.digest, locator, _STORED, _NONE, False, message)  # noqa: FBT003  # was it proven


def known_copies(copies: Iterable[StoredCopy], wanted: Mapping[Digest, Message]) -> list[ToProve]:
    """Return what is to be proven of copies that the ledger knows; one that stands nowhere is left out."""
    return [
        ToProve(c.copy_id, c.digest, c.locator, c.state, c.proof, was_proven_once(c), wanted.get(c.digest))
        for c in copies
        if c.locator is not None
    ]


def was_proven_once(copy: StoredCopy) -> bool:
    """Say whether a copy was ever read back and found equal."""
    return copy.verified_at is not None
