"""The worker as a process: the signals, and the loop of the main thread.

The main thread does no work of its own: it waits for signals, reads a changed configuration, and feeds the watchdog
from real progress. What it keeps going is in ``jobs.assembly``.
"""

from __future__ import annotations

import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from enum import Enum, auto
from types import FrameType
from typing import TYPE_CHECKING

from jobs.assembly import Assembly, assembled
from jobs.config_watch import Watched
from jobs.lock import worker_lock
from jobs.log import say
from jobs.lookout import IsOver, Lookout
from jobs.monitoring import health, weekly_timer
from jobs.monitoring.metrics import is_by_host
from jobs.monitoring.snapshot import Seen, Snapshot, needing_a_person, status_line
from jobs.periodic import PeriodicTasks
from jobs.schedule.runner import Run
from jobs.schedule.timetable import Timetables
from jobs.schedule.worked_elsewhere import take_notes
from jobs.systemd import Supervisor
from migrator.config import Config
from migrator.errors import ConfigError, FerryError
from migrator.findings.facts import Invocation
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.ui.text import span

if TYPE_CHECKING:
    from jobs.web.server import PageServer

STUCK_SECONDS = 900.0
"""A run that gets nowhere for so long hangs: its own time-outs end it within minutes. Then the watchdog starves."""
STOP_SECONDS = 15.0
LOOK_SECONDS = 5.0
VERDICT_SECONDS = 15.0
"""So long the page waits to hear whether a changed configuration is in force."""


class MainThreadMessage(Enum):
    """What the main thread can be asked for."""

    STOP = auto()
    RELOAD = auto()
    LOOK = auto()
    """Somebody has written something down for the worker."""


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
        self._paused: frozenset[str] = frozenset()
        self._page: PageServer | None = None
        self._reloaded: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()

    def run(self) -> bool:
        """Work until SIGTERM or SIGINT; returns whether everything ended in time.

        Raises ``ConfigError`` when another worker holds the state folder or the port of the metrics cannot be had.
        """
        self.config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with worker_lock(self.config.state_dir), closing(Ledger.open(self.config.ledger_place)) as ledger:
            self._timetables = Timetables(time.time())
            self._parts: Assembly = assembled(lambda: self.config, ledger, self._timetables, self._options.run)
            self._lookout = Lookout(self._tell, self._parts.liveness)
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
        if self.config.metrics and self.config.metrics.listen:
            from jobs.monitoring.http_server import Web

            web = Web(self.config.metrics.listen, self.snapshot, self._health)
            web.start()
            stack.callback(web.stop)
        self._page = self._opened(stack)
        self._load()
        self._parts.clock.start()
        say("worker.started", accounts=len(self.config.accounts))
        self._parts.start()
        if self._page is not None:
            self._page.start()
        self._lookout.start()
        stack.callback(self._lookout.stop, LOOK_SECONDS)
        self._look()
        self._supervisor.ready()

    def _opened(self, stack: ExitStack) -> PageServer | None:
        """Listen for browsers, where that is configured; nobody is answered yet."""
        if self.config.web is None:
            return None
        try:
            from jobs.web.server import PageServer
            from jobs.web.worker import Worker
        except ImportError as error:
            reason = f"the page needs packages that are not installed ({error.name}): pip install 'mailferry[web]'"
            raise ConfigError([f"[web] listen: {reason}"]) from error

        parts = self._parts
        worker = Worker(
            config=lambda: self.config,
            snapshot=self.snapshot,
            ledger=parts.ledger,
            try_now=parts.worker.try_now,
            stop_run=parts.worker.stop_run,
            look_again=lambda: self._messages.put(MainThreadMessage.LOOK),
            reload=self._reload_and_wait,
            examine=self._examine,
            progress=parts.progress,
            index=parts.upkeep.has_news,
            seen=self._seen,
        )
        page = PageServer(self.config.web, worker)
        stack.callback(page.stop)
        return page

    def _seen(self) -> Seen:
        """Return what the page may have to show again; may be called from any thread."""
        parts = self._parts
        return Seen(
            parts.worker.states(),
            frozenset(parts.worker.running()),
            parts.monitor.numbers,
            parts.monitor.findings,
            (self._problem, parts.store.problem, *parts.dead(), *self._stuck()),
        )

    def _reload_and_wait(self) -> str | None:
        """Have the configuration read again; may be called from any thread but the main one."""
        done = threading.Event()
        self._reloaded.put(done)  # before the message: a reload that has begun already may have read what stood before
        self._messages.put(MainThreadMessage.RELOAD)
        return self._problem if done.wait(VERDICT_SECONDS) else None

    def _examine(self) -> Sequence[Finding]:
        """Look for everything that is or will go wrong; may be called from any thread."""
        from jobs.doctor import examine  # only where somebody asks

        path = self.config.path
        return examine(self.config, time.time(), Invocation(config=str(path) if path else ""))

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
        ticks.every(LOOK_SECONDS, self._hear_of_other_runs)
        while True:
            try:
                message = self._messages.get(timeout=ticks.next_in())
            except queue.Empty:
                self._guarded(ticks.run_due)
                continue
            if message is MainThreadMessage.STOP:
                return
            if message is MainThreadMessage.LOOK:
                self._guarded(self._look_at_files)
                continue
            self._guarded(self.reload)
            self._guarded(self._parts.worker.look_again)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except FerryError as error:  # the ledger cannot be read now; the runs say so, each for itself
            say("worker.look.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))

    def _look_seconds(self) -> float:
        watchdog = self._supervisor.watchdog
        return min(LOOK_SECONDS, watchdog / 3) if watchdog else LOOK_SECONDS

    def _look(self) -> None:
        """Say how we are, and feed the watchdog unless something hangs."""
        self._parts.store.catch_up()
        faults, now = self._faults(), self._health()
        self._supervisor.status(now.summary)
        if not self._stuck():
            self._supervisor.alive()
        with suppress(OSError):  # a full disk is no reason to stop
            worker = {"faults": faults, "refused_configuration": self._problem}
            health.write(now, self.config.state_dir, time.time(), worker=worker)

    def _health(self) -> health.Health:
        """Return how the worker is; it looks at no account, for it is asked every few seconds. From any thread."""
        parts, known = self._parts, self._timetables.by_account
        worked = known.keys() - self._paused if self._paused else known.keys()
        troubled = [name for name in dict.fromkeys(needing_a_person(parts.monitor.findings)) if name in worked]
        line = status_line(len(worked), troubled, len(parts.worker.running()))
        return health.judged(self._faults(), parts.monitor.findings, line)

    def _tell(self, is_over: IsOver) -> None:
        if not self._parts.is_desk:
            return
        self._parts.monitor.tell(self._problem, is_over)
        weekly_timer.send_if_due(self.config.notify, self._parts.store, self._parts.outbox, self.snapshot, time.time())

    def _hear_of_other_runs(self) -> None:
        """Go on with accounts that a one-shot ``migrate`` has worked meanwhile."""
        if names := take_notes(self._parts.store):
            self._parts.worker.logged_in(names)

    def _look_at_files(self) -> None:
        if self._watched.has_changed():
            say("worker.reload.file_changed")
            self.reload()
        elif not self._problem and self._parts.has_other_accounts():
            say("worker.reload.accounts_changed")
            self.reload()
        elif self._parts.paused() != self._paused:
            self._load()

    def _load(self) -> None:
        """Work the accounts of the configuration in force, but for those that a person has paused.

        The run of one that is paused ends between two messages.
        """
        paused = self._parts.paused()
        for name in sorted(paused ^ self._paused):
            say("worker.account.paused" if name in paused else "worker.account.resumed", account=name)
            if name in paused:
                self._parts.worker.stop_run(name)
        self._parts.load(self.config, self._timetables)
        self._paused = paused  # once it is done: else it is tried again at the next look

    def reload(self) -> None:
        """Read the configuration again and work by it; an invalid one is reported, and the old one stays in force.

        Raises ``FerryError`` where the ledger does not answer; then it is to be read again.
        """
        self._supervisor.reloading()
        waiting = [self._reloaded.get_nowait() for _ in range(self._reloaded.qsize())]
        try:
            self._take_over(self._options.load())
        except ConfigError as error:
            self._problem = "; ".join(error.problems)
            say("worker.reload.refused", level=logging.ERROR, problems=error.problems)
        else:
            self._problem = ""
            say("worker.reload.done", accounts=len(self.config.accounts))
        finally:
            self._supervisor.ready()
            for event in waiting:
                event.set()
        self._watched.look(self.config)

    def _take_over(self, fresh: Config) -> None:
        if _read_at_start(fresh) != _read_at_start(self.config):
            keys = "state_dir, [metrics] listen, and listen, tls_certificate and tls_key of [web]"
            raise ConfigError([f"{keys} are only read at start: restart the worker"])
        self.config = fresh
        self._parts.monitor.take_over(fresh)
        self._load()

    def _stuck(self) -> list[str]:
        return self._parts.liveness.stuck(self._options.stuck_seconds)

    def _faults(self) -> list[str]:
        """Say what keeps the process itself from its work."""
        parts = self._parts
        faults = [f"{name}: has made no progress for {span(self._options.stuck_seconds)}" for name in self._stuck()]
        faults += [f"the ledger cannot be written: {parts.store.problem}"] if parts.store.problem else []
        ended = [*parts.dead(), *([] if self._lookout.is_alive() else ["lookout"])]
        faults += [f"a thread of the {name} has ended" for name in ended]
        return faults + (["the thread of the page has ended"] if self._page and not self._page.is_alive() else [])

    def snapshot(self) -> Snapshot:
        """Return how everything is at this moment; may be called from any thread."""
        parts = self._parts
        return Snapshot(
            time.time(),
            self._timetables.started_at,
            parts.monitor.views(parts.worker.states(), parts.worker.running(), parts.progress()),
            parts.monitor.disks,
            parts.worker.longest_wait(),
            tuple(parts.worker.hosts_down()),
            tuple(self._faults()),
            tuple(parts.monitor.findings),
            self._problem,
            parts.monitor.looked_at,
            self._sources(),
        )

    def _sources(self) -> dict[str, str]:
        """Return the servers of the accounts where metrics are by these: in a fleet, and with many accounts."""
        if not is_by_host(len(self.config.accounts), is_fleet=bool(self.config.ledger)):
            return {}
        return {job.name: job.source for job in self._parts.runs.jobs()}


def _read_at_start(config: Config) -> tuple[object, ...]:
    """Return what a reload cannot change."""
    web = config.web
    return (
        config.state_dir,
        config.metrics.listen if config.metrics else None,
        (web.listen, web.tls_certificate, web.tls_key) if web else None,
    )
