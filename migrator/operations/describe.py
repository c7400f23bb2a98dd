"""What a person knows archived messages by: date, sender, subject, read from their copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from migrator.errors import FerryError
from migrator.parse.headers import BLOCK_LIMIT, headers
from migrator.report import Described
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.message.body import Body
    from migrator.model import Digest


def described(digests: Iterable[Digest], config: Config, ledger: Ledger) -> dict[Digest, Described]:
    """Describe these messages as far as a folder has a copy of them; no server is asked, and nothing raised."""
    wanted = list(dict.fromkeys(digests))
    if not wanted:
        return {}
    with open_archive(config, ledger) as reader:
        folders = reader.only(folder for folder in reader.all if folder.is_local)
        return {digest: _described(body) for digest, body in folders.read(wanted) if not isinstance(body, FerryError)}


def _described(body: Body) -> Described:
    block = b""
    for chunk in body.chunks():
        block += chunk
        if b"\r\n\r\n" in block or len(block) >= BLOCK_LIMIT:
            break
    known = headers(block)
    return Described(known.date, known.sender, known.subject)
