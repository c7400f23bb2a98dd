"""The queue of tasks: two threads, one for what takes long and one for what is quick, each doing one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.background_thread import BackgroundThread, Rest
from jobs.log import say
from jobs.maintenance.upkeep import StoppedError
from jobs.web.engine_words import engine_words, sentences
from jobs.web.language import speaking
from jobs.web.languages import shipped_language
from jobs.web.store import WebStore
from jobs.web.tasks.files import drop_file, keep_file, new_file, take_away_old
from jobs.web.tasks.kind import Examined, Hands, TaskKind
from jobs.web.tasks.registry import KINDS
from jobs.web.tasks.task import Progress, Task, TaskState
from jobs.web.tasks.task_store import add_task, begin_task, cancel_task, end_task, task_of
from jobs.web.worker import Worker
from migrator.errors import ConfigError, FerryError, contained

REST_SECONDS = 600.0
"""Between two looks for files whose time is over."""
PATIENCE_SECONDS = 60.0
"""Before the queue is looked at again where that did not work."""


class Underway:
    """What is known of tasks in memory only: how far they are, who is to end, and what was typed for one of them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.examined: Examined | None = None
        self._progress: dict[int, Progress] = {}
        self._cancelled: set[int] = set()
        self._secrets: dict[int, str] = {}

    def progress(self, number: int) -> Progress | None:
        """Return how far a task is, None where it is not under way or has not said so yet."""
        return self._progress.get(number)

    def note_progress(self, number: int, progress: Progress) -> None:
        """Note how far a task is."""
        self._progress[number] = progress

    def note_examined(self, examined: Examined) -> None:
        """Keep what the last thorough look has found."""
        self.examined = examined

    def keep_secret(self, number: int, secret: str) -> None:
        """Keep what was typed for a task, until it has begun."""
        self._secrets[number] = secret

    def take_secret(self, number: int) -> str:
        """Return what was typed for a task, the empty text for nothing; it is not kept any more."""
        return self._secrets.pop(number, "")

    def cancel(self, number: int) -> None:
        """Note that a task is to end."""
        self._cancelled.add(number)

    def is_cancelled(self, number: int) -> bool:
        """Say whether somebody has asked for the end of a task."""
        return number in self._cancelled

    def forget(self, number: int) -> None:
        """Forget a task that is over."""
        self._progress.pop(number, None)
        self._cancelled.discard(number)
        self._secrets.pop(number, None)


class Tasks:
    """The queue; may be asked from any thread."""

    def __init__(
        self, store: WebStore, worker: Worker, clock: Callable[[], float], kinds: Iterable[TaskKind] = KINDS
    ) -> None:
        self.store = store
        self.clock = clock
        self.kinds = {kind.name: kind for kind in kinds}
        self.underway = Underway()
        self._lanes = [
            _Lane(name, [kind for kind in self.kinds.values() if kind.is_quick is is_quick], worker, self)
            for name, is_quick in (("page-tasks", False), ("page-quick-tasks", True))
        ]

    @property
    def examined(self) -> Examined | None:
        """What the last thorough look has found, None where there was none since the worker started."""
        return self.underway.examined

    def ask(self, kind: TaskKind, subject: str, user: str, *, details: str = "", secret: str = "") -> int:
        """Put a task into the queue; returns its number, durably.

        ``details`` are for its kind to read. ``secret`` is never written down: after a restart it is gone.
        """
        with self.underway.lock:  # no lane takes the task before its secret is kept
            number = add_task(self.store, kind.name, subject, details, user, self.clock())
            if secret:
                self.underway.keep_secret(number, secret)
        for lane in self._lanes:
            lane.has_news()
        return number

    def cancel(self, number: int, user: str) -> bool:
        """End a task, at once if it waits, else as soon as it looks; says whether there was anything to end."""
        with self.underway.lock:
            is_there = cancel_task(self.store, number, user, self.clock())
            task = task_of(self.store, number)
            if task is not None and task.state is TaskState.RUNNING:
                self.underway.cancel(number)
            else:
                self.underway.forget(number)
            return is_there

    def progress(self, number: int) -> Progress | None:
        """Return how far a task is, None where it is not under way or has not said so yet."""
        return self.underway.progress(number)

    def work_once(self, *, is_quick: bool = False) -> Rest:
        """Do what waits of the quick kinds, or of the others; says how long to rest then."""
        return self._lanes[int(is_quick)].work_once()

    def start(self) -> None:
        """Begin to work."""
        for lane in self._lanes:
            lane.start()

    def stop(self, seconds: float) -> bool:
        """End: what is under way ends as interrupted; returns whether that took less than so long."""
        for lane in self._lanes:
            lane.stop(0.0)
        ended = [lane.stop(seconds) for lane in self._lanes]
        return all(ended)

    def is_alive(self) -> bool:
        """Tell whether the threads live."""
        return all(lane.is_alive() for lane in self._lanes)


class _Lane(BackgroundThread):
    """A thread that does the tasks of some kinds, one after the other."""

    def __init__(self, name: str, kinds: Iterable[TaskKind], worker: Worker, tasks: Tasks) -> None:
        super().__init__(name)
        self._kinds = {kind.name: kind for kind in kinds}
        self._worker = worker
        self._tasks = tasks
        self._over: tuple[int, TaskState, str] | None = None

    def work_once(self) -> Rest:
        """Do what is in the queue, and take away the files whose time is over; no trouble with that ends the thread."""
        self.takes_news()
        try:
            with contained():
                self._work_off()
        except FerryError as error:
            if not self._stop.is_set():  # else the store is closed: what was under way ends as interrupted
                say("web.jobs.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))
            return PATIENCE_SECONDS
        return REST_SECONDS

    def _work_off(self) -> None:
        self._note_end()
        take_away_old(self._worker.config(), self._tasks.store, self._tasks.clock())
        while not self._stop.is_set() and (begun := self._begun()):
            task, secret = begun
            self._over = (task.number, *self._ended(task, secret))
            self._note_end()

    def _note_end(self) -> None:
        """Write down how the last task ended, where that is still to be done."""
        if self._over is not None:
            number, state, result = self._over
            with self._tasks.underway.lock:
                end_task(self._tasks.store, number, state, result, self._tasks.clock())
                self._tasks.underway.forget(number)
            self._over = None

    def _begun(self) -> tuple[Task, str] | None:
        with self._tasks.underway.lock:
            task = begin_task(self._tasks.store, list(self._kinds), self._tasks.clock())
            return None if task is None else (task, self._tasks.underway.take_secret(task.number))

    def _ended(self, task: Task, secret: str) -> tuple[TaskState, str]:
        try:
            with speaking(shipped_language(task.language)), contained():
                return self._done(task, secret)
        except FerryError as error:
            with speaking(shipped_language(task.language)):
                return TaskState.FAILED, engine_words(error.message).striptags()

    def _done(self, task: Task, secret: str) -> tuple[TaskState, str]:
        made: list[Path] = []
        is_kept = False
        try:
            result = self._kinds[task.kind].work(task, self._hands(task, secret, made))
            for path in made:
                keep_file(path, task.number, self._tasks.store, self._tasks.clock())
            is_kept = True
            return TaskState.DONE, result
        except StoppedError as stopped:  # what it says is what was done until then
            is_cancelled = self._tasks.underway.is_cancelled(task.number)
            return TaskState.CANCELLED if is_cancelled else TaskState.INTERRUPTED, str(stopped)
        except ConfigError as error:
            return TaskState.FAILED, sentences(*error.problems).striptags()
        finally:
            if made and not is_kept:
                drop_file(task.number, self._worker.config(), self._tasks.store)

    def _hands(self, task: Task, secret: str, made: list[Path]) -> Hands:
        tasks = self._tasks

        def file(name: str) -> Path:
            made[:] = [new_file(task.number, name, self._worker.config())]
            return made[0]

        return Hands(
            worker=self._worker,
            store=tasks.store,
            clock=tasks.clock,
            should_stop=lambda: self._stop.is_set() or tasks.underway.is_cancelled(task.number),
            note_progress=lambda progress: tasks.underway.note_progress(task.number, progress),
            file=file,
            secret=secret,
            note_examined=tasks.underway.note_examined,
        )
