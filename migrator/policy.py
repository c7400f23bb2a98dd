"""What the owner of a maildrop wants to happen to mail that has arrived: pure values, decided in the configuration."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from migrator.lazy_dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave every message on the server: the default, everywhere."""


@dataclass(frozen=True, slots=True)
class DeleteWhenVerified:
    """Delete a message as soon as every destination's copy of it is verified."""


@dataclass(frozen=True, slots=True)
class DeleteAfter:
    """Delete a message once every destination's copy of it has been verified for this long."""

    age: timedelta


LeaveOnServer = Keep | DeleteWhenVerified | DeleteAfter


def is_due(leave_on_server: LeaveOnServer, proven_at: float, now: float) -> bool:
    """Say whether a message proven at ``proven_at`` is to be deleted at its source by ``now``."""
    match leave_on_server:
        case Keep():
            return False
        case DeleteWhenVerified():
            return True
        case DeleteAfter(age):
            return proven_at + age.total_seconds() <= now
        case _ as never:
            assert_never(never)


_CLOCK_SLACK = 3_600.0
"""Seconds by which a clock may be set back without a word: what keeps it right does that."""


def has_clock_jumped(last_run_at: float | None, now: float, age: timedelta) -> bool:
    """Say whether the time since the last run is none by which the age of a message may be measured.

    It runs backwards, or is longer than the age itself: then all that is kept would fall due at once.
    """
    return last_run_at is not None and not -_CLOCK_SLACK <= now - last_run_at <= age.total_seconds()


GONE = "gone"
"""The word for messages of which a person took a copy out; they are of the kind ``mismatch``, as others may be."""


class WhenCopyIsGone(StrEnum):
    """What holds of a proven copy that a person took out of a destination."""

    KEEP = "keep"
    """The source keeps its message, which counts as dealt with; it is reported once."""
    RESTORE = "restore"
    """It is stored again."""
    ACCEPT = "accept"
    """It counts as stored."""


class SourceProof(StrEnum):
    """How the source proves that it still holds what an earlier session copied, before that is deleted there."""

    CONTENT = "content"
    """The whole message is retrieved again and has the same digest."""
    HEADERS = "headers"
    """Its octets and the digest of its header block (TOP n 0) are the same."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner of a maildrop wants. ``max_octets`` is None without a limit; ``limit`` bounds new messages.

    ``has_patience`` is for a schedule: what failed before is then tried again after a while, longer each time.
    """

    leave_on_server: LeaveOnServer = field(default_factory=Keep)
    source_proof: SourceProof = SourceProof.CONTENT
    max_octets: int | None = None
    limit: int | None = None
    max_delete: int | None = None
    max_logins: int | None = None
    has_patience: bool = False

    def after(self, handled: int) -> Policy:
        """Return what is left of the limit when that many new messages are dealt with."""
        return self if self.limit is None else replace(self, limit=max(0, self.limit - handled))

    @property
    def deletes_at_once(self) -> bool:
        """Whether a message may go as soon as it is verified."""
        return self.due(0.0, 0.0)

    def due(self, copied_at: float, now: float) -> bool:
        """Say whether a message verified at ``copied_at`` is to be deleted at the source by ``now``."""
        return is_due(self.leave_on_server, copied_at, now)

    def next_due(self, copied_at: float) -> float:
        """Return when a message verified at ``copied_at`` falls due; infinity if never."""
        match self.leave_on_server:
            case Keep():
                return float("inf")
            case DeleteWhenVerified():
                return copied_at
            case DeleteAfter(age):
                return copied_at + age.total_seconds()
            case _ as never:
                assert_never(never)
