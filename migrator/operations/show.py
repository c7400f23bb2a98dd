"""One archived message: its bytes, as a person reads it, or one of its attachments in a new file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.render import LONGEST_SHOWN, Rendered, attachment_name, body_of, identified, rendered
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.message.dating import date_beside
from migrator.parse.process import NotParsed, Parser
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.message.body import Body


@dataclass(frozen=True, slots=True)
class SavedAttachment:
    """An attachment that was written to a file."""

    path: Path
    octets: int


@contextmanager
def open_message(written_id: str, config: Config, ledger: Ledger, *, exact: bool) -> Iterator[Body]:
    """Give a message by the beginning of its digest, for the time of the context; raises ``FerryError``.

    With ``exact`` its bytes are those of the digest; else a verified copy that a server has altered will do.
    """
    with open_archive(config, ledger) as reader:
        digest = identified(written_id, ledger.archive)
        with body_of(digest, reader, exact=exact) as body:
            yield body


def render_message(body: Body) -> Rendered:
    """Return a message as lines that are safe on a terminal; raises ``too-large``."""
    content = _content(body)
    with Parser() as parser:
        return rendered(content, parser, date_beside(body))


def save_attachment(body: Body, number: int, path: Path) -> SavedAttachment:
    """Write one attachment to a new file; into a folder under its own name, made safe. Nothing is overwritten.

    What was not written whole is taken away again.
    """
    message = _content(body)
    with Parser() as parser:
        content = parser.attachment(message, number)
        shown = parser.show(message) if path.is_dir() else None
    if isinstance(content, NotParsed):
        raise FerryError(Kind.REFUSED, f"attachment {number} cannot be taken out: {content.reason}")
    if shown is not None:
        name = "" if isinstance(shown, NotParsed) else shown.attachments[number - 1].name
        path /= attachment_name(name, number)
    return _saved(content, path)


def _saved(content: bytes, path: Path) -> SavedAttachment:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        cure = "--to FILE names another"
        raise FerryError(Kind.REFUSED, f"{path} exists, and is not overwritten", cure=cure) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(path, error) from error
    return SavedAttachment(path, len(content))


def _unwritable(path: Path, error: OSError) -> FerryError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "the disk is full" if is_full else error.strerror
    finding = "disk-full" if is_full else ""
    return FerryError(Kind.DISK_FULL if is_full else Kind.REFUSED, f"cannot write {path}: {reason}", finding=finding)


def _content(body: Body) -> bytes:
    if body.octets > LONGEST_SHOWN:
        raise FerryError(
            Kind.TOO_LARGE, f"this message has {body.octets:,} bytes", cure="`mailferry show --raw` writes them"
        )
    return b"".join(body.chunks())
