"""One task as it is kept: values only."""

from __future__ import annotations

from enum import StrEnum

from migrator.lazy_dataclasses import dataclass


class TaskState(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The worker ended before the task did."""
    CANCELLED = "cancelled"
    """Somebody has ended it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self not in {TaskState.QUEUED, TaskState.RUNNING}


@dataclass(frozen=True, slots=True)
class TaskFile:
    """What a task has left to be saved, and until when."""

    name: str
    octets: int
    until: float


@dataclass(frozen=True, slots=True)
class Task:
    """Something long that was asked for on the page; times are None for not yet.

    ``subject`` is the account it is for, empty for all. ``details`` are what its kind wrote down of what was wanted,
    as JSON. ``result`` is a sentence in ``language``, that of who asked. ``cancelled_by`` is who asked for its end,
    empty for nobody. ``file`` is None where there is none, not yet, or not any more.
    """

    number: int
    kind: str
    subject: str
    details: str
    asked_by: str
    asked_at: float
    begun_at: float | None
    ended_at: float | None
    state: TaskState
    result: str
    language: str
    cancelled_by: str
    file: TaskFile | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is. ``total`` is None where nobody knows; both count what the kind says it counts."""

    done: int
    total: int | None = None
