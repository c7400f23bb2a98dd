"""Line ends, pure: the canonical form ends lines in CRLF, files end them in LF, and a bare CR is content.

The canonical form has no LF without its CR, so turning every CRLF into LF and every LF into CRLF undo each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def to_lf(message: bytes) -> bytes:
    """Return a message in canonical form with each CRLF turned into LF."""
    lines = message.translate(None, b"\r")
    # Equal only if every LF had its one CR and there was no other: then nothing but line ends was touched. The two
    # steps and the comparison take a third of the time of replace.
    return lines if lines.replace(b"\n", b"\r\n") == message else message.replace(b"\r\n", b"\n")


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
