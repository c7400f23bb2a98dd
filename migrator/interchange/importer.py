"""Brings mail that lies about into an account's destinations: each message once, with the same proof as any other.

How a message is stored, read back and recorded is not decided here: that is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from migrator.copying.copier import CopyResult, Outcome
from migrator.errors import FerryError
from migrator.interchange.import_sources import FoundMessage, Item, LeftOut
from migrator.message.body import MemoryBody, Message

BATCH_MESSAGES = 500
BATCH_OCTETS = 16 * 1024 * 1024


CopyBatch = Callable[[Sequence[Message]], list[Outcome]]
"""Brings a batch into every destination, durable and proven on return; an outcome for each message, in order."""

OnProgress = Callable[[int], None]


@dataclass(slots=True)
class Imported:
    """What an import did. ``found = copied + duplicates + len(failed)``."""

    found: int = 0
    copied: int = 0
    duplicates: int = 0
    octets: int = 0
    failed: list[tuple[str, FerryError]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every message that was found is proven, and nothing that may hold mail was left out."""
        return not self.failed and not any(one.is_trouble for one in self.left_out)


class Importer:
    """One import."""

    def __init__(self, copy_batch: CopyBatch, *, on_progress: OnProgress = lambda _count: None) -> None:
        """Bring messages by ``copy_batch``; ``on_progress`` hears after each batch how many were found."""
        self._copy_batch = copy_batch
        self._on_progress = on_progress
        self._done = Imported()
        self._batch: list[FoundMessage] = []
        self._octets = 0

    def copy(self, items: Iterable[Item]) -> Imported:
        """Bring everything that was found; what fails is named and passed over."""
        for item in items:
            if isinstance(item, LeftOut):
                self._done.left_out.append(item)
                continue
            self._batch.append(item)
            self._octets += item.message.octets
            # A long message is read from its file, which is open only until the next one is asked for.
            is_long = not isinstance(item.message.body, MemoryBody)
            if is_long or len(self._batch) >= BATCH_MESSAGES or self._octets >= BATCH_OCTETS:
                self._flush()
        self._flush()
        return self._done

    def _flush(self) -> None:
        if not self._batch:
            return
        outcomes = self._copy_batch([item.message for item in self._batch])
        for item, outcome in zip(self._batch, outcomes, strict=True):
            self._note(item, outcome)
        self._batch.clear()
        self._octets = 0
        self._on_progress(self._done.found)

    def _note(self, item: FoundMessage, outcome: Outcome) -> None:
        self._done.found += 1
        match outcome:
            case CopyResult.COPIED:
                self._done.copied += 1
                self._done.octets += item.message.octets
            case CopyResult.DUPLICATE | CopyResult.TAKEN_OUT:
                self._done.duplicates += 1
            case FerryError():
                self._done.failed.append((item.place, outcome))
