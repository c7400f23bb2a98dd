"""Line ends, pure: the canonical form ends lines in CRLF, files end them in LF, and a bare CR is content.

The canonical form has no LF without its CR, so turning every CRLF into LF and every LF into CRLF undo each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, LinedBody, LinesBody
from migrator.message.digest import lf_lines


def to_lf(message: bytes) -> bytes:
    """Return a message in canonical form with each CRLF turned into LF."""
    lines = lf_lines(message)
    return message.replace(b"\r\n", b"\n") if lines is None else lines


def lines_of(body: Body) -> bytes:
    """Return ``to_lf`` of a whole message."""
    return body.lines if isinstance(body, LinesBody) else b"".join(pieces_of_lines(body))


def pieces_of_lines(body: Body) -> Iterator[bytes]:
    """Yield ``to_lf`` of a message, piece by piece."""
    match body:
        case LinesBody(lines=lines):
            yield lines
        case LinedBody():
            yield from body.lines()
        case _:
            yield from pieces_to_lf(body.chunks())


@dataclass(frozen=True, slots=True)
class StoredBody(LinedBody):
    """A long message in a folder, read from its file while it is consumed; good while that is open."""

    read: Callable[[], Iterator[bytes]]
    envelope: bytes = b""

    def lines(self) -> Iterator[bytes]:
        """Yield what the file has now."""
        return self.read()


def beginning_of(body: Body, limit: int) -> bytes:
    """Return the beginning of a message with CRLF or LF, at least its header if that is within ``limit``."""
    if isinstance(body, LinesBody):
        end = body.lines.find(b"\n\n", 0, limit)
        return body.lines[: end + 2 if end >= 0 else limit]
    return next(iter(body.chunks()), b"")


def to_crlf(content: bytes) -> bytes:
    """Return the canonical form of a file's content; undoes ``to_lf``."""
    return content.replace(b"\n", b"\r\n")


def pieces_to_lf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what ``to_lf`` returns, of a message that comes in pieces."""
    held = b""
    for piece in pieces:
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""  # its LF may come with the next piece
        yield to_lf(text[:-1] if held else text)
    yield held
