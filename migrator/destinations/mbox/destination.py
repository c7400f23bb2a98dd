"""The mbox destination: a folder of append-only mboxrd volumes, and nothing in it that is not mail.

``store`` gathers a batch into few writes and makes it durable with one fsync; a batch goes into one volume. What a
volume looked like at the last ``recover`` or ``store`` is remembered by its stamp: when somebody else has written in
between, nothing is lost and nothing is glued to theirs, and the next ``recover`` adopts what they wrote. What recovery
does is in ``migrator.destinations.mbox.recovery``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from migrator.copy_records import (
    MISSING,
    Anchor,
    Finding,
    MboxAnchor,
    PlacedRecord,
    Recollection,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations import BatchLimits, Stored
from migrator.destinations.local import LocalArchive, LocalEffects
from migrator.destinations.mbox.record_file import RecordFile, open_record_file, own_volume
from migrator.destinations.mbox.records import RecordAppender, RecordReader, frame_of
from migrator.destinations.mbox.recovery import Recovery, copy_key_of
from migrator.destinations.mbox.volumes import (
    Distrusted,
    OpenVolume,
    created,
    ends_at_border,
    holds_any_of,
    month_and_number,
    month_of,
    names_on_disk,
    next_name,
    open_locked,
    opened,
    regular_file,
    tail_digest,
)
from migrator.errors import Advice, FerryError, Kind
from migrator.files import (
    Device,
    Step,
    away_error,
    create_file,
    folder_facts,
    make_folder,
    no_step,
    stamp_of,
    storage_error,
    sync_folder,
)
from migrator.lazy_dataclasses import dataclass, replace
from migrator.message.body import Body, Message
from migrator.model import Digest, Locator

STEPS = (
    "mbox.folder-created",
    "mbox.volume-created",
    "mbox.directory-synced",
    "mbox.appending",
    "mbox.appended",
    "mbox.fsynced",
    "mbox.rolled-back",
    "mbox.tail-saved",
    "mbox.tail-cut",
    "mbox.tail-cut-fsynced",
)
"""Every durable step, by the name that ``step`` is called with right after it."""

VOLUME_LIMIT = 2_000_000_000
"""A volume of this many bytes or more is not appended to any more."""


@dataclass(slots=True)
class _Target:
    """Where the next batch goes: a volume, open and locked or still to be created, and what was read for it."""

    name: str
    volume: OpenVolume | None
    frames: dict[Digest, bytes]
    is_known_to_its_end: bool

    @property
    def end(self) -> int:
        return self.volume.end if self.volume else 0


class MboxDestination(LocalArchive):
    """An archive folder of mboxrd volumes.

    ``clock`` tells the time of archiving; ``step`` hears each of ``STEPS``. Accounts that share the folder share its
    volumes, as long as each recovers before it stores: what the ledger knows then is what stands there.
    """

    kind = "mbox"
    limits = BatchLimits(messages=2_000, octets=32 << 20)

    def __init__(
        self,
        path: Path,
        *,
        state_dir: Path,
        clock: Callable[[], datetime],
        volume_limit: int = VOLUME_LIMIT,
        lock_timeout: float = 30.0,
        step: Step = no_step,
        device: Device | None = None,
    ) -> None:
        super().__init__(path, state_dir, lock_timeout, LocalEffects(clock, step, device or Device()))
        self._distrusted = Distrusted(state_dir / "distrusted" / self._key)
        self._volume_limit = volume_limit
        self._known: dict[str, VolumeRecord] = {}
        self._target: _Target | None = None

    # --------------------------------------------------------------------------------- recover and lock

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what is in the folder beyond what is remembered, and cut a torn tail that an intent explains.

        May be asked again, with a newer recollection. A volume that was touched is not written to before then. Where
        none of the remembered volumes is there, nothing is yielded and ``AwayError`` raised.
        """
        self._refuse_if_away(recollection)
        recovery = Recovery(
            self.folder,
            self._state_dir / "torn" / self._key,
            recollection.intents,
            self._lock_timeout,
            self._device,
            self._step,
            self._distrusted,
        )
        self._let_go()
        self._known = {record.name: record for record in recollection.volumes}
        known = dict(self._known)
        newcomers = sorted(set(names_on_disk(self.folder)) - known.keys())  # last: some may be known by another name
        for name in [*sorted(known), *newcomers]:
            for finding in recovery.volume(name, known.get(name)):
                self._note(finding)
                yield finding

    def _refuse_if_away(self, recollection: Recollection) -> None:
        """Raise where all volumes with something in them are missing, and that is not known yet of any of them."""
        expected = [one for one in recollection.volumes if one.end and one.changed_stamp != MISSING]
        if not expected or any(regular_file(self.folder / one.name) for one in recollection.volumes):
            return
        if not holds_any_of(self.folder, expected):
            raise away_error(f"the archive {self.folder}", recollection.known.copies_known())

    def _note(self, finding: Finding) -> None:
        match finding:
            case VolumeSeen(record) | VolumeChanged(record, _):
                self._known[record.name] = record
            case VolumeTouched(record, _):
                self._known[record.name] = replace(record, state=VolumeState.CHANGED)
            case _:
                return

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other runs of this program out of the folder; a volume being written is locked against everybody."""
        with super().exclusive():
            try:
                yield
            finally:
                self._let_go()

    def _let_go(self) -> None:
        """Close the volume that is being written, if any; its locks go with it."""
        if self._target and self._target.volume:
            os.close(self._target.volume.handle)
        self._target = None

    def close(self) -> None:
        """Let go of the open volume."""
        self._let_go()

    # -------------------------------------------------------------------------------------------- begin

    def open_spool(self) -> RecordFile | None:
        """Return a file for a large message that can become a volume, to any thread; None where it has to be copied."""
        is_away = bool(self._known) and not self.folder.is_dir()
        return None if is_away else open_record_file(self.folder, self._clock(), self._device)

    def begin(self, messages: Sequence[Message]) -> Anchor:
        """Choose the volume, lock it, and say where it ends now; a volume still to be created begins at 0."""
        target = self._begin(messages)
        return MboxAnchor(target.name, target.end)

    def _begin(self, messages: Sequence[Message]) -> _Target:
        now = self._clock()
        self._let_go()
        try:
            self._target = self._choose_target(month_of(now), is_new=own_volume(messages) is not None)
        except OSError as error:
            raise storage_error(error, f"looking at the archive {self.folder}") from error
        self._target.frames = {message.digest: frame_of(message, now) for message in messages}
        return self._target

    def copy_key(self, message: Message) -> bytes:
        """Return the CRC-32 of the From_ line that this message is about to get."""
        frames = self._target.frames if self._target else {}
        return copy_key_of(frames.get(message.digest) or frame_of(message, self._clock()))

    def _choose_target(self, month: str, *, is_new: bool) -> _Target:
        """Take the month's last volume if it may be appended to, unless a new one is needed; else a new one."""
        if self._known and not self.folder.is_dir():
            raise away_error(f"the archive {self.folder}")
        on_disk = names_on_disk(self.folder)
        ours = [name for name in on_disk if (parts := month_and_number(name)) and parts[0] == month]
        last = max(ours, key=lambda name: month_and_number(name) or ("", 0), default=None)
        if last is not None and not is_new and (target := self._reopened(last)) is not None:
            return target
        return _Target(next_name(month, [*on_disk, *self._known]), None, {}, is_known_to_its_end=True)

    def _reopened(self, name: str) -> _Target | None:
        """Open a volume for appending; None where it is full, closed, or not one to append to."""
        status = regular_file(self.folder / name)
        if status is None or status.st_size >= self._volume_limit or name in self._distrusted:
            return None
        if name not in self._known or self._known[name].state is not VolumeState.OPEN:
            return None
        volume = open_locked(self.folder / name, self._lock_timeout)
        try:
            target = self._as_target(volume)
        except BaseException:
            os.close(volume.handle)
            raise
        if target is None:
            os.close(volume.handle)
        return target

    def _as_target(self, volume: OpenVolume) -> _Target | None:
        """Decide about a volume now that nobody else can write to it."""
        status = os.fstat(volume.handle)
        record = self._known[volume.name]
        if record.stamp == stamp_of(status):
            return _Target(volume.name, volume, {}, is_known_to_its_end=True) if record.end == volume.end else None
        if volume.end < record.end or tail_digest(volume.handle, record.end) != record.tail_digest:
            raise FerryError(
                Kind.ARCHIVE,
                f"the volume {self.folder / volume.name} was changed by another program during this run",
                cure="the next run looks at it closely; keep other programs from rewriting the archive",
                advice=Advice.LATER,
            )
        # Somebody appended: the next recovery tells what. We may write after it, but not where a record is unfinished.
        has_grown_well = volume.end > record.end and ends_at_border(volume.handle, volume.end)
        return _Target(volume.name, volume, {}, is_known_to_its_end=False) if has_grown_well else None

    # -------------------------------------------------------------------------------------------- store

    def store(self, messages: Sequence[Message]) -> Stored:
        """Append the batch to one volume and fsync it once; a message that came in a ``RecordFile`` becomes a volume.

        When the disk is full, the volume is cut back to where it was. After a failed fsync it is never written to
        again, and the error is raised.
        """
        if not messages:
            return Stored(())
        target = self._target or self._begin(messages)
        own = own_volume(messages)
        volume = target.volume or self._create(target, own)
        if own and volume.end:
            self._refuse_company(volume, own.size)
            locators: tuple[Locator, ...] = (own.locator(volume.name),)
        else:
            locators = self._append_or_undo(volume, messages, target.frames)
            self._make_durable(volume)
        if not target.is_known_to_its_end:
            return Stored(locators)  # the ledger keeps its end, so that recovery sees what somebody else appended
        self._known[volume.name] = volume.record()
        return Stored(locators, (self._known[volume.name],))

    def _create(self, target: _Target, own: RecordFile | None) -> OpenVolume:
        try:
            if make_folder(self.folder, self._device):
                self._step("mbox.folder-created")
            create = own.named if own else create_file
            target.volume = created(self.folder, target.name, partial(create, device=self._device), self._lock_timeout)
            self._step("mbox.volume-created")
            sync_folder(self.folder, self._device)
        except OSError as error:
            raise storage_error(error, f"creating the volume {self.folder / target.name}") from error
        self._step("mbox.directory-synced")
        return target.volume

    def _append_or_undo(
        self, volume: OpenVolume, messages: Sequence[Message], frames: dict[Digest, bytes]
    ) -> tuple[Locator, ...]:
        start = volume.end
        now = self._clock()
        appender = RecordAppender(volume, self._device, self._step)
        with self._undone_on_error(
            lambda: self._undo(volume, start), f"writing to the volume {self.folder / volume.name}"
        ):
            for message in messages:
                appender.add(message, frames.get(message.digest) or frame_of(message, now))
            appender.flush()
        self._refuse_company(volume, volume.end)
        self._step("mbox.appended")
        return tuple(appender.locators)

    def _undo(self, volume: OpenVolume, start: int) -> None:
        """Cut off what this batch has written so far; where that fails, recovery will."""
        try:
            self._device.truncate(volume.handle, start)
            self._device.fsync(volume.handle)
        except OSError:
            self._distrust(volume)
            return
        volume.end = start
        self._step("mbox.rolled-back")
        known = self._known.get(volume.name)
        if known is None or known.end == start:
            self._known[volume.name] = volume.record()

    def _refuse_company(self, volume: OpenVolume, end: int) -> None:
        """Make sure that the batch stands where its locators say, and not behind what somebody wrote meanwhile."""
        if os.fstat(volume.handle).st_size != end:
            raise FerryError(
                Kind.ARCHIVE,
                f"another program wrote to {self.folder / volume.name} without asking for a lock",
                cure="the next run sorts it out; let other programs lock the archive (flock or fcntl)",
                advice=Advice.LATER,
            )

    def _make_durable(self, volume: OpenVolume) -> None:
        try:
            self._device.fsync(volume.handle)
        except OSError as error:
            self._distrust(volume)
            raise storage_error(error, f"making {self.folder / volume.name} durable") from error
        self._step("mbox.fsynced")

    def _distrust(self, volume: OpenVolume) -> None:
        """Never write to this volume again: after a failed fsync nobody knows what of it is on the disk."""
        self._distrusted.add(volume.name)
        known = self._known.get(volume.name)
        if known:
            self._known[volume.name] = replace(known, state=VolumeState.CLOSED)
        self._let_go()

    # ------------------------------------------------------------------------------------ read and probe

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield what stands at each locator now, in order, read from the device through handles of its own.

        Damage to a record's frame (its From_ line, its closing line feed, its length) is a ``mismatch``. A long
        message comes as a body that reads the volume while it is consumed, and may raise ``FerryError`` then. Where
        there is no volume at all, ``AwayError`` is raised.
        """
        with RecordReader(self.folder) as reader:
            yield from reader.read(locators)

    def equal(self, volume: str, records: Sequence[PlacedRecord]) -> list[bool]:
        """Say of each of these copies in a volume whether just that message stands there now, read from the device.

        Of a long message it says no.
        """
        with RecordReader(self.folder) as reader:
            return list(reader.equal(volume, records))

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Return 0: nobody takes a message out of a volume without changing it, which ``recover`` tells."""
        del locators
        return 0

    def as_it_is(self, name: str) -> VolumeRecord | None:
        """Return a volume as it stands there now, CLOSED, whatever is known of it; None where it does not."""
        if regular_file(self.folder / name) is None:
            return None
        with opened(self.folder, name, self._lock_timeout) as volume:
            return volume.record(state=VolumeState.CLOSED)

    def probe(self) -> dict[str, object]:
        """Say where the archive is, whether it can be written, and how much is and fits there; changes nothing."""
        statuses = [regular_file(self.folder / name) for name in names_on_disk(self.folder)]
        sizes = [status.st_size for status in statuses if status is not None]
        return {**folder_facts(self.folder, self._device), "volumes": len(sizes), "bytes": sum(sizes)}
