"""The Maildir destination: one file per message, LF line ends, delivered from ``tmp`` to ``new`` by renaming.

A batch is written to ``tmp``, then fsynced file by file, then renamed into ``new``, and one fsync of ``new`` makes all
the names durable. A message is known by the unique part of its file name, so that a mail reader may move it to ``cur``
and flag it. Every name of a batch begins with the anchor's prefix: that is how recovery finds what a crash left.
Subfolders (``.Name``) are not used.

Whatever stands there under a name that the ledger does not know is found, be it mail of others, or our own of which an
older or another ledger has never heard. The folder as a whole is remembered as one ``VolumeRecord`` of the name
``maildir`` with the stamp of the folders ``new`` and ``cur``. While that is the same, nothing is listed. When it
differs, the names are compared with the ledger's; what it knows and nobody finds has vanished.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from migrator.copy_records import (
    Anchor,
    Finding,
    KnownPlaces,
    MaildirAnchor,
    Recollection,
    Vanished,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
)
from migrator.destinations import BatchLimits, Stored
from migrator.destinations.local import LocalArchive, LocalEffects
from migrator.destinations.maildir.reading import MessageFiles, found_in, message_files
from migrator.errors import FerryError
from migrator.files import (
    Device,
    Step,
    away_error,
    create_file,
    folder_facts,
    make_folder,
    no_step,
    storage_error,
    sync_folder,
    write_all,
)
from migrator.message.body import Body, Message
from migrator.message.line_ends import lines_of, pieces_of_lines
from migrator.model import Locator, MaildirLocator
from migrator.policy import WhenCopyIsGone
from migrator.read_back import IO_CHUNK_OCTETS

STEPS = (
    "maildir.folder-created",
    "maildir.writing",
    "maildir.written",
    "maildir.fsynced",
    "maildir.renaming",
    "maildir.renamed",
    "maildir.directory-synced",
    "maildir.tmp-swept",
)
"""Every durable step, by the name that ``step`` is called with right after it; ``-ing`` ones once per message."""

RECORD_NAME = "maildir"

_LETTERS = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D"}

_ASK_AT_ONCE = 2_000
_TELL_EVERY = 5_000


class MaildirDestination(LocalArchive):
    """A Maildir.

    ``clock`` tells the time of archiving; ``random`` makes names that nobody else makes; ``step`` hears each of
    ``STEPS``.
    """

    kind = "maildir"
    limits = BatchLimits(messages=500, octets=32 << 20)

    def __init__(
        self,
        path: Path,
        *,
        state_dir: Path,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes] = os.urandom,
        lock_timeout: float = 30.0,
        step: Step = no_step,
        device: Device | None = None,
        when_copy_is_gone: WhenCopyIsGone = WhenCopyIsGone.KEEP,
    ) -> None:
        super().__init__(path, state_dir, lock_timeout, LocalEffects(clock, step, device or Device()))
        self.when_copy_is_gone = when_copy_is_gone
        self._random = random
        self._host = os.uname().nodename.replace("/", "\\057").replace(":", "\\072") or "localhost"
        self._files = MessageFiles(self.folder)
        self._record: VolumeRecord | None = None
        self._prefix = ""

    # --------------------------------------------------------------------------------- recover and lock

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what is in the Maildir beyond what is remembered, and sweep from ``tmp`` what an intent explains."""
        try:
            yield from self._findings(recollection)
        except OSError as error:
            raise storage_error(error, f"looking at the Maildir {self.folder}") from error

    def _findings(self, recollection: Recollection) -> Iterator[Finding]:
        self._record = next((v for v in recollection.volumes if v.name == RECORD_NAME), None)
        stamp = self._stamp()
        if not stamp:
            self._refuse_if_away(recollection)
            self._record = None
            return
        prefixes = tuple(i.anchor.prefix for i in recollection.intents if isinstance(i.anchor, MaildirAnchor))
        if self._record and self._record.stamp == stamp and self._record.state is VolumeState.OPEN and not prefixes:
            return
        self._sweep(prefixes)
        for name in ("new", "cur"):
            sync_folder(self.folder / name, self._device)  # a killed process may not have come to it
        yield from self._unknown_files(recollection.known)
        self._record = _record(stamp)
        yield VolumeSeen(self._record)

    def _refuse_if_away(self, recollection: Recollection) -> None:
        if known := recollection.known.copies_known():
            raise away_error(f"the Maildir {self.folder}", known)

    def _unknown_files(self, known: KnownPlaces) -> Iterator[Finding]:
        """Yield the files that the ledger does not know, and in between, how far a long look has come."""
        files = message_files(self.folder)
        names = list(files)
        count = 0
        for start in range(0, len(names), _ASK_AT_ONCE):
            for name in known.unknown_names(names[start : start + _ASK_AT_ONCE]):
                found = found_in(files[name], self._device)
                if found is None:
                    continue  # moved or deleted since it was listed
                yield found
                count += 1
                if count % _TELL_EVERY == 0:
                    yield VolumeSeen(_record(""))  # no stamp: not everything has been yielded yet
        if missing := [name for name in known.base_names() if name not in files]:
            there = message_files(self.folder)  # a reader may have renamed them while they were listed
            if vanished := tuple(name for name in missing if name not in there):
                yield Vanished(vanished)

    def _sweep(self, prefixes: tuple[str, ...]) -> None:
        """Remove what a crash left in ``tmp``; it never became mail, and is still at its source."""
        if not prefixes or not (self.folder / "tmp").is_dir():
            return
        with os.scandir(self.folder / "tmp") as entries:
            ours = [entry.path for entry in entries if entry.name.startswith(prefixes)]
        for path in ours:
            Path(path).unlink(missing_ok=True)
        self._step("maildir.tmp-swept")

    def _stamp(self) -> str:
        """Return what differs whenever a name in ``new`` or ``cur`` does; nothing if there is no Maildir."""
        try:
            new, cur = (self.folder / "new").stat(), (self.folder / "cur").stat()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        return f"{new.st_ino}:{new.st_mtime_ns}/{cur.st_ino}:{cur.st_mtime_ns}"

    # ---------------------------------------------------------------------------------- begin and store

    def begin(self, messages: Sequence[Message]) -> Anchor:  # noqa: ARG002 - the contract's signature
        """Choose what the names of the next batch begin with; nothing is written yet."""
        self._prefix = f"{int(self._clock().timestamp())}.F{self._random(6).hex()}Q"
        return MaildirAnchor(self._prefix)

    def copy_key(self, message: Message) -> bytes:  # noqa: ARG002 - the contract's signature
        """Return nothing: a message is known by its name."""
        return b""

    def store(self, messages: Sequence[Message]) -> Stored:
        """Deliver the batch: write all, fsync all, rename all, then fsync ``new`` once.

        Where that fails, what stands in ``tmp`` is removed; what has reached ``new`` is found by ``recover``.
        """
        if not messages:
            return Stored(())
        if not self._prefix:
            self.begin(messages)
        names = [f"{self._prefix}{number}.{self._host}" for number in range(len(messages))]
        self._prefix = ""
        with self._undone_on_error(lambda: self._discard(names), f"delivering to the Maildir {self.folder}"):
            is_as_known = self._is_as_known()
            self._make_folders()
            self._deliver(messages, names)
        return Stored(tuple(MaildirLocator(name) for name in names), self._remembered() if is_as_known else ())

    def _is_as_known(self) -> bool:
        """Tell whether the folders are as the ledger knows them, so that our own delivery is all that changes them."""
        stamp = self._stamp()
        if self._record and not stamp:
            raise away_error(f"the Maildir {self.folder}")
        return not stamp or (self._record is not None and self._record.stamp == stamp)

    def _remembered(self) -> tuple[VolumeRecord, ...]:
        self._record = _record(self._stamp())
        return (self._record,)

    def _make_folders(self) -> None:
        made = [make_folder(self.folder / name, self._device) for name in ("tmp", "new", "cur")]
        if any(made):
            self._step("maildir.folder-created")

    def _deliver(self, messages: Sequence[Message], names: Sequence[str]) -> None:
        tmp, new = self.folder / "tmp", self.folder / "new"
        for message, name in zip(messages, names, strict=True):
            self._write(tmp / name, message)
            self._step("maildir.writing")
        self._step("maildir.written")
        for name in names:
            self._sync(tmp / name)
        self._step("maildir.fsynced")
        for message, name in zip(messages, names, strict=True):
            self._place(tmp / name, message.flags)
            self._step("maildir.renaming")
        self._step("maildir.renamed")
        sync_folder(new, self._device)
        if any(message.flags for message in messages):
            sync_folder(self.folder / "cur", self._device)
        self._step("maildir.directory-synced")

    def _place(self, written: Path, flags: Sequence[str]) -> None:
        """Move a message out of ``tmp``: into ``cur`` if it has flags, which stand in its name there."""
        letters = "".join(sorted(_LETTERS[flag] for flag in flags if flag in _LETTERS))
        if letters:
            try:
                written.rename(self.folder / "cur" / f"{written.name}:2,{letters}")
            except OSError as error:
                if error.errno != errno.EINVAL:  # a file system that has no colon in names, and so no flags
                    raise
            else:
                return
        written.rename(self.folder / "new" / written.name)

    def _write(self, path: Path, message: Message) -> None:
        handle = create_file(path, self._device)
        try:
            for piece in _lf_pieces(message):
                write_all(handle, piece, self._device)
        finally:
            os.close(handle)

    def _sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._device.fsync(handle)
        finally:
            os.close(handle)

    def _discard(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(OSError):
                (self.folder / "tmp" / name).unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------ read and probe

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield each message as its file has it now, in ``new`` or ``cur``, read from the device.

        A file that is gone is a ``GoneError``, and where there is no Maildir at all ``AwayError`` is raised. A long
        message comes as a body that reads its file while it is consumed, and may raise ``FerryError`` then.
        """
        yield from self._files.read(locators)

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these names no file has any more."""
        return self._files.count_missing(locators)

    def probe(self) -> dict[str, object]:
        """Say where the Maildir is, whether it can be written, and how much is and fits there; changes nothing."""
        count = 0
        for name in ("new", "cur"):
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder / name) as entries:
                count += sum(1 for entry in entries if not entry.name.startswith("."))
        return {**folder_facts(self.folder, self._device), "messages": count}

    def close(self) -> None:
        """Let go of nothing: no file stays open."""


def _record(stamp: str) -> VolumeRecord:
    return VolumeRecord(RECORD_NAME, 0, sha256().digest(), stamp)


def _lf_pieces(message: Message) -> Iterator[bytes]:
    if message.octets <= IO_CHUNK_OCTETS:
        yield lines_of(message.body)
    else:
        yield from pieces_of_lines(message.body)
