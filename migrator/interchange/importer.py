"""Import mail files and folders into an account's destinations: each message once, with the same proof as any other.

How a message is stored, read back and recorded is not decided here: that is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrator.copying.copier import CopyResult, Outcome
from migrator.copying.offload import BatchCopier
from migrator.errors import FerryError
from migrator.interchange.import_sources import FoundMessage, Item, LeftOut
from migrator.message.body import MemoryBody
from migrator.report import OnProgress, no_progress

BATCH_MESSAGES = 500
BATCH_OCTETS = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    copied: int
    duplicates: int
    octets: int
    failed: tuple[tuple[str, FerryError], ...]
    left_out: tuple[LeftOut, ...]

    @property
    def found(self) -> int:
        """How many messages stood at the paths."""
        return self.copied + self.duplicates + len(self.failed)

    @property
    def is_complete(self) -> bool:
        """Whether every message that was found is proven, and nothing that may hold mail was left out."""
        return not self.failed and not any(one.is_trouble for one in self.left_out)

    def as_json(self) -> dict[str, object]:
        """Return the document of the import."""
        return {
            "found": self.found,
            "copied": self.copied,
            "duplicates": self.duplicates,
            "failed": len(self.failed),
            "bytes": self.octets,
            "errors": [
                {"place": place, "kind": str(error.kind), "message": str(error)} for place, error in self.failed
            ],
            "left_out": [{"place": one.place, "reason": one.reason} for one in self.left_out],
        }


class Importer:
    """One import."""

    def __init__(self, copier: BatchCopier, *, on_progress: OnProgress = no_progress) -> None:
        """Copy by ``copier``; ``on_progress`` hears after each batch how many were found."""
        self._copier = copier
        self._on_progress = on_progress
        self._copied = 0
        self._duplicates = 0
        self._octets = 0
        self._failed: list[tuple[str, FerryError]] = []
        self._left_out: list[LeftOut] = []
        self._batch: list[FoundMessage] = []
        self._batch_octets = 0

    def copy(self, items: Iterable[Item]) -> Imported:
        """Copy everything that was found; what fails is named and passed over."""
        for item in items:
            if isinstance(item, LeftOut):
                self._left_out.append(item)
                continue
            self._batch.append(item)
            self._batch_octets += item.message.octets
            # A long message is read from its file, which is open only until the next one is asked for.
            is_long = not isinstance(item.message.body, MemoryBody)
            if is_long or len(self._batch) >= BATCH_MESSAGES or self._batch_octets >= BATCH_OCTETS:
                self._flush()
        self._flush()
        return Imported(self._copied, self._duplicates, self._octets, tuple(self._failed), tuple(self._left_out))

    def _flush(self) -> None:
        if not self._batch:
            return
        outcomes = self._copier.copy([item.message for item in self._batch])
        for item, outcome in zip(self._batch, outcomes, strict=True):
            self._count(item, outcome)
        self._batch.clear()
        self._batch_octets = 0
        self._on_progress(self._copied + self._duplicates + len(self._failed))

    def _count(self, item: FoundMessage, outcome: Outcome) -> None:
        match outcome:
            case CopyResult.COPIED:
                self._copied += 1
                self._octets += item.message.octets
            case CopyResult.DUPLICATE | CopyResult.TAKEN_OUT:
                self._duplicates += 1
            case FerryError():
                self._failed.append((item.place, outcome))
