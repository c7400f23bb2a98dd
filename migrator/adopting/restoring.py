"""A stored message as the server sent it: without what the program that stored it added. Pure.

It is a proposal: whether it is what the server sent, its octets and its headers must show.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.adopting.model import Program
from migrator.interchange.mail_files import message_of
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, Message
from migrator.message.digest import HEADER_LIMIT, header_block

_ENDING = 4


@dataclass(frozen=True, slots=True)
class RestoredMessage:
    """A message in the form that the server sent, as far as is known; ``unique_id`` and ``mark`` as in ``Restored``.

    ``is_marked``: its program left a mark of its own in it.
    """

    message: Message
    unique_id: bytes = b""
    mark: str = ""
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """A body of which the first octets are others, and the last ones missing."""

    body: Body
    skipped: int
    instead: bytes
    cut: int

    @property
    def octets(self) -> int:
        """The length in bytes."""
        return self.body.octets - self.skipped + len(self.instead) - self.cut

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in pieces."""
        yield self.instead
        to_skip, held = self.skipped, b""
        for piece in self.body.chunks():
            rest = held + piece[to_skip:]
            to_skip = max(0, to_skip - len(piece))
            held = rest[len(rest) - self.cut :] if self.cut else b""
            if out := rest[: len(rest) - len(held)]:
                yield out


def restored(message: Message, program: Program, *, is_record: bool) -> RestoredMessage:
    """Return a stored message as the server sent it; ``is_record``: it stands in an mbox.

    One that bears no mark of the program is returned as it is.
    """
    beginning, last = _ends(message.body)
    block = header_block(beginning)
    found = program.restored(block)
    if found is None:
        return RestoredMessage(message)
    ending = program.ending(is_record)
    cut = len(ending) if ending and last.endswith(b"\r\n" + ending) else 0
    body = Edited(message.body, len(block), found.block, cut)
    return RestoredMessage(message_of(body), found.unique_id, found.mark, is_marked=True)


def _ends(body: Body) -> tuple[bytes, bytes]:
    """Return the beginning of a message, with all of a header that is not too long, and its last octets."""
    beginning = last = b""
    for piece in body.chunks():
        if len(beginning) < HEADER_LIMIT:
            beginning += piece[:HEADER_LIMIT]
        last = (last + piece)[-_ENDING:]
    return beginning, last
