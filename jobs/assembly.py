"""What the worker keeps going, wired together: the alarm clock, the runs, and the threads beside them.

Built from the configuration in force, which ``current`` tells: a reload is heard without building anything again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.alerting.alerts import Alerts
from jobs.alerting.channels import channels
from jobs.alerting.heartbeat import Heartbeats, Pinger
from jobs.alerting.outbox import Outbox
from jobs.maintenance.upkeep import Upkeep
from jobs.maintenance.verify_slice import verified
from jobs.monitor import Monitor
from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.queue import Concurrency, Queue
from jobs.schedule.runner import Run, Runs
from jobs.schedule.state_store import BufferedStateStore
from jobs.schedule.timetable import AlarmClock, Timetables
from jobs.schedule.workers import Liveness, Worker
from migrator.config import Config
from migrator.ledger import Ledger
from migrator.wiring.archive import index_what_is_new


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of one worker. Nothing runs before ``start``; ``stop`` waits for all of them together."""

    store: BufferedStateStore
    liveness: Liveness
    runs: Runs
    outbox: Outbox
    pinger: Pinger
    upkeep: Upkeep
    monitor: Monitor
    worker: Worker
    clock: AlarmClock

    def load(self, config: Config, timetables: Timetables) -> None:
        """Work these accounts from now on."""
        self.runs.config = config
        self.worker.load(self.runs.jobs(), limits_of(config))
        self.clock.set(timetables.by_account)

    def start(self) -> None:
        """Start every thread; what is due is worked at once."""
        for part in (self.outbox, self.pinger, self.upkeep, self.worker):
            part.start()

    def dead(self) -> list[str]:
        """Return which parts have lost a thread."""
        parts = {
            "alarm clock": self.clock.is_alive,
            "worker": self.worker.is_alive,
            "upkeep": self.upkeep.is_alive,
            "outbox": self.outbox.is_alive,
        }
        return [name for name, is_alive in parts.items() if not is_alive()]

    def stop(self, seconds: float) -> bool:
        """Ask everything to end, then wait for all of it; returns whether it did so in that time."""
        self.clock.stop()
        stops = (self.worker.stop, self.upkeep.stop, self.pinger.stop, self.outbox.stop)
        for stop in stops:
            stop(0.0)
        until = time.monotonic() + seconds
        ended = [stop(max(0.1, until - time.monotonic())) for stop in stops]
        return all(ended)


def assembled(current: Callable[[], Config], ledger: Ledger, timetables: Timetables, run: Run | None) -> Assembly:
    """Return a worker on a ledger; ``run`` works an account, by default the real thing."""
    config = current()
    store, liveness, pinger = BufferedStateStore(ledger.state_store), Liveness(), Pinger()
    outbox = Outbox(store, lambda: channels(current().notify))
    upkeep = Upkeep(
        store,
        names=lambda: [account.name for account in current().accounts],
        verify_every=lambda: current().verify.every.total_seconds(),  # noqa: PLW0108  # a reload changes it
        verify=lambda part, parts, should_stop: verified(current(), part, parts, should_stop),
        index=lambda: index_what_is_new(current()),
    )
    runs = Runs(config, ledger, Fingerprints.of_state_dir(config.state_dir), liveness, run)
    monitor = Monitor(
        config,
        ledger,
        store,
        alerts=Alerts(store, outbox),
        heartbeats=Heartbeats(pinger, config.pings),
        upkeep=upkeep,
    )
    queue = Queue(store, limits=limits_of(config), next_round=timetables.next_round, jitter=random.random)
    worker = Worker(queue, runs, monitor, liveness=liveness)
    return Assembly(store, liveness, runs, outbox, pinger, upkeep, monitor, worker, AlarmClock(worker.wake))


def limits_of(config: Config) -> Concurrency:
    """Return how many accounts may be worked at one time."""
    return Concurrency(config.limits.accounts, config.limits.per_host)
