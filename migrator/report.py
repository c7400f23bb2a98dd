"""What a run has to say for itself: numbers that add up, and every problem by name.

Pure data and its JSON form (`migrate --json`). Rendering for people is in ``migrator.ui.console``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from migrator.errors import FerryError, Kind
from migrator.model import Digest, UniqueId


class Status(StrEnum):
    """How one account ended."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong. ``unique_id`` and ``destination`` are None where they do not apply."""

    kind: Kind
    message: str
    unique_id: UniqueId | None = None
    destination: str | None = None

    @classmethod
    def of(cls, error: FerryError, *, unique_id: UniqueId | None = None, destination: str | None = None) -> Problem:
        """Make a problem of an error, its server's words and its cure included."""
        return cls(error.kind, str(error), unique_id, destination)

    def as_json(self) -> dict[str, object]:
        """Return the contract's form; a unique-id that is not ASCII is written with ``\\xNN``."""
        uidl = None if self.unique_id is None else shown_unique_id(self.unique_id)
        return {"uidl": uidl, "destination": self.destination, "kind": str(self.kind), "message": self.message}


@dataclass(frozen=True, slots=True)
class WouldDelete:
    """What a dry run would delete; ``digest`` is None while the message has not been retrieved."""

    unique_id: UniqueId
    octets: int
    digest: Digest | None

    def as_json(self) -> dict[str, object]:
        """Return the contract's form."""
        digest = self.digest.hex() if self.digest else None
        return {"uidl": shown_unique_id(self.unique_id), "octets": self.octets, "digest": digest}


@dataclass(frozen=True, slots=True)
class ForSchedule:
    """What a schedule acts on, and nobody reads.

    ``error`` decided the status, and has its retry advice. ``login_delay`` is how many seconds the source announced to
    lie between two log-ins (RFC 2449, section 6.5), 0.0 for none; None where no session was opened.
    """

    error: FerryError | None = None
    login_delay: float | None = None


@dataclass(slots=True)
class AccountReport:
    """One account's run. ``listed = known + new`` and ``new = copied + duplicates + skipped + failed + remaining``.

    ``bytes`` are canonical octets copied; ``seconds`` is wall time. ``filled`` counts archived messages that are no
    longer on the source and were copied to a destination added later; they are not in ``listed``.
    """

    name: str
    status: Status = Status.OK
    listed: int = 0
    known: int = 0
    copied: int = 0
    duplicates: int = 0
    skipped: int = 0
    failed: int = 0
    remaining: int = 0
    verified: int = 0
    deleted: int = 0
    filled: int = 0
    bytes: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person may want to know although nothing went wrong."""
    would_delete: list[WouldDelete] | None = None
    for_schedule: ForSchedule = field(default_factory=ForSchedule)

    @property
    def new(self) -> int:
        """Messages that were not proven in every destination before this run."""
        return self.copied + self.duplicates + self.skipped + self.failed + self.remaining

    def as_json(self) -> dict[str, object]:
        """Return the contract's form."""
        document: dict[str, object] = {
            "name": self.name,
            "status": str(self.status),
            "listed": self.listed,
            "known": self.known,
            "new": self.new,
            "copied": self.copied,
            "duplicates": self.duplicates,
            "skipped": self.skipped,
            "failed": self.failed,
            "remaining": self.remaining,
            "verified": self.verified,
            "deleted": self.deleted,
            "filled": self.filled,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "errors": [problem.as_json() for problem in self.problems],
            "notes": self.notes,
        }
        if self.would_delete is not None:
            document["would_delete"] = [message.as_json() for message in self.would_delete]
        return document


def shown_unique_id(unique_id: bytes) -> str:
    """Write a unique-id as ASCII: every byte that is not printable ASCII becomes ``\\xNN``."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in unique_id)


OnProgress = Callable[[int], None]
"""Hears now and then how many messages, or copies, are done with so far."""


def no_progress(_done: int) -> None:
    """Listen to no progress."""


class Progress(Protocol):
    """What follows a run while it goes on. Called from the run's own thread, about once a batch."""

    def planned(self, account: str, messages: int, octets: int) -> None:
        """So much is to be retrieved; said once for each session."""

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """So much more is done with."""


class Silent:
    """Nobody follows the run."""

    def planned(self, account: str, messages: int, octets: int) -> None:
        """Say nothing."""

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Say nothing."""
