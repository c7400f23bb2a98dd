"""Small files made by hand, the same on every machine: a picture, a document, a table, an appointment."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from zlib import adler32, crc32

_STORED_BLOCK = 65_535


def png(side: int, chance: Random) -> bytes:
    """Return a square picture of grey noise (PNG, 8 bits), about ``side * side`` bytes long.

    Its data is stored, not compressed: what a compressor makes of it differs between versions of zlib.
    """
    rows = b"".join(b"\0" + chance.randbytes(side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))


def _stored(content: bytes) -> bytes:
    """Return a zlib stream (RFC 1950) of stored blocks (RFC 1951, section 3.2.4)."""
    blocks = [content[at : at + _STORED_BLOCK] for at in range(0, len(content), _STORED_BLOCK)]
    lengths = [struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) for block in blocks]
    body = b"".join(length + block for length, block in zip(lengths, blocks, strict=True))
    return b"\x78\x01" + body + struct.pack(">I", adler32(content))


def pdf(line: str) -> bytes:
    """Return a document of one page with one line of ASCII text."""
    drawing = f"BT /F1 18 Tf 72 720 Td ({line}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    content, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    return content + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (count, table, count, len(content))
    )


def csv(rows: Sequence[Sequence[str]]) -> str:
    """Return a table with semicolons, as spreadsheets in offices write it."""
    return "".join(";".join(row) + "\n" for row in rows)


def appointment(summary: str, place: str, begin: datetime, uid: str) -> str:
    """Return an invitation of half an hour (RFC 5545), with line feeds for line ends."""
    stamp = "%Y%m%dT%H%M%SZ"
    utc = begin.astimezone(UTC)
    return (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Office//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
        f"UID:{uid}\nDTSTAMP:{utc:{stamp}}\nDTSTART:{utc:{stamp}}\nDTEND:{utc + timedelta(minutes=30):{stamp}}\n"
        f"SUMMARY:{summary}\nLOCATION:{place}\nORGANIZER:mailto:office@example.org\n"
        "ATTENDEE;RSVP=TRUE:mailto:office@example.net\nEND:VEVENT\nEND:VCALENDAR\n"
    )
