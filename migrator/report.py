"""What a run has to say for itself: numbers that add up, and every problem by name.

Pure data and its JSON form (`migrate --json`). Rendering for people is in ``migrator.ui.console``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from migrator.errors import Correction, FerryError, Kind
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import Digest, UniqueId


class Status(StrEnum):
    """How one account ended."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong. ``unique_id`` and ``destination`` are None where they do not apply.

    ``message`` ends with the ``cure``, where there is one. ``finding`` is the id of what a person is
    told of it, where more is known than ``kind`` tells; ``server`` is the ``host:port`` at fault, empty where none is;
    ``settings`` are the keys that would cure it.
    """

    kind: Kind
    message: str
    unique_id: UniqueId | None = None
    destination: str | None = None
    finding: str = ""
    server: str = ""
    cure: str = ""
    settings: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, error: FerryError, *, unique_id: UniqueId | None = None, destination: str | None = None) -> Problem:
        """Make a problem of an error, its server's words and its cure included."""
        server = str(error.endpoint) if error.endpoint else ""
        return cls(error.kind, str(error), unique_id, destination, error.finding, server, error.cure, error.settings)

    def as_json(self) -> dict[str, object]:
        """Return the contract's form; a unique-id that is not ASCII is written with ``\\xNN``."""
        uidl = None if self.unique_id is None else shown_unique_id(self.unique_id)
        return {"uidl": uidl, "destination": self.destination, "kind": str(self.kind), "message": self.message}

    def as_memory(self) -> dict[str, object]:
        """Return what the ledger keeps of it: the contract's form, and what findings are made of."""
        settings = dict(self.settings)
        more = {"finding": self.finding, "server": self.server, "cure": self.cure, "settings": settings}
        return {**self.as_json(), **{name: value for name, value in more.items() if value}}


def without_cure(message: str, cure: str) -> str:
    """Return what is said of a problem, without the cure with which it ends."""
    return message.removesuffix(cure).rstrip("; \n") if cure else message


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
class Described:
    """What a person knows a message by; ``date`` is seconds since the epoch, None where none is known."""

    date: int | None
    sender: str
    subject: str


@dataclass(frozen=True, slots=True)
class WouldDo:
    """What a real run would do in place of a dry one: copy new messages, of that many octets announced, and delete."""

    copies: int
    octets: int
    deletions: Sequence[WouldDelete] = ()


class StoppedBy(StrEnum):
    """Who ended a run before its end."""

    PERSON = "person"
    """Somebody who wanted this run to end."""
    SYSTEM = "system"
    """What it ran in: a command that was interrupted, a worker that ends."""


@dataclass(frozen=True, slots=True)
class ForSchedule:
    """What a schedule acts on, and nobody reads.

    ``error`` decided the status, and has its retry advice. ``login_delay`` is how many seconds the source announced to
    lie between two log-ins (RFC 2449, section 6.5), 0.0 for none; None where no session was opened.
    """

    error: FerryError | None = None
    login_delay: float | None = None
    is_turned_away: bool = False
    """Whether a server that is written to refused the run while others of this process were there."""
    stopped_by: StoppedBy | None = None
    """Who ended the run before its end, where anybody did."""


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
    would_do: WouldDo | None = None
    """For a dry run that could look at its source."""
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
        if self.would_do is not None:
            document["would_copy"] = {"messages": self.would_do.copies, "octets": self.would_do.octets}
            document["would_delete"] = [message.as_json() for message in self.would_do.deletions]
        return document

    def as_memory(self) -> dict[str, object]:
        """Return what the ledger keeps of it: the contract's form, and who stopped the run, where anybody did."""
        stopped_by = self.for_schedule.stopped_by
        more = {STOPPED_BY: str(stopped_by)} if stopped_by else {}
        return {**self.as_json(), "errors": [problem.as_memory() for problem in self.problems], **more}


def shown_unique_id(unique_id: bytes) -> str:
    """Write a unique-id as ASCII: every byte that is not printable ASCII becomes ``\\xNN``."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in unique_id)


STOPPED_BY = "stopped_by"
"""Under what the ledger keeps who stopped a run."""

INTERRUPTED = "interrupted"
"""What stands for the problem of a run that a person or the system has stopped."""


class Storing:
    """How much is being stored at this moment, over all runs of a process; may be asked in a signal handler."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = 0.0
        self._stored = 0
        self.octets = 0
        """Octets that are on their way to destinations and not known to be safe there."""

    def begun(self, octets: int) -> None:
        """Note that so much is on its way."""
        with self._lock:
            self._began = self._began or self._clock()
            self.octets += octets

    def ended(self, octets: int) -> None:
        """Note that so much of it is stored, or given up."""
        with self._lock:
            self.octets -= octets
            self._stored += octets

    @property
    def seconds_left(self) -> float | None:
        """How long it takes to store the rest, at the pace so far; None where nothing was stored yet."""
        passed = self._clock() - self._began
        return self.octets * passed / self._stored if self._stored and passed > 0 else None


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
