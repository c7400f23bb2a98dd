"""Import mail files and folders into an account's destinations: each message once, with the same proof as any other.

How a message is stored, read back and recorded is not decided here: that is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from migrator.copying.copier import CopyResult, Outcome
from migrator.copying.offload import BatchCopier
from migrator.errors import FerryError
from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.body import MemoryBody, Message
from migrator.report import OnProgress, no_progress

BATCH_MESSAGES = 500
BATCH_OCTETS = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    ``doubtful`` was stored, and may not be whole. ``deleted`` messages were marked so by their program, and left out.
    ``flagged`` is how many had flags beside them; ``labels`` how many messages had each label. ``taken_out`` of the
    duplicates are not there any more: a person took them out, and they are not stored again.
    """

    copied: int
    duplicates: int
    octets: int
    failed: tuple[tuple[str, FerryError], ...]
    left_out: tuple[LeftOut, ...]
    doubtful: tuple[tuple[str, str], ...] = ()
    deleted: int = 0
    flagged: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    taken_out: int = 0

    @property
    def found(self) -> int:
        """How many messages stood at the paths."""
        return self.copied + self.duplicates + len(self.failed)

    @property
    def is_complete(self) -> bool:
        """Whether every message that was found is whole and proven, and nothing that may hold mail was left out."""
        return not self.failed and not self.doubtful and not any(one.is_trouble for one in self.left_out)

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
            "left_out": [
                {"place": one.place, "reason": one.reason, "may_be_mail": one.is_trouble} for one in self.left_out
            ],
            "doubtful": [{"place": place, "reason": reason} for place, reason in self.doubtful],
            "deleted": self.deleted,
            "flagged": self.flagged,
            "labels": dict(self.labels),
            "taken_out": self.taken_out,
        }


@dataclass(slots=True)
class _Noted:
    """What is counted while items come."""

    left_out: list[LeftOut] = field(default_factory=list)
    doubtful: list[tuple[str, str]] = field(default_factory=list)
    deleted: int = 0
    flagged: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def note(self, item: Item) -> None:
        match item:
            case LeftOut():
                self.left_out.append(item)
            case Deleted():
                self.deleted += 1
            case FoundMessage():
                self.flagged += bool(item.marks.flags)
                self.labels.update(item.marks.labels)
                if item.doubt:
                    self.doubtful.append((item.place, item.doubt))


class Importer:
    """One import."""

    def __init__(
        self, copier: BatchCopier, *, keeps_flags: bool = False, on_progress: OnProgress = no_progress
    ) -> None:
        """Copy by ``copier``; ``on_progress`` hears after each batch how many were found."""
        self._copier = copier
        self._keeps_flags = keeps_flags
        self._on_progress = on_progress
        self._copied = 0
        self._duplicates = 0
        self._taken_out = 0
        self._octets = 0
        self._failed: list[tuple[str, FerryError]] = []
        self._noted = _Noted()
        self._batch: list[tuple[str, Message]] = []
        self._batch_octets = 0

    def copy(self, items: Iterable[Item]) -> Imported:
        """Copy everything that was found; what fails is named and passed over."""
        for item in items:
            self._noted.note(item)
            if isinstance(item, FoundMessage):
                self._add(item)
        self._flush()
        noted = self._noted
        return Imported(
            self._copied,
            self._duplicates,
            self._octets,
            tuple(self._failed),
            tuple(noted.left_out),
            tuple(noted.doubtful),
            noted.deleted,
            noted.flagged,
            dict(noted.labels.most_common()),
            self._taken_out,
        )

    def _add(self, item: FoundMessage) -> None:
        flags = tuple(sorted(item.marks.flags)) if self._keeps_flags else ()
        self._batch.append((item.place, item.message._replace(fallback_date=item.marks.date, flags=flags)))
        self._batch_octets += item.message.octets
        # A long message is read from its file, which is open only until the next one is asked for.
        is_long = not isinstance(item.message.body, MemoryBody)
        if is_long or len(self._batch) >= BATCH_MESSAGES or self._batch_octets >= BATCH_OCTETS:
            self._flush()

    def _flush(self) -> None:
        if not self._batch:
            return
        outcomes = self._copier.copy([message for _, message in self._batch])
        for (place, message), outcome in zip(self._batch, outcomes, strict=True):
            self._count(place, message, outcome)
        self._batch.clear()
        self._batch_octets = 0
        self._on_progress(self._copied + self._duplicates + len(self._failed))

    def _count(self, place: str, message: Message, outcome: Outcome) -> None:
        match outcome:
            case CopyResult.COPIED:
                self._copied += 1
                self._octets += message.octets
            case CopyResult.DUPLICATE | CopyResult.TAKEN_OUT:
                self._duplicates += 1
                self._taken_out += outcome is CopyResult.TAKEN_OUT
            case FerryError():
                self._failed.append((place, outcome))
