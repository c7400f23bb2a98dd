"""The worker as a process: the signals, and the loop of the main thread.

The main thread does no work of its own: it waits for signals, feeds the watchdog from real progress, and looks at
everything now and then. What it keeps going is in ``jobs.assembly``.
"""

from __future__ import annotations

import logging
import queue
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType

from jobs.assembly import Assembly, assembled
from jobs.config_watch import Watched
from jobs.lock import worker_lock
from jobs.log import say
from jobs.monitoring import health, weekly_timer
from jobs.monitoring.snapshot import Snapshot
from jobs.periodic import PeriodicTasks
from jobs.schedule.runner import Run
from jobs.schedule.timetable import Timetables
from jobs.systemd import Supervisor
from migrator.config import Config
from migrator.errors import ConfigError, FerryError
from migrator.ledger import Ledger
from migrator.ui.text import span

STUCK_SECONDS = 900.0
"""A run that gets nowhere for so long hangs: its own time-outs end it within minutes. Then the watchdog starves."""
STOP_SECONDS = 15.0
LOOK_SECONDS = 5.0
ALERT_SECONDS = 10.0


class MainThreadMessage(Enum):
    """What the main thread can be asked for."""

    STOP = auto()
    RELOAD = auto()


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What the service is given: how to read its configuration, and who does the work."""

    load: Callable[[], Config]
    run: Run | None = None
    supervisor: Supervisor | None = None
    stuck_seconds: float = STUCK_SECONDS


class Service:
    """One worker process. Nothing is touched before ``run``."""

    def __init__(self, configuration: Config, options: ServiceOptions) -> None:
        self.config = configuration
        self._options = options
        self._supervisor = options.supervisor or Supervisor.of_environment()
        # A SimpleQueue may be put into by a signal handler; an Event may dead-lock there.
        self._messages: queue.SimpleQueue[MainThreadMessage] = queue.SimpleQueue()
        self._watched = Watched(configuration)
        self._problem = ""

    def run(self) -> bool:
        """Work until SIGTERM or SIGINT; returns whether everything ended in time.

        Raises ``ConfigError`` when another worker holds the state folder or the port of the metrics cannot be had.
        """
        self.config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with worker_lock(self.config.state_dir), closing(Ledger.open(self.config.state_dir)) as ledger:
            self._timetables = Timetables(time.time())
            self._parts: Assembly = assembled(lambda: self.config, ledger, self._timetables, self._options.run)
            with self._signals(), ExitStack() as stack:
                self._start(stack)
                self._loop()
                self._supervisor.stopping()
                say("worker.stopping")
            is_clean = self._parts.stop(STOP_SECONDS)
            with suppress(OSError):
                health.forget(self.config.state_dir)
        say("worker.stopped", clean=is_clean)
        return is_clean

    def _start(self, stack: ExitStack) -> None:
        self._timetables.take_over(self.config)
        if self.config.metrics and self.config.metrics.listen:
            from jobs.monitoring.http_server import Web

            web = Web(self.config.metrics.listen, self.snapshot)
            web.start()
            stack.callback(web.stop)
        self._parts.load(self.config, self._timetables)
        self._parts.clock.start()
        say("worker.started", accounts=len(self.config.accounts))
        self._parts.start()
        self._look()
        self._supervisor.ready()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        meanings = {
            signal.SIGTERM: MainThreadMessage.STOP,
            signal.SIGINT: MainThreadMessage.STOP,
            signal.SIGHUP: MainThreadMessage.RELOAD,
        }

        def answer(number: int, _frame: FrameType | None) -> None:
            self._messages.put(meanings[signal.Signals(number)])

        before = {number: signal.signal(number, answer) for number in meanings}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _loop(self) -> None:
        ticks = PeriodicTasks(time.monotonic)
        ticks.every(self._look_seconds(), self._look)
        ticks.every(LOOK_SECONDS, self._look_at_files)
        ticks.every(ALERT_SECONDS, self._tell)
        while True:
            try:
                message = self._messages.get(timeout=ticks.next_in())
            except queue.Empty:
                self._run_due(ticks)
                continue
            if message is MainThreadMessage.STOP:
                return
            self.reload()
            self._parts.worker.look_again()

    def _run_due(self, ticks: PeriodicTasks) -> None:
        try:
            ticks.run_due()
        except FerryError as error:  # the ledger cannot be read now; the runs say so, each for itself
            say("worker.look.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))

    def _look_seconds(self) -> float:
        watchdog = self._supervisor.watchdog
        return min(LOOK_SECONDS, watchdog / 3) if watchdog else LOOK_SECONDS

    def _look(self) -> None:
        """Say how we are, and feed the watchdog unless something hangs."""
        self._parts.store.catch_up()
        snapshot = self.snapshot()
        self._supervisor.status(snapshot.status_line())
        if not self._stuck():
            self._supervisor.alive()
        with suppress(OSError):  # a full disk is no reason to stop
            health.write(health.health_of(snapshot), self.config.state_dir, time.time())

    def _tell(self) -> None:
        worker = self._parts.worker
        self._parts.monitor.tell(worker.states(), worker.hosts_down(), self._problem, self._timetables.intervals)
        weekly_timer.send_if_due(self.config.notify, self._parts.store, self._parts.outbox, self.snapshot, time.time())

    def _look_at_files(self) -> None:
        if self._watched.has_changed():
            say("worker.reload.file_changed")
            self.reload()

    def reload(self) -> None:
        """Read the configuration again and work by it; an invalid one is reported, and the old one stays in force."""
        self._supervisor.reloading()
        try:
            self._take_over(self._options.load())
        except ConfigError as error:
            self._problem = "; ".join(error.problems)
            say("worker.reload.refused", level=logging.ERROR, problems=error.problems)
        else:
            self._problem = ""
            say("worker.reload.done", accounts=len(self.config.accounts))
        self._watched.look(self.config)
        self._supervisor.ready()

    def _take_over(self, fresh: Config) -> None:
        listen = [config.metrics.listen if config.metrics else None for config in (self.config, fresh)]
        if fresh.state_dir != self.config.state_dir or listen[0] != listen[1]:
            raise ConfigError(["state_dir and [metrics] listen are only read at start: restart the worker"])
        self.config = fresh
        self._timetables.take_over(fresh)
        self._parts.monitor.take_over(fresh)
        self._parts.load(fresh, self._timetables)

    def _stuck(self) -> list[str]:
        return self._parts.liveness.stuck(self._options.stuck_seconds)

    def snapshot(self) -> Snapshot:
        """Return how everything is at this moment; may be called from any thread."""
        parts = self._parts
        faults = [f"{name}: has got nowhere for {span(self._options.stuck_seconds)}" for name in self._stuck()]
        faults += [f"the ledger cannot be written: {parts.store.problem}"] if parts.store.problem else []
        faults += [f"a thread of the {name} has ended" for name in parts.dead()]
        warnings = [f"the changed configuration is invalid and not in force: {self._problem}"] if self._problem else []
        return Snapshot(
            time.time(),
            self._timetables.started_at,
            parts.monitor.views(parts.worker.states(), parts.worker.running()),
            parts.monitor.disks,
            parts.worker.longest_wait(),
            tuple(parts.worker.hosts_down()),
            tuple(faults),
            tuple(warnings),
        )
