"""What tests of destinations need: a memory that behaves as the ledger does, and the steps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from migrator.copy_records import (
    Anchor,
    Finding,
    Found,
    Intended,
    Intent,
    NothingKnown,
    Recollection,
    Vanished,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeTouched,
)
from migrator.destinations import Destination, Stored
from migrator.errors import FerryError
from migrator.message.body import Body, Message
from migrator.model import Digest, Locator, MaildirLocator

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def content_of(copy: Body | FerryError) -> bytes:
    """Return a body's bytes; raise the error that came instead."""
    if isinstance(copy, FerryError):
        raise copy
    return b"".join(copy.chunks())


@dataclass
class Memory(NothingKnown):
    """Remembers a destination as the ledger does: volumes, copies, and the intents with no known outcome."""

    volumes: dict[str, VolumeRecord] = field(default_factory=dict)
    copies: dict[Digest, list[Locator]] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    changed: list[VolumeChanged] = field(default_factory=list)
    touched: list[VolumeTouched] = field(default_factory=list)

    @property
    def recollection(self) -> Recollection:
        """What ``recover`` is told."""
        return Recollection(tuple(self.volumes.values()), tuple(self.intents), self)

    def copies_known(self) -> int:
        return len(self.copies)

    def base_names(self) -> Iterator[str]:
        places = [place for places in self.copies.values() for place in places]
        return (place.base_name for place in places if isinstance(place, MaildirLocator))

    def unknown_names(self, base_names: Sequence[str]) -> list[str]:
        known = set(self.base_names())
        return [name for name in base_names if name not in known]

    def intend(self, destination: Destination, anchor: Anchor, messages: Sequence[Message]) -> None:
        """Note what is about to be stored."""
        meant = tuple(Intended(m.digest, m.octets, destination.copy_key(m)) for m in messages)
        self.intents.append(Intent(anchor, meant))

    def note(self, messages: Sequence[Message], stored: Stored) -> None:
        """Note what was stored."""
        self.intents.clear()
        self._note_volumes(stored.volumes)
        for each, outcome in zip(messages, stored.outcomes, strict=True):
            if not isinstance(outcome, FerryError):
                self.copies.setdefault(each.digest, []).append(outcome)

    def take(self, findings: Iterable[Finding]) -> list[Finding]:
        """Note what recovery found, and return it."""
        taken = list(findings)
        for finding in taken:
            match finding:
                case Found(digest=digest, locator=locator):
                    places = self.copies.setdefault(digest, [])
                    if locator not in places:
                        places.append(locator)
                case VolumeSeen(record):
                    self._note_volumes([record])
                case VolumeTouched(record):
                    self.touched.append(finding)
                    self._note_volumes([record])
                case Vanished(base_names):
                    self._forget(base_names)
                case VolumeChanged(record, _):
                    self.changed.append(finding)
                    self._note_volumes([record])
        self.intents.clear()
        return taken

    def _forget(self, base_names: Sequence[str]) -> None:
        for digest, places in list(self.copies.items()):
            kept = [one for one in places if not (isinstance(one, MaildirLocator) and one.base_name in base_names)]
            self.copies[digest] = kept

    def _note_volumes(self, records: Iterable[VolumeRecord]) -> None:
        self.volumes.update({record.name: record for record in records})


def recover(destination: Destination, memory: Memory) -> list[Finding]:
    """Recover under the lock, as a run does first of all."""
    with destination.exclusive():
        return memory.take(destination.recover(memory.recollection))


def store(destination: Destination, memory: Memory, messages: Sequence[Message]) -> Stored:
    """Store a batch as a run does: intend, store, note."""
    with destination.exclusive():
        anchor = destination.begin(messages)
        memory.intend(destination, anchor, messages)
        stored = destination.store(messages)
        memory.note(messages, stored)
    return stored


def read(destination: Destination, stored: Stored) -> list[bytes]:
    """Read back what was stored."""
    locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
    return [content_of(copy) for copy in destination.read(locators)]


def names_in(folder: Path) -> list[str]:
    """Return the names of everything in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def path_of(handle: int) -> str:
    """Return the path of an open file."""
    return str(Path(f"/proc/self/fd/{handle}").readlink())
