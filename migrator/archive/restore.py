"""Copy archived messages into other mailboxes: by account or month, each once, with proof; it can be cut short.

What was restored is known to the ledger by digest and folder, so that asking again goes on where it was. How a message
is stored and proven is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from migrator.archive.labels import label_of
from migrator.archive.reader import ArchiveReader
from migrator.copying.copier import CopyResult, Outcome
from migrator.errors import FerryError, Kind
from migrator.interchange.export_formats import date_of
from migrator.interchange.importer import BATCH_MESSAGES, BATCH_OCTETS
from migrator.interchange.mail_files import archived_message
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.body import Body, MemoryBody, Message
from migrator.model import Digest
from migrator.report import OnProgress, no_progress

UNDATED = "undated"


class Grouping(StrEnum):
    """What decides on the folder a message goes to."""

    NONE = "none"
    ACCOUNT = "account"
    MONTH = "month"
    LABEL = "label"


CopyToFolder = Callable[[str, Sequence[Message]], Sequence[Outcome]]
"""Copies a batch into the folder of this name (``""``: the one named by the target itself), durable and proven."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``stored + present + len(failed)`` is what was asked for.

    ``renamed`` are names of folders that would have been several folders within one another, each with what it became.
    """

    stored: int
    present: int
    octets: int
    failed: tuple[tuple[Digest, FerryError], ...]
    renamed: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the document of the restore."""
        return {
            "restored": self.stored,
            "present": self.present,
            "failed": len(self.failed),
            "bytes": self.octets,
            "errors": [
                {"digest": digest.hex(), "kind": str(error.kind), "message": str(error)}
                for digest, error in self.failed
            ],
            "renamed": [{"name": name, "folder": folder} for name, folder in self.renamed],
        }


@dataclass(slots=True)
class _Pending:
    messages: list[Message] = field(default_factory=list)
    octets: int = 0


class Restorer:
    """One restore."""

    def __init__(
        self,
        reader: ArchiveReader,
        copy: CopyToFolder,
        grouping: Grouping,
        *,
        on_progress: OnProgress = no_progress,
    ) -> None:
        """Read from ``reader``, store by ``copy``; ``on_progress`` hears after each batch how many are done."""
        self._reader = reader
        self._copy = copy
        self._grouping = grouping
        self._on_progress = on_progress
        self._stored = 0
        self._present = 0
        self._octets = 0
        self._failed: list[tuple[Digest, FerryError]] = []
        self._pending: dict[str, _Pending] = {}

    def restore(self, account: str, digests: Iterable[Digest]) -> None:
        """Copy these messages of an account; ``done`` names what could not be read or stored."""
        for digest, body in self._reader.read(digests):
            if isinstance(body, FerryError):
                self._failed.append((digest, body))
            else:
                self._add(account, digest, body)
        self._flush_all()

    @property
    def done(self) -> Restored:
        """What was done so far."""
        return Restored(self._stored, self._present, self._octets, tuple(self._failed))

    def _add(self, account: str, digest: Digest, body: Body) -> None:
        message = archived_message(body)
        if message.digest != digest:
            error = FerryError(Kind.MISMATCH, "the stored copy changed while it was read", cure="see mailferry verify")
            self._failed.append((digest, error))
            return
        folder = self._folder(account, body)
        pending = self._pending.setdefault(folder, _Pending())
        pending.messages.append(message)
        pending.octets += message.octets
        # A long message is read from the archive while it is sent, which is possible only until the next is read.
        if not isinstance(message.body, MemoryBody) or len(pending.messages) >= BATCH_MESSAGES:
            self._flush(folder)
        elif sum(one.octets for one in self._pending.values()) >= BATCH_OCTETS:
            self._flush_all()

    def _folder(self, account: str, body: Body) -> str:
        match self._grouping:
            case Grouping.NONE:
                return ""
            case Grouping.ACCOUNT:
                return account
            case Grouping.MONTH:
                written = date_of(body)
                return UNDATED if written is None else f"{datetime.fromtimestamp(written, UTC):%Y-%m}"
            case Grouping.LABEL:
                return label_of(next(iter(body.chunks()), b""))

    def _flush_all(self) -> None:
        for folder in list(self._pending):
            self._flush(folder)

    def _flush(self, folder: str) -> None:
        pending = self._pending.pop(folder)
        outcomes = self._copy(folder, pending.messages)
        for message, outcome in zip(pending.messages, outcomes, strict=True):
            match outcome:
                case CopyResult.COPIED:
                    self._stored += 1
                    self._octets += message.octets
                case CopyResult.DUPLICATE | CopyResult.TAKEN_OUT:
                    self._present += 1
                case FerryError():
                    self._failed.append((message.digest, outcome))
        self._on_progress(self._stored + self._present)
