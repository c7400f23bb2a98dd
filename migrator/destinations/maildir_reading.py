"""Message files of a Maildir: found by the unique part of their name, wherever a mail reader has moved them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from migrator.destinations import Found
from migrator.destinations.files import PIECE, Device, drop_cache, pieces_of, read_range, storage_error
from migrator.destinations.identify import found_in_pieces
from migrator.destinations.line_ends import StoredBody
from migrator.errors import FerryError, GoneError
from migrator.model import Body, LinesBody, Locator, MaildirLocator

_USUAL_PLACES = ("new/{}", "cur/{}:2,S", "cur/{}:2,", "cur/{}:2,RS", "cur/{}")


def base_of(file_name: str) -> str:
    """Return the unique part of a file name: what stands before the flags."""
    return file_name.partition(":")[0]


class MessageFiles:
    """Opens message files afresh. The folders are listed only for a message that has unusual flags."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listing: dict[str, Path] | None = None
        self._listings_left = 2  # a reader may rename files while we list them

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield the canonical form of each message in order, or what is wrong with it."""
        for locator in locators:
            if not isinstance(locator, MaildirLocator):
                raise TypeError(f"not a place in a Maildir: {locator}")
            doing = f"reading the message {locator.base_name} in {self._folder}"
            try:
                handle = self._opened(locator.base_name)
            except OSError as error:
                yield storage_error(error, doing)
                continue
            if handle is None:
                yield self._gone(locator.base_name)
                continue
            try:
                yield _body(handle, doing)
            finally:
                os.close(handle)

    def _opened(self, base: str) -> int | None:
        for place in _USUAL_PLACES:
            if (handle := _open(self._folder / place.format(base))) is not None:
                return handle
        while True:
            if self._listing is not None and base in self._listing:
                handle = _open(self._listing[base])
                if handle is not None:
                    return handle
            if not self._listings_left:
                return None
            self._listings_left -= 1
            self._listing = self._listed()

    def _listed(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for name in ("new", "cur"):
            try:
                with os.scandir(self._folder / name) as entries:
                    files.update({base_of(entry.name): Path(entry.path) for entry in entries})
            except (FileNotFoundError, NotADirectoryError):
                continue
        return files

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these messages have no file any more, without opening any."""
        names = self._listed().keys()
        return sum(isinstance(locator, MaildirLocator) and locator.base_name not in names for locator in locators)

    def _gone(self, base: str) -> FerryError:
        return GoneError(
            f"the message {base} is no longer in the Maildir {self._folder}",
            cure="bring it back from a backup; it stays at its source if it is still there",
        )


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _body(handle: int, doing: str) -> Body | FerryError:
    try:
        size = os.fstat(handle).st_size
        drop_cache(handle)
        if size > PIECE:
            return StoredBody(partial(_lines, handle, size, doing))
        return LinesBody(read_range(handle, 0, size))
    except OSError as error:
        return storage_error(error, doing)


def _lines(handle: int, size: int, doing: str) -> Iterator[bytes]:
    try:
        yield from pieces_of(handle, 0, size)
    except OSError as error:
        raise storage_error(error, doing) from error


def found_in(path: Path, device: Device) -> Found | None:
    """Make a message file durable, read it, and say which message it is; None if it is no longer there."""
    handle = _open(path)
    if handle is None:
        return None
    try:
        device.fsync(handle)
        body = _body(handle, f"reading {path}")
        if isinstance(body, FerryError):
            raise body
        locator = MaildirLocator(base_of(path.name))
        return found_in_pieces(locator, body.chunks())
    finally:
        os.close(handle)
