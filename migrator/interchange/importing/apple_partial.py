"""Apple's ``.partial.emlx``: a message whose attachments stand beside it, put together again.

Apple Mail takes the content of attachments out of some messages and leaves ``X-Apple-Content-Length`` in the part's
header. The content stands decoded in ``../Attachments/N/PART/NAME``, N being the number in the message's name and PART
that of the part, as IMAP counts (RFC 9051, section 6.4.5). What comes out has each part's content in the part's own
transfer encoding; lines of base64 may be broken elsewhere than in the message as it once arrived.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from migrator.interchange.importing.single import apple_bounds
from migrator.interchange.mail_files import opened, read_at
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.digest import canonical

_MOST_OCTETS = 64 << 20
_MOST_DEPTH = 50
_APPLE_LENGTH = re.compile(rb"(?:\A|(?<=\n))x-apple-content-length[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n", re.I)
_BOUNDARY = re.compile(rb"(?:\A|\n)content-type[ \t]*:[ \t\r\n]*multipart/[^\n]*(?:\n[ \t][^\n]*)*", re.I)
_BOUNDARY_VALUE = re.compile(rb'boundary[ \t]*=[ \t]*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.I)
_ENCODING = re.compile(rb"(?:\A|\n)content-transfer-encoding[ \t]*:[ \t]*([!-~]+)", re.I)
_NAME = re.compile(r"(\d+)\.partial\.emlx\Z", re.I)
_LINE_OCTETS = 57  # of content in a line of base64: 76 characters


def is_partial(name: str) -> bool:
    """Say whether a file's name is that of a message without its attachments."""
    return _NAME.search(name) is not None


@dataclass(slots=True)
class Whole:
    """A message that is being put together; ``missing`` are the parts whose content was not found."""

    attachments: Path | None
    missing: list[str] = field(default_factory=list)

    @property
    def doubt(self) -> str:
        """Say what is missing; nothing where all is there."""
        count = len(self.missing)
        what = "one of its attachments is" if count == 1 else f"{count:,} of its attachments are"
        return f"{what} not beside it, in the folder Attachments; it was stored without" if count else ""

    def pieces(self, message: bytes) -> Iterator[bytes]:
        """Yield the message in canonical form with the content of its attachments in place."""
        return self._entity(canonical(message), "", 0)

    def _entity(self, entity: bytes, number: str, depth: int) -> Iterator[bytes]:
        header, blank, body = _split(entity)
        boundary = _boundary_of(header)
        if boundary and depth < _MOST_DEPTH:
            yield header + blank
            yield from self._parts(body, boundary, number, depth)
        elif _APPLE_LENGTH.search(header) and not body.strip():
            yield from self._filled(header, blank, body, number or "1")
        else:
            yield entity

    def _parts(self, body: bytes, boundary: bytes, number: str, depth: int) -> Iterator[bytes]:
        pieces = re.split(rb"((?:\A|\r\n)--%b(?:--)?[ \t]*(?:\r\n|\Z))" % re.escape(boundary), body)
        yield pieces[0]
        is_open = True
        for count, (delimiter, content) in enumerate(zip(pieces[1::2], pieces[2::2], strict=True), 1):
            yield delimiter
            is_open = is_open and not delimiter.strip().endswith(boundary + b"--")
            if is_open:
                yield from self._entity(content, f"{number}.{count}" if number else str(count), depth + 1)
            else:
                yield content

    def _filled(self, header: bytes, blank: bytes, body: bytes, number: str) -> Iterator[bytes]:
        content = self._content(number)
        if content is None:
            self.missing.append(number)
            yield header + blank + body
            return
        yield _APPLE_LENGTH.sub(b"", header) + (blank or b"\r\n")
        found = _ENCODING.search(header)
        yield _encoded(content, found[1].lower() if found else b"7bit")

    def _content(self, number: str) -> bytes | None:
        folder = self.attachments / number if self.attachments else None
        if folder is None or not folder.is_dir():
            return None
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
        return files[0].read_bytes() if len(files) == 1 else None


def attachments_of(path: Path) -> Path | None:
    """Return the folder with the attachments of a partial message, None where there is none."""
    found = _NAME.search(path.name)
    if found is None:
        return None
    places = (path.parent.parent / "Attachments" / found[1], path.parent / "Attachments" / found[1])
    return next((place for place in places if place.is_dir()), None)


def message_bytes(path: Path) -> bytes | None:
    """Return what a partial message consists of, without the property list; None where it is too large for one."""
    with opened(path) as handle:
        read, end = partial(read_at, handle), path.stat().st_size
        begin, message_end = apple_bounds(read, end)
        return None if message_end - begin > _MOST_OCTETS else read(begin, message_end - begin)


def _split(entity: bytes) -> tuple[bytes, bytes, bytes]:
    """Split an entity into its header with the last line's end, the blank line, and its body."""
    if entity.startswith(b"\r\n"):
        return b"", b"\r\n", entity[2:]
    header, blank, body = entity.partition(b"\r\n\r\n")
    return (header + b"\r\n", b"\r\n", body) if blank else (entity, b"", b"")


def _boundary_of(header: bytes) -> bytes:
    found = _BOUNDARY.search(header)
    value = _BOUNDARY_VALUE.search(found[0]) if found else None
    return (value[1] or value[2]) if value else b""


def _encoded(content: bytes, encoding: bytes) -> bytes:
    if encoding == b"base64":
        lines = (content[at : at + _LINE_OCTETS] for at in range(0, len(content), _LINE_OCTETS))
        return b"\r\n".join(binascii.b2a_base64(line, newline=False) for line in lines)
    if encoding == b"quoted-printable":
        return canonical(binascii.b2a_qp(content, istext=True))
    return canonical(content)
