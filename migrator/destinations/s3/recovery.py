"""What happened under a prefix since the ledger last looked: a crash, another writer, or damage.

The store is asked once for a list of what stands there. An object whose tag and size are those remembered is not read.
One that is new, whether a batch of ours whose answer was lost or somebody's, is read, and its whole records are yielded
as ``Found``. One that has other bytes now is read as well and compared. Nothing is ever cut, put over or deleted here:
an object is whole or absent, so that a crash leaves nothing torn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from migrator.copy_records import (
    MISSING,
    Finding,
    Found,
    Recollection,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.volumes import TAIL
from migrator.destinations.s3.reading import Window
from migrator.destinations.s3.store import Listed, ObjectStore
from migrator.errors import AwayError, FerryError, Kind
from migrator.findings.accounts import emptied_store
from migrator.findings.catalogue import BY_ID
from migrator.lazy_dataclasses import dataclass, replace

_TELL_EVERY = 5_000
_CURE = (
    "bring it back, which is all that is needed then (a bucket with versioning still has it); if it is lost for good,"
    " `mailferry repair` stores again what stood in it"
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Looks at the objects of one prefix, under the lock of its destination. ``label`` is for people."""

    store: ObjectStore
    label: str

    def findings(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what is there beyond what is remembered; nothing at all where nothing is.

        Raises ``AwayError`` where nothing of what is remembered is there, and yields nothing then.
        """
        known = {record.name: record for record in recollection.volumes}
        there = {one.name: one for one in self.store.listing()}
        self._refuse_if_away(recollection, there)
        for name in sorted(known):
            yield from self._compared(known[name], there.get(name))
        for name in sorted(there.keys() - known.keys()):  # last: some may be known by another name
            yield from self._unknown(there[name])

    def _refuse_if_away(self, recollection: Recollection, there: Mapping[str, Listed]) -> None:
        expected = [one for one in recollection.volumes if one.end and one.changed_stamp != MISSING]
        if not expected or any(one.name in there for one in recollection.volumes):
            return
        stamps = {one.stamp for one in there.values()}
        if any(one.stamp and one.stamp in stamps for one in expected):  # they have other names now
            return
        if any(self.store.look(one.name) for one in expected[:3]):  # the list of such a store is behind
            return
        raise self.away(recollection.known.copies_known())

    def away(self, known: int) -> AwayError:
        """Say that nothing of what is known is there, though the bucket is."""
        error = AwayError(emptied_store(self.label, known), cure=BY_ID["bucket-missing"].cure)
        error.finding = "bucket-missing"
        return error

    def _compared(self, known: VolumeRecord, seen: Listed | None) -> Iterator[Finding]:
        if seen is None:
            seen = self.store.look(known.name) if known.changed_stamp != MISSING else None
        if seen is None:
            if known.changed_stamp != MISSING:
                yield self._missing(known)
        elif known.stamp and seen.stamp == known.stamp:
            if known.state is VolumeState.CHANGED:  # it was away, or other, and is as it was
                yield VolumeSeen(replace(known, state=VolumeState.CLOSED, changed_stamp=""))
        elif not known.end:
            yield from self._read(Window(self.store, seen.name, seen.octets), seen)
        elif not known.changed_stamp or seen.stamp != known.changed_stamp:
            yield from self._touched(known, seen)

    def _missing(self, known: VolumeRecord) -> VolumeChanged:
        what = f"the object {self.store.url(known.name)} is missing"
        record = replace(known, state=VolumeState.CHANGED, changed_stamp=MISSING)
        return VolumeChanged(record, FerryError(Kind.ARCHIVE, what, cure=_CURE))

    def _touched(self, known: VolumeRecord, seen: Listed) -> Iterator[Finding]:
        problem = ""
        if seen.octets < known.end:
            problem = (
                f"the object {self.store.url(known.name)} has shrunk:"
                f" it has {seen.octets} bytes, and {known.end} are known"
            )
        for finding in self._read(Window(self.store, seen.name, seen.octets), seen):
            if isinstance(finding, Found):
                yield finding
            elif isinstance(finding, VolumeSeen) and finding.record.end == seen.octets:  # not one on the way
                yield VolumeTouched(finding.record, problem)

    def _unknown(self, seen: Listed) -> Iterator[Finding]:
        window = Window(self.store, seen.name, seen.octets)
        if window.read(0, 5) in (b"", b"From "):
            yield from self._read(window, seen)

    def _read(self, window: Window, seen: Listed) -> Iterator[Finding]:
        """Tell the whole records of an object, and then what it is."""
        for count, span in enumerate(mboxrd.scan(window.read, 0, seen.octets), 1):
            if not span.is_readable:
                continue
            yield window.found(span)
            if count % _TELL_EVERY == 0:  # no stamp: it must not look finished should the process die here
                yield VolumeSeen(VolumeRecord(seen.name, 0, sha256().digest(), "", VolumeState.CLOSED))
        yield VolumeSeen(record_of(window, seen))


def record_of(window: Window, seen: Listed) -> VolumeRecord:
    """Describe an object as it is now."""
    begin = max(0, seen.octets - TAIL)
    tail = sha256(window.read(begin, seen.octets - begin)).digest()
    return VolumeRecord(seen.name, seen.octets, tail, seen.stamp, VolumeState.CLOSED)
