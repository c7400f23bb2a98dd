"""What happened to an mbox folder since the ledger last looked: a crash, another writer, or damage.

A volume whose stamp is the remembered one is not even opened. One that grew is read from its remembered end on, after
an fsync (what a killed process wrote may not be on the disk yet) and from the device. Whole records are yielded as
``Found``. One that was touched in any other way is read from its beginning, and all its records are yielded: what
stands there is known then, wherever it stands. A volume that is not right, or not there, is looked at again as soon
as its stamp is another one.

Bytes are cut in one case only: a record is not whole, and an open intent explains it and all that follows, which is to
say that its From_ line is one that we were about to write, from that place on, that nothing in it looks like another
writer's From_ line, and that what follows up to the end of the file is of that intent, whole or torn too (after a
power cut the end of a batch may be on the disk and its middle not). They are copied to the state folder first.
Everything else is left as it is; a volume whose end is no border between records is CLOSED, so that nothing is ever
glued to it.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from migrator.copy_records import (
    MISSING,
    Finding,
    Found,
    Intent,
    MboxAnchor,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.mboxrd import Span
from migrator.destinations.mbox.scanning import STREAM_ABOVE, records_of
from migrator.destinations.mbox.volumes import (
    Distrusted,
    OpenVolume,
    begins_like_mbox,
    ends_at_border,
    month_and_number,
    opened,
    regular_file,
    tail_digest,
)
from migrator.errors import FerryError, Kind
from migrator.files import (
    Device,
    LockTimeout,
    Step,
    create_file,
    make_folder,
    stamp_of,
    storage_error,
    sync_folder,
    write_all,
)
from migrator.lazy_dataclasses import dataclass, replace
from migrator.model import Digest, MboxLocator
from migrator.read_back import drop_cache, pieces_of, read_range

_TELL_EVERY = 5_000
_OUR_FRAME = 400
_CURE = (
    "bring it back, which is all that is needed then; if it is lost for good, `mailferry repair` stores again what "
    "stood in it"
)
_SOMEBODYS_FROM_LINE = re.compile(
    rb"From [^\n]{0,400}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[ ,]+"
    rb"(?:\d+ )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
)


@dataclass(frozen=True, slots=True)
class IntentEvidence:
    """What the open intents say about the end of one volume, from ``offset`` on."""

    offset: int
    is_anchored_here: bool
    digests: frozenset[Digest]
    frames: frozenset[bytes]

    @classmethod
    def about(cls, name: str, intents: Sequence[Intent]) -> IntentEvidence | None:
        """Gather the intents that began in this volume, or in an earlier one of ours that was full by then."""
        anchors = [(i.anchor, i) for i in intents if isinstance(i.anchor, MboxAnchor)]
        here = [(anchor.offset, intent) for anchor, intent in anchors if anchor.volume == name]
        later = [(0, intent) for anchor, intent in anchors if _is_later(name, anchor.volume)]
        meant = [message for _, intent in here + later for message in intent.messages]
        if not meant:
            return None
        return cls(
            offset=min(offset for offset, _ in here + later),
            is_anchored_here=bool(here),
            digests=frozenset(message.digest for message in meant),
            frames=frozenset(message.copy_key for message in meant),
        )


def copy_key_of(frame: bytes) -> bytes:
    """Return what an intent keeps of a From_ line, to know it again by."""
    return zlib.crc32(frame).to_bytes(4, "big")


def _is_later(name: str, anchored: str) -> bool:
    ours, theirs = month_and_number(name), month_and_number(anchored)
    return ours is not None and theirs is not None and ours > theirs


@dataclass(frozen=True, slots=True)
class Recovery:
    """Looks at the volumes of one folder, under the lock of its destination."""

    folder: Path
    torn_folder: Path
    intents: Sequence[Intent]
    timeout: LockTimeout
    device: Device
    step: Step
    distrusted: Distrusted

    def volume(self, name: str, known: VolumeRecord | None) -> Iterator[Finding]:
        """Tell what is new in one volume; nothing at all where nothing is."""
        try:
            yield from self._compared(name, known)
        except OSError as error:
            raise storage_error(error, f"looking at the volume {self.folder / name}") from error

    def _compared(self, name: str, known: VolumeRecord | None) -> Iterator[Finding]:
        status = regular_file(self.folder / name)
        if known is None:
            if status is not None:
                yield from self._unknown(name)
        elif status is None:
            if known.changed_stamp != MISSING:
                yield self._missing(known)
        elif stamp_of(status) == known.stamp:
            yield from self._as_known(known)
        elif stamp_of(status) != known.changed_stamp:
            yield from self._touched(known)

    def _unknown(self, name: str) -> Iterator[Finding]:
        with opened(self.folder, name, self.timeout) as volume:
            if begins_like_mbox(volume.handle) or self._evidence_of(name) is not None:
                yield from self._appended(volume, VolumeRecord(name, 0, b"", ""))

    def _missing(self, known: VolumeRecord) -> VolumeChanged:
        what = f"the volume {self.folder / known.name} is missing or is no longer a regular file"
        record = replace(known, state=VolumeState.CHANGED, changed_stamp=MISSING)
        return VolumeChanged(record, FerryError(Kind.ARCHIVE, what, cure=_CURE))

    def _as_known(self, known: VolumeRecord) -> Iterator[VolumeSeen]:
        """Tell the state of a volume that nobody has touched, where that is another than the ledger knows."""
        match known.state:
            case VolumeState.CHANGED:  # it was away
                with opened(self.folder, known.name, self.timeout) as volume:
                    yield VolumeSeen(replace(known, state=self._state_at_end(volume), changed_stamp=""))
            case VolumeState.OPEN if known.name in self.distrusted:
                yield VolumeSeen(replace(known, state=VolumeState.CLOSED))

    def _state_at_end(self, volume: OpenVolume) -> VolumeState:
        """Say whether a volume may be appended to as far as its end and its past tell."""
        is_open = ends_at_border(volume.handle, volume.end) and volume.name not in self.distrusted
        return VolumeState.OPEN if is_open else VolumeState.CLOSED

    def _touched(self, known: VolumeRecord) -> Iterator[Finding]:
        with opened(self.folder, known.name, self.timeout) as volume:
            if problem := self._problem(volume, known):
                yield from self._reread(volume, known, problem)
            elif self._has_only_grown(volume, known):
                yield from self._appended(volume, known)
            else:
                yield from self._reread(volume, known)

    def _problem(self, volume: OpenVolume, known: VolumeRecord) -> str:
        """Say what is wrong with a volume by its size and by the end of its known part; often nothing."""
        path = self.folder / known.name
        if volume.end < known.end:
            return f"the volume {path} has shrunk: it has {volume.end} bytes, and {known.end} are known"
        if tail_digest(volume.handle, known.end) != known.tail_digest:
            return f"the volume {path} was rewritten: the bytes before {known.end} are others now"
        return ""

    def _has_only_grown(self, volume: OpenVolume, known: VolumeRecord) -> bool:
        """Tell whether what was known need not be read again: it was right, and nobody has replaced the file.

        Behind an open intent a torn tail is cut even of a file that was put back by a copy.
        """
        if known.state is VolumeState.CHANGED:
            return False
        if _is_another_file(known.stamp, stamp_of(os.fstat(volume.handle))):
            return volume.end > known.end and self._evidence_of(volume.name) is not None
        return volume.end > known.end or self._is_our_doing(volume)

    def _is_our_doing(self, volume: OpenVolume) -> bool:
        """Tell whether a batch of ours was undone here, which leaves the length and changes the time."""
        evidence = self._evidence_of(volume.name)
        return evidence is not None and evidence.is_anchored_here and evidence.offset == volume.end

    def _evidence_of(self, name: str) -> IntentEvidence | None:
        return IntentEvidence.about(name, self.intents)

    # ------------------------------------------------------------------------------- what stands there

    def _appended(self, volume: OpenVolume, known: VolumeRecord) -> Iterator[Finding]:
        """Tell the records from the known end on, and then the volume's new end."""
        evidence = self._evidence_of(volume.name)
        for count, finding in enumerate(self._records(volume, known, known.end, evidence), 1):
            yield finding
            if count % _TELL_EVERY == 0 and isinstance(finding, Found) and isinstance(finding.locator, MboxLocator):
                # No stamp: this is on the way, and must not look finished should the process die here.
                end = finding.locator.offset + finding.locator.length
                yield VolumeSeen(replace(volume.record(end=end, state=known.state), stamp=""))

    def _reread(self, volume: OpenVolume, known: VolumeRecord, problem: str = "") -> Iterator[Finding]:
        """Tell all records, and then what the volume is now; where there is a problem already, nothing is cut."""
        evidence = None if problem else self._evidence_of(volume.name)
        for finding in self._records(volume, known, 0, evidence):
            yield VolumeTouched(finding.record, problem) if isinstance(finding, VolumeSeen) else finding

    def _records(
        self, volume: OpenVolume, known: VolumeRecord, begin: int, evidence: IntentEvidence | None
    ) -> Iterator[Found | VolumeSeen]:
        """Tell the whole records from an offset on, and then how far the volume is right."""
        self._make_durable(volume)
        end = volume.end
        is_as_long = volume.end == known.end and known.state is not VolumeState.CHANGED
        state = VolumeState.OPEN if is_as_long else self._state_at_end(volume)
        doubtful: list[tuple[Span, Found | None]] = []
        for span, found in records_of(volume, begin, in_stretches=evidence is None):
            if evidence is None:  # nothing is to be cut
                if found is not None:
                    yield found
            else:
                doubtful.append((span, found))
                if self._is_torn_from(volume, doubtful, evidence):
                    if not span.is_last:
                        continue
                    self._cut(volume, doubtful[0][0].offset)
                    end, state = volume.end, VolumeState.OPEN
                    break
                yield from (safe for _, safe in doubtful if safe is not None)
                doubtful.clear()
            if span.is_last:
                end = span.end if found else span.offset
                state = VolumeState.OPEN if _is_meant(found, evidence) else state
        if known.state is VolumeState.CLOSED or volume.name in self.distrusted:
            state = VolumeState.CLOSED
        yield VolumeSeen(volume.record(end=end, state=state))

    def _make_durable(self, volume: OpenVolume) -> None:
        try:
            self.device.fsync(volume.handle)
            sync_folder(self.folder, self.device)  # a process killed right after creating the volume did not come to it
        except OSError as error:
            self.distrusted.add(volume.name)
            raise storage_error(error, f"making {self.folder / volume.name} durable") from error
        drop_cache(volume.handle)

    # -------------------------------------------------------------------------------------- torn tails

    def _is_torn_from(
        self, volume: OpenVolume, records: Sequence[tuple[Span, Found | None]], evidence: IntentEvidence
    ) -> bool:
        """Tell whether the first of these records is ours and torn, and the newest may be cut off with it."""
        span, found = records[-1]
        if len(records) > 1 and _is_meant(found, evidence):
            return True
        return self._is_ours_and_torn(volume, span, found, evidence)

    def _is_ours_and_torn(self, volume: OpenVolume, span: Span, found: Found | None, evidence: IntentEvidence) -> bool:
        """Tell whether an open intent explains a record, and it is not a message of that intent, whole."""
        if span.offset < evidence.offset or _is_meant(found, evidence):
            return False
        beginning = read_range(volume.handle, span.offset, min(mboxrd.FRAME_LIMIT, span.length))
        frame, line_end, _ = beginning.partition(b"\n")
        if line_end and b"\0" not in frame:
            if copy_key_of(frame + line_end) not in evidence.frames:
                return False
        elif not evidence.is_anchored_here or not _could_begin_a_frame(frame):
            return False
        return not _holds_somebodys_from_line(volume.handle, span.offset + 1, span.end)

    def _cut(self, volume: OpenVolume, offset: int) -> None:
        """Copy a torn tail to the state folder, if there is room, and take it from the volume, durably."""
        self._save(volume, offset)
        try:
            os.close(os.open(self.folder / volume.name, os.O_WRONLY | os.O_CLOEXEC))  # says why where it is read-only
            self.device.truncate(volume.handle, offset)
            self.step("mbox.tail-cut")
            self.device.fsync(volume.handle)
        except OSError as error:
            raise storage_error(error, f"cutting a torn message from {self.folder / volume.name}") from error
        self.step("mbox.tail-cut-fsynced")
        volume.end = offset

    def _save(self, volume: OpenVolume, begin: int) -> None:
        path = self.torn_folder / f"{volume.name.removesuffix('.mbox')}-{begin}-{volume.end - begin}.torn"
        try:
            make_folder(self.torn_folder, self.device)
            path.unlink(missing_ok=True)  # left by a crash between the copying and the cutting
            copy = create_file(path, self.device)
        except OSError:
            return  # no room for a copy of half a message: the whole one is still at its source
        try:
            for piece in pieces_of(volume.handle, begin, volume.end):
                write_all(copy, piece, self.device)
            self.device.fsync(copy)
        except OSError:
            path.unlink(missing_ok=True)
            return
        finally:
            os.close(copy)
        self.step("mbox.tail-saved")


def _is_another_file(known_stamp: str, stamp: str) -> bool:
    known_inode = known_stamp.partition(":")[0]
    return bool(known_inode) and known_inode != stamp.partition(":")[0]


def _is_meant(found: Found | None, evidence: IntentEvidence | None) -> bool:
    """Tell whether this is a message of an intent, whole."""
    return found is not None and evidence is not None and found.digest in evidence.digests


def _could_begin_a_frame(line: bytes) -> bool:
    """Tell whether these bytes are the start of a From_ line, or one in which a crash left a hole."""
    written = line.rstrip(b"\0")  # some file systems fill with NUL what never reached the disk; no From_ line holds one
    return b"\0" in written or (b"From ".startswith(written[:5]) and len(written) <= _OUR_FRAME)


def _holds_somebodys_from_line(handle: int, begin: int, end: int) -> bool:
    """Tell whether another writer's From_ line may be glued to the middle of a line that a crash cut short."""
    overlap = 512
    while begin < end:
        window = read_range(handle, begin, min(STREAM_ABOVE, end - begin))
        if _SOMEBODYS_FROM_LINE.search(window):
            return True
        begin += max(1, len(window) - overlap) if begin + len(window) < end else len(window) or end
    return False
