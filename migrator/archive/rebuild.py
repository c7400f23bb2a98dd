"""Learn from the archive files alone what the ledger knows of copies."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from migrator.archive.reader import ArchiveFolder
from migrator.copy_records import (
    Found,
    Recollection,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations import HasVolumes
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.archive import ArchiveLedger
from migrator.ledger.relearning import Missed
from migrator.report import OnProgress, no_progress

_CHUNK = 10_000
_PUT_AWAY = re.compile(r".+\.mbox[.-](?!lock\Z)\w", re.IGNORECASE)
"""A volume's name with something behind it that is not another program's lock."""

_AS_KNOWN = {
    VolumeState.OPEN: VolumeState.OPEN,
    VolumeState.CLOSED: VolumeState.CLOSED,
    VolumeState.CHANGED: VolumeState.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Relearned:
    """What was found in one destination.

    ``missed`` copies stay known as they were: the volumes that they stand in are not there. ``foreign`` are files in
    the folder that are no volumes, among which missing ones may be; ``packed`` of them are called as one that was
    packed or put away (``2026-11-001.mbox.gz``), with mail in it that a lost ledger knows nothing of any more.
    """

    destination: str
    messages: int
    missed: tuple[Missed, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def packed(self) -> tuple[str, ...]:
        """Those files that are called as a volume that was packed or put away."""
        return tuple(name for name in self.foreign if _PUT_AWAY.match(name))

    def as_json(self) -> dict[str, object]:
        """Return the destination's object."""
        return {
            "destination": self.destination,
            "messages": self.messages,
            "missing": [{"volume": one.volume, "messages": one.messages} for one in self.missed],
            "foreign": list(self.foreign),
        }


def relearn(
    archive_folder: ArchiveFolder, ledger: ArchiveLedger, *, on_progress: OnProgress = no_progress
) -> Relearned:
    """Look through a folder from its beginning, and correct what the ledger knows of its copies; forget nothing.

    Memory stays flat. Afterwards each copy that stands there is STORED, still to be proven. Killed on the way, nothing
    has changed, and it is simply asked again.
    """
    if archive_folder.is_mailbox:
        raise FerryError(Kind.REFUSED, f"{archive_folder.destination.label} is not an archive")
    with archive_folder.destination.exclusive():
        relearning = ledger.relearning(archive_folder.copies.destination_id)
        volumes: dict[str, VolumeRecord] = {}
        found: list[Found] = []
        count = 0
        for finding in archive_folder.destination.recover(Recollection(_from_the_beginning(archive_folder), ())):
            match finding:
                case Found():
                    found.append(finding)
                    count += 1
                    if count % _CHUNK == 0:
                        on_progress(count)
                        relearning.found(found)
                        found.clear()
                case VolumeSeen(record) | VolumeTouched(record):
                    volumes[record.name] = record
                case VolumeChanged():  # it is not there: what is known of it stays known
                    pass
                case _:  # cannot be: no names are remembered
                    raise AssertionError(finding)
        relearning.found(found)
        missed = relearning.finished(list(volumes.values()))
    return Relearned(archive_folder.destination.label, count, tuple(missed), _foreign(archive_folder))


def _from_the_beginning(archive_folder: ArchiveFolder) -> tuple[VolumeRecord, ...]:
    """Return the known volumes as if nothing of them had been read; one that came to harm is not to be written to."""
    if not isinstance(archive_folder.destination, HasVolumes):
        return ()
    return tuple(
        VolumeRecord(known.name, 0, sha256().digest(), "", _AS_KNOWN[known.state])
        for known in archive_folder.copies.recollection().volumes
    )


def _foreign(archive_folder: ArchiveFolder) -> tuple[str, ...]:
    folder = Path(archive_folder.destination.identity.partition(":")[2])
    if archive_folder.destination.kind != "mbox" or not folder.is_dir():
        return ()
    return tuple(sorted(one.name for one in folder.iterdir() if one.is_file() and one.suffix != ".mbox"))
