"""Answers that a browser saves and never opens: mail is hostile, whatever its name or type says."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from migrator.message.body import Body

NEVER_OPENED = {
    "Content-Type": "application/octet-stream",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
"""What each of them has."""


def saved(content: bytes, name: str) -> Response:
    """Answer with bytes to be saved under a name."""
    return Response(content, headers={**NEVER_OPENED, "Content-Disposition": disposition(name)})


def saved_stream(chunks: Iterable[bytes], octets: int, name: str) -> Response:
    """Answer with that many octets to be saved under a name, piece by piece."""
    headers = {**NEVER_OPENED, "Content-Disposition": disposition(name), "Content-Length": str(octets)}
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")


def streamed(body: Body, stack: ExitStack) -> Iterator[bytes]:
    """Yield a body, and let go of what it was read from."""
    with stack:
        yield from body.chunks()


def disposition(name: str) -> str:
    """Return the field that names what is saved (RFC 6266): once in ASCII, once in full (RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(one if one.isalnum() or one in " ._-()" else "_" for one in plain).strip()
    stem, dot, ending = plain.rpartition(".")
    if not (stem if dot else plain).strip(" ._-"):
        plain = f"attachment.{ending}" if dot and ending.isalnum() else "attachment"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
