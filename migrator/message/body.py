"""A message's bytes, held in memory, in a spool file or in a folder, and what identifies them. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from migrator.lazy_dataclasses import dataclass
from migrator.model import Digest, HeaderDigest


class Body(Protocol):
    """The bytes of one message in canonical form (each line ends in CRLF): in memory or in a spool file."""

    @property
    def octets(self) -> int:
        """How many bytes ``chunks`` yields in all."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in order, in pieces of bounded size; each call starts again."""


@runtime_checkable
class HasEnvelope(Protocol):
    """What a body that was read from an mbox may know besides."""

    @property
    def envelope(self) -> bytes:
        """The From_ line above it; empty where there was none."""


@dataclass(frozen=True, slots=True)
class MemoryBody:
    """A message small enough to be held in memory."""

    content: bytes
    envelope: bytes = b""

    @property
    def octets(self) -> int:
        """The length of the message in bytes."""
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole message at once."""
        yield self.content


class LinesBody(NamedTuple):
    """A message held in memory with LF line ends, as folders have it; each of them stands for a CRLF."""

    lines: bytes
    envelope: bytes = b""

    @property
    def octets(self) -> int:
        """The length of the message in bytes; it takes a pass over the lines to know it."""
        return len(self.lines) + self.lines.count(b"\n")

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole message at once."""
        yield self.lines.replace(b"\n", b"\r\n")


class LinedBody(ABC):
    """A message kept with LF line ends, in pieces: held in memory, in a spool file, or in a folder."""

    __slots__ = ()

    @abstractmethod
    def lines(self) -> Iterator[bytes]:
        """Yield the message with LF line ends, in pieces of bounded size; each call starts again."""

    @property
    def octets(self) -> int:
        """The length of the message in canonical form; it takes a pass over it to know it."""
        return sum(len(piece) + piece.count(b"\n") for piece in self.lines())

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in canonical form, in pieces of bounded size."""
        return (piece.replace(b"\n", b"\r\n") for piece in self.lines())


@dataclass(frozen=True, slots=True)
class PiecedBody(LinedBody):
    """A message held in memory in the pieces it came in."""

    pieces: tuple[bytes, ...]

    def lines(self) -> Iterator[bytes]:
        """Yield the pieces."""
        return iter(self.pieces)


class Message(NamedTuple):
    """A message in canonical form with what identifies it, ready to be stored anywhere.

    ``message_id`` is the value of its Message-ID header, ``b""`` without one; it only helps a person to find it.
    ``octets`` is the length in bytes of the canonical form. ``fallback_date`` is what the place it comes from says
    about when it arrived, in seconds since the epoch: it counts where the header says nothing. ``flags`` are system
    flags of IMAP (RFC 9051, section 2.3.2) that the copy is to have where its destination can have them.
    """

    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes
    octets: int
    body: Body
    fallback_date: float | None = None
    flags: tuple[str, ...] = ()
