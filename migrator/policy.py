"""What the owner of a maildrop wants to happen to mail that has arrived: pure values, decided in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


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


_CLOCK_SLACK = 3_600.0
"""Seconds by which a clock may be set back without a word: what keeps it right does that."""


def has_clock_jumped(last_run_at: float | None, now: float, age: timedelta) -> bool:
    """Say whether the time since the last run is none by which the age of a message may be told.

    It runs backwards, or is longer than the age itself: then all that is kept would fall due at once.
    """
    return last_run_at is not None and not -_CLOCK_SLACK <= now - last_run_at <= age.total_seconds()


class WhenCopyIsGone(StrEnum):
    """What holds of a proven copy that a person took out of a destination."""

    KEEP = "keep"
    """The source keeps its message, which counts as dealt with; it is told once."""
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
