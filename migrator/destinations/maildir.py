"""The Maildir destination: one file per message, LF line ends, delivered from ``tmp`` to ``new`` by renaming.

A batch is written to ``tmp``, then fsynced file by file, then renamed into ``new``, and one fsync of ``new`` makes all
the names durable. A message is known by the unique part of its file name, so that a mail reader may move it to ``cur``
and flag it. Every name of a batch begins with the anchor's prefix: that is how recovery finds what a crash left.
Subfolders (``.Name``) are not used.

Mail of others is adopted too. When the ledger remembers nothing of the folder, every file is told. After that, the
folder as a whole is remembered as one ``VolumeRecord`` of the name ``maildir``: its stamp is that of the folders
``new`` and ``cur``, and its end is the time (nanoseconds) of their last change before they were last listed. While the
stamp is the same, nothing is listed. When it differs, only files are told that belong to an open intent, or that do
not have a name of ours and have come (or were renamed) since that time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from migrator.destinations import (
    Anchor,
    BatchLimits,
    Finding,
    Found,
    KnownPlaces,
    MaildirAnchor,
    Recollection,
    Stored,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
)
from migrator.destinations.files import (
    PIECE,
    Device,
    Patience,
    Step,
    create_file,
    folder_facts,
    lock_file,
    make_folder,
    no_step,
    storage_error,
    sync_folder,
    write_all,
)
from migrator.destinations.line_ends import lines_of, pieces_of_lines
from migrator.destinations.maildir_reading import MessageFiles, found_in
from migrator.errors import FerryError, Kind
from migrator.model import Body, Locator, MaildirLocator, Message, Proof
from migrator.policy import WhenCopyIsGone

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

_TELL_EVERY = 5_000
_SLACK = 3_600 * 10**9  # some file systems keep a file's change time when it is renamed: what is told twice is harmless
_OURS = re.compile(r"\d+\.F[0-9a-f]{12}Q\d+\.")


@dataclass(frozen=True, slots=True)
class _Look:
    """What ``new`` and ``cur`` look like: ``stamp`` differs whenever a name in them does."""

    stamp: str
    changed: int


class MaildirDestination:
    """A Maildir. One object serves one run and is not shared between threads.

    ``clock`` tells the time of archiving; ``random`` makes names that nobody else makes; ``step`` is told each of
    ``STEPS``.
    """

    kind = "maildir"
    setting_place = ""
    required_proof = Proof.EXACT
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
        self.folder = Path(os.path.realpath(path))
        self.identity = f"maildir:{self.folder}"
        self.label = f"maildir {path}"
        self.when_copy_is_gone = when_copy_is_gone
        key = sha256(os.fsencode(self.identity)).hexdigest()[:16]
        self._lock_path = state_dir / "locks" / f"maildir-{key}.lock"
        self._clock = clock
        self._random = random
        self._patience = Patience(lock_timeout)
        self._step = step
        self._device = device or Device()
        self._host = os.uname().nodename.replace("/", "\\057").replace(":", "\\072") or "localhost"
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
        if self._record and self._record.state is VolumeState.CHANGED:
            return
        look = self._look()
        if look is None:
            if self._record:
                yield self._missing(self._record)
            return
        prefixes = tuple(i.anchor.prefix for i in recollection.intents if isinstance(i.anchor, MaildirAnchor))
        if self._record and self._record.stamp == look.stamp and not prefixes:
            return
        self._sweep(prefixes)
        for name in ("new", "cur"):
            sync_folder(self.folder / name, self._device)  # a killed process may not have come to it
        yield from self._told(self._record, prefixes)
        self._record = _record(look)
        yield VolumeSeen(self._record)

    def _told(self, record: VolumeRecord | None, prefixes: tuple[str, ...]) -> Iterator[Finding]:
        """Tell the files that the ledger may not know, and in between, how far a first look has come."""
        since = record.end - _SLACK if record and record.end else None
        told = 0
        for path in self._files(prefixes, since):
            found = found_in(path, self._device)
            if found is None:
                continue  # moved or deleted since it was listed
            yield found
            told += 1
            if told % _TELL_EVERY == 0 and since is None:
                yield VolumeSeen(_record(_Look("", 0)))  # an end of 0: not everything has been told yet

    def _files(self, prefixes: tuple[str, ...], since: int | None) -> Iterator[Path]:
        """Yield the files of open intents and those that came since a time; all files without such a time."""
        for name in ("new", "cur"):
            with os.scandir(self.folder / name) as entries:
                for entry in entries:
                    if _is_message(entry) and (
                        since is None or entry.name.startswith(prefixes) or _is_newcomer(entry, since)
                    ):
                        yield Path(entry.path)

    def _sweep(self, prefixes: tuple[str, ...]) -> None:
        """Remove what a crash left in ``tmp``; it never became mail, and is still at its source."""
        if not prefixes or not (self.folder / "tmp").is_dir():
            return
        with os.scandir(self.folder / "tmp") as entries:
            ours = [entry.path for entry in entries if entry.name.startswith(prefixes)]
        for path in ours:
            Path(path).unlink(missing_ok=True)
        self._step("maildir.tmp-swept")

    def _look(self) -> _Look | None:
        """Look at the folders without listing them; None if there is no Maildir."""
        try:
            new, cur = (self.folder / "new").stat(), (self.folder / "cur").stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        stamp = f"{new.st_ino}:{new.st_mtime_ns}/{cur.st_ino}:{cur.st_mtime_ns}"
        return _Look(stamp, max(new.st_mtime_ns, cur.st_mtime_ns))

    def _missing(self, record: VolumeRecord) -> VolumeChanged:
        self._record = replace(record, state=VolumeState.CHANGED)
        return VolumeChanged(self._record, self._missing_error())

    def _missing_error(self) -> FerryError:
        return FerryError(
            Kind.ARCHIVE,
            f"the Maildir {self.folder} is missing, or its folders new and cur are",
            cure="mount the disk it is on, or bring it back from a backup; nothing is stored there until then",
        )

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other runs of this program out; a Maildir itself needs no lock."""
        return lock_file(self._lock_path, self._patience, self._device, f"the archive {self.folder}")

    # ---------------------------------------------------------------------------------- begin and store

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        """Tell nothing: ``recover`` has told all that stands here."""
        del messages, known
        return iter(())

    def begin(self, messages: Sequence[Message]) -> Anchor:  # noqa: ARG002 - the contract's signature
        """Choose what the names of the next batch begin with; nothing is written yet."""
        if self._record and self._record.state is VolumeState.CHANGED:
            raise self._missing_error()
        self._prefix = f"{int(self._clock().timestamp())}.F{self._random(6).hex()}Q"
        return MaildirAnchor(self._prefix)

    def recognition(self, message: Message) -> bytes:  # noqa: ARG002 - the contract's signature
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
        try:
            is_as_known = self._is_as_known()
            self._make_folders()
            self._deliver(messages, names)
        except BaseException as error:
            self._discard(names)
            if isinstance(error, OSError):
                raise storage_error(error, f"delivering to the Maildir {self.folder}") from error
            raise
        return Stored(tuple(MaildirLocator(name) for name in names), self._remembered() if is_as_known else ())

    def _is_as_known(self) -> bool:
        """Tell whether the folders are as the ledger knows them, so that our own delivery is all that changes them."""
        look = self._look()
        return look is None or (self._record is not None and self._record.stamp == look.stamp)

    def _remembered(self) -> tuple[VolumeRecord, ...]:
        look = self._look()
        if look is None:
            return ()
        # The time stays where it was: what others deliver while we do is then told at the next listing.
        self._record = replace(self._record, stamp=look.stamp) if self._record else _record(look)
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
        for name in names:
            (tmp / name).rename(new / name)
            self._step("maildir.renaming")
        self._step("maildir.renamed")
        sync_folder(new, self._device)
        self._step("maildir.directory-synced")

    def _write(self, path: Path, message: Message) -> None:
        handle = create_file(path)
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

        A file that is gone is a ``mismatch``. A long message comes as a body that reads its file while it is
        consumed, and may raise ``FerryError`` then.
        """
        yield from MessageFiles(self.folder).read(locators)

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these names no file has any more."""
        return MessageFiles(self.folder).count_missing(locators)

    def probe(self) -> dict[str, object]:
        """Say where the Maildir is, whether it can be written, and how much is and fits there; changes nothing."""
        count = 0
        for name in ("new", "cur"):
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder / name) as entries:
                count += sum(1 for entry in entries if not entry.name.startswith("."))
        return {**folder_facts(self.folder), "messages": count}

    def close(self) -> None:
        """Let go of nothing: no file stays open."""


def _record(look: _Look) -> VolumeRecord:
    return VolumeRecord(RECORD_NAME, look.changed, sha256().digest(), look.stamp)


def _is_message(entry: os.DirEntry[str]) -> bool:
    """Leave out hidden files, folders, and names that are no text and so cannot be told to the ledger."""
    return not entry.name.startswith(".") and entry.name.isprintable() and entry.is_file(follow_symlinks=False)


def _is_newcomer(entry: os.DirEntry[str], since: int) -> bool:
    """Tell whether somebody else delivered or renamed this file since then."""
    return _OURS.match(entry.name) is None and entry.stat(follow_symlinks=False).st_ctime_ns >= since


def _lf_pieces(message: Message) -> Iterator[bytes]:
    if message.octets <= PIECE:
        yield lines_of(message.body)
    else:
        yield from pieces_of_lines(message.body)
