"""The worker as a process: everything wired together, the signals, and the loop that looks after it all.

The main thread does no work of its own: it waits for signals, feeds the watchdog from real progress, and looks around
now and then. What it keeps going: the alarm clock, the worker's threads, and the quiet ones (upkeep, outbox, pings).
"""

from __future__ import annotations

import logging
import queue
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Protocol

from jobs.alerting.channels import Channel, channels
from jobs.alerting.heartbeat import Pinger
from jobs.alerting.outbox import Outbox
from jobs.config_watch import Watched
from jobs.lock import worker_lock
from jobs.log import say
from jobs.maintenance.upkeep import ShouldStop, Slice, Upkeep
from jobs.maintenance.verify_slice import verified
from jobs.monitor import Monitor
from jobs.monitoring.health import health_of
from jobs.monitoring.snapshot import Snapshot
from jobs.periodic import PeriodicTasks
from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.queue import Concurrency, Queue
from jobs.schedule.runner import Run, Runs
from jobs.schedule.state_store import BufferedStateStore
from jobs.schedule.timetable import AlarmClock, Timetable
from jobs.schedule.workers import Liveness, Worker
from jobs.systemd import Supervisor
from migrator.config import Config
from migrator.errors import ConfigError, FerryError
from migrator.ledger import Ledger
from migrator.ui.text import span
from migrator.wiring.archive import index_what_is_new

STUCK_SECONDS = 900.0
"""A run that gets nowhere for so long hangs: its own time-outs end it within minutes. Then the watchdog starves."""
STOP_SECONDS = 15.0
LOOK_SECONDS = 5.0
ALERT_SECONDS = 10.0


class HasThreads(Protocol):
    """Something with threads of its own."""

    def is_alive(self) -> bool:
        """Tell whether they live."""


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
    """One worker process."""

    def __init__(self, configuration: Config, parts: ServiceOptions) -> None:
        """Prepare; nothing is touched before ``run``."""
        self.config = configuration
        self._parts = parts
        self._supervisor = parts.supervisor or Supervisor.of_environment()
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
            self._assemble(ledger)
            with self._signals(), ExitStack() as stack:
                self._start(stack)
                self._loop()
                self._supervisor.stopping()
                say("worker.stopping")
            is_clean = self._end()
        say("worker.stopped", clean=is_clean)
        return is_clean

    def _assemble(self, ledger: Ledger) -> None:
        self.notes = BufferedStateStore(ledger.notes)
        self.pulse = Liveness()
        fingerprints = Fingerprints.of_state_dir(self.config.state_dir)
        self.runs = Runs(self.config, ledger, fingerprints, self.pulse, self._parts.run)
        self._started_at = time.time()
        self.outbox = Outbox(self.notes, self._ways)
        self.pinger = Pinger()
        self.upkeep = Upkeep(
            self.notes,
            names=self._names,
            verify_every=self._verify_every,
            verify=self._verify,
            index=self._index,
        )
        self.queue = Queue(self.notes, limits=self._limits(), next_round=self._next_round, jitter=random.random)
        self.desk = Monitor(self.config, ledger, self.notes, self.outbox, self.pinger, self.upkeep)
        self.worker = Worker(self.queue, self.runs, self.desk, pulse=self.pulse)
        self.clock = AlarmClock(self.worker.ring)

    def _ways(self) -> list[Channel]:
        return channels(self.config.notify)

    def _names(self) -> list[str]:
        return [account.name for account in self.config.accounts]

    def _verify_every(self) -> float:
        return self.config.verify.every.total_seconds()

    def _verify(self, part: int, parts: int, should_stop: ShouldStop) -> Slice:
        return verified(self.config, part, parts, should_stop)

    def _index(self) -> None:
        index_what_is_new(self.config)

    def _limits(self) -> Concurrency:
        return Concurrency(self.config.limits.accounts, self.config.limits.per_host)

    def _next_round(self, name: str, now: float) -> float:
        table = self._tables.get(name)
        return table.next_after(now) if table else float("inf")

    def _time(self) -> None:
        """Make the time-tables of the accounts anew."""
        self._tables = {
            account.name: Timetable(account.schedule or self.config.schedule, account.name, self._started_at)
            for account in self.config.accounts
        }
        self._intervals = {name: table.interval(self._started_at) for name, table in self._tables.items()}

    def _start(self, stack: ExitStack) -> None:
        self._time()
        if self.config.metrics and self.config.metrics.listen:
            from jobs.monitoring.http_server import Web

            web = Web(self.config.metrics.listen, self.snapshot)
            web.start()
            stack.callback(web.stop)
        self.worker.load(self.runs.jobs(), self._limits())
        self.clock.start()
        self.clock.set(self._tables)
        say("worker.started", accounts=len(self.config.accounts))
        for part in (self.outbox, self.pinger, self.upkeep, self.worker):
            part.start()
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
            self.worker.look_again()

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
        self.notes.catch_up()
        snapshot = self.snapshot()
        self._supervisor.status(snapshot.status_line())
        if not self._stuck():
            self._supervisor.alive()
        self.desk.write_health(health_of(snapshot))

    def _tell(self) -> None:
        self.desk.tell(self.worker.states(), self.worker.hosts_down(), self._problem, self._intervals)
        self.desk.digest(self.snapshot)

    def _look_at_files(self) -> None:
        if self._watched.has_changed():
            say("worker.reload.file_changed")
            self.reload()

    def reload(self) -> None:
        """Read the configuration again and work by it; an invalid one is told, and the old one stays in force."""
        self._supervisor.reloading()
        try:
            self._take_over(self._parts.load())
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
        self.config = self.runs.config = fresh
        self._time()
        self.desk.take_over(fresh)
        self.worker.load(self.runs.jobs(), self._limits())
        self.clock.set(self._tables)

    def _stuck(self) -> list[str]:
        return self.pulse.stuck(self._parts.stuck_seconds)

    def snapshot(self) -> Snapshot:
        """Return how everything is at this moment; may be called from any thread."""
        faults = [f"{name}: has got nowhere for {span(self._parts.stuck_seconds)}" for name in self._stuck()]
        faults += [f"the ledger cannot be written: {self.notes.problem}"] if self.notes.problem else []
        parts: dict[str, HasThreads] = {
            "alarm clock": self.clock,
            "worker": self.worker,
            "upkeep": self.upkeep,
            "outbox": self.outbox,
        }
        faults += [f"a thread of the {name} has ended" for name, part in parts.items() if not part.is_alive()]
        warnings = [f"the changed configuration is invalid and not in force: {self._problem}"] if self._problem else []
        return Snapshot(
            time.time(),
            self._started_at,
            self.desk.views(self.worker.states(), self.worker.running()),
            self.desk.disks,
            self.worker.longest_wait(),
            tuple(self.worker.hosts_down()),
            tuple(faults),
            tuple(warnings),
        )

    def _end(self) -> bool:
        """Ask everything to end, then wait for all of it together."""
        self.clock.stop()
        stops = (self.worker.stop, self.upkeep.stop, self.pinger.stop, self.outbox.stop)
        for stop in stops:
            stop(0.0)
        until = time.monotonic() + STOP_SECONDS
        ended = [stop(max(0.1, until - time.monotonic())) for stop in stops]
        self.desk.leave()
        return all(ended)
