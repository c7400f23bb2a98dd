"""Message files of a Maildir: found by the unique part of their name, wherever a mail reader has moved them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from migrator.copy_records import Found
from migrator.destinations.identify import found_in_pieces
from migrator.errors import FerryError, GoneError
from migrator.files import Device, away_error, storage_error
from migrator.message.body import Body, LinesBody
from migrator.message.line_ends import StoredBody
from migrator.model import Locator, MaildirLocator, base_name_of
from migrator.read_back import IO_CHUNK_OCTETS, drop_cache, open_to_read_back, pieces_of, read_range

_USUAL_PLACES = ("new/{}", "cur/{}:2,S", "cur/{}:2,", "cur/{}:2,RS", "cur/{}")


def message_files(folder: Path) -> dict[str, Path]:
    """Return the files of all messages by the unique part of their names; nothing where there is no Maildir."""
    files: dict[str, Path] = {}
    for name in ("new", "cur"):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / name) as entries:
            files.update({base_name_of(entry.name): Path(entry.path) for entry in entries if _is_message(entry)})
    return files


def _is_message(entry: os.DirEntry[str]) -> bool:
    """Leave out hidden files, folders, and names that are no text and so cannot be kept in the ledger."""
    return not entry.name.startswith(".") and entry.name.isprintable() and entry.is_file(follow_symlinks=False)


class MessageFiles:
    """Opens message files afresh. The folders are listed only for a message that has unusual flags."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self._folder = folder
        self._listing: dict[str, Path] = {}

    def __reduce__(self) -> tuple[type[MessageFiles], tuple[Path]]:
        """Travel to another process without what was listed, which may be long."""
        return MessageFiles, (self._folder,)

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield the canonical form of each message in order, or what is wrong with it."""
        listings = iter((self._list, self._list))  # a reader may rename files while we list them
        for locator in locators:
            if not isinstance(locator, MaildirLocator):
                raise TypeError(f"not a place in a Maildir: {locator}")
            doing = f"reading the message {locator.base_name} in {self._folder}"
            try:
                handle = self._opened(locator.base_name, listings)
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

    def _opened(self, base: str, listings: Iterator[Callable[[], None]]) -> int | None:
        """Open a message's file where it usually is, or else where a listing, a new one if need be, has it."""
        for place in _USUAL_PLACES:
            if (handle := _open(self._folder / place.format(base))) is not None:
                return handle
        while True:
            if base in self._listing and (handle := _open(self._listing[base])) is not None:
                return handle
            again = next(listings, None)
            if again is None:
                return None
            again()

    def _list(self) -> None:
        self._refuse_if_away()
        self._listing = message_files(self._folder)

    def _refuse_if_away(self) -> None:
        if not (self._folder / "new").is_dir() and not (self._folder / "cur").is_dir():
            raise away_error(f"the Maildir {self._folder}")

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these messages have no file any more, without opening any."""
        self._list()
        return sum(
            isinstance(locator, MaildirLocator) and locator.base_name not in self._listing for locator in locators
        )

    def _gone(self, base: str) -> FerryError:
        return GoneError(
            f"the message {base} is no longer in the Maildir {self._folder}",
            cure="bring it back from a backup; it stays at its source if it is still there",
        )


def _open(path: Path) -> int | None:
    try:
        return open_to_read_back(path, os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _body(handle: int, doing: str) -> Body | FerryError:
    try:
        size = os.fstat(handle).st_size
        if size > IO_CHUNK_OCTETS:
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
        drop_cache(handle)
        body = _body(handle, f"reading {path}")
        if isinstance(body, FerryError):
            raise body
        locator = MaildirLocator(base_name_of(path.name))
        return found_in_pieces(locator, body.chunks())
    finally:
        os.close(handle)
