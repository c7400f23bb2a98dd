"""What a kind of task is, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.maintenance.upkeep import StoppedError
from jobs.web.store import WebStore
from jobs.web.tasks.task import Progress, Task
from jobs.web.worker import Worker
from migrator.config import Config
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Examined:
    """What the last thorough look has found, and when."""

    at: float
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Hands:
    """What a task works with."""

    worker: Worker
    store: WebStore
    clock: Callable[[], float]
    should_stop: Callable[[], bool]
    """Whether the worker ends, or somebody has cancelled the task."""
    note_progress: Callable[[Progress], None]
    file: Callable[[str], Path]
    """Where to write the file of this name that the task leaves: in a folder of its own, empty, with some room on its
    disk (else ``disk-full``). It is kept for a day if the task ends well, and gone if it does not."""
    secret: str
    """What was typed for this task alone; empty where nothing was, or where the worker has started since."""
    note_examined: Callable[[Examined], None]

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.worker.config()

    def refuse_stopped(self) -> None:
        """Raise ``StoppedError`` where the task has to end."""
        if self.should_stop():
            raise StoppedError

    def went_on(self, done: int, total: int | None = None) -> None:
        """Note how far the task is; raises ``StoppedError`` where it has to end."""
        self.refuse_stopped()
        self.note_progress(Progress(done, total))


@dataclass(frozen=True, slots=True)
class TaskKind:
    """Something that can be asked for.

    ``work`` does it and returns a sentence; it asks now and then whether it should stop, and raises ``StoppedError``
    then, ``FerryError`` or ``ConfigError`` where it fails. ``title`` is what a person calls it. ``describe`` says what
    it is done for, empty for everything. ``see`` is the address where its result stands, if that is more than the
    sentence. A quick one (seconds) does not wait for those that take hours.
    """

    name: str
    title: str
    work: Callable[[Task, Hands], str]
    describe: Callable[[Task], str] = lambda task: task.subject
    see: str = ""
    is_quick: bool = False
