"""What the worker keeps going, wired together: the alarm clock, the runs, and the threads beside them.

Built from the configuration in force, which ``current`` tells: a reload is heard without building anything again.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jobs.alerting.alerts import Alerts
from jobs.alerting.channels import channels
from jobs.alerting.heartbeat import Heartbeats, Pinger
from jobs.alerting.outbox import Outbox
from jobs.maintenance.upkeep import Upkeep
from jobs.maintenance.verify_slice import verified
from jobs.monitor import Monitor
from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.live_progress import RunProgress, with_stops
from jobs.schedule.queue import Concurrency, Queue
from jobs.schedule.runner import Run, Runs
from jobs.schedule.state_store import BufferedStateStore
from jobs.schedule.timetable import AlarmClock, Timetables
from jobs.schedule.workers import Liveness, Worker
from migrator.config import Config
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.operations.account_list import PAUSED
from migrator.run.host_limits import HostLimits
from migrator.wiring.archive import index_what_is_new

if TYPE_CHECKING:
    from jobs.fleet.worker import FleetWorker


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of one worker. Nothing runs before ``start``; ``stop`` waits for all of them together."""

    ledger: Ledger
    store: BufferedStateStore
    liveness: Liveness
    runs: Runs
    outbox: Outbox
    pinger: Pinger
    upkeep: Upkeep
    monitor: Monitor
    worker: Worker | FleetWorker
    clock: AlarmClock

    def load(self, config: Config, timetables: Timetables) -> None:
        """Work the accounts of a configuration from now on, but for those that a person has paused."""
        self.runs.config = config
        timetables.take_over(self.runs.schedules())
        paused = self.paused()
        jobs = [job for job in self.runs.jobs() if job.name not in paused]
        self.runs.hosts.configured = self.runs.connections_allowed()
        self.worker.load(jobs, limits_of(config))
        if not config.ledger:  # in a fleet it stands in the account's row when it is due
            self.clock.set(timetables.by_account)

    @property
    def is_desk(self) -> bool:
        """Whether this is the worker that tells people what they are to hear: of several, one."""
        return isinstance(self.worker, Worker) or self.worker.is_desk()

    def has_other_accounts(self) -> bool:
        """Say whether accounts that are kept in the ledger's database have changed since they were read."""
        return not isinstance(self.worker, Worker) and self.worker.has_other_accounts()

    def paused(self) -> frozenset[str]:
        """Return the names of the accounts that a person has paused."""
        return frozenset(self.store.get_all(PAUSED))

    def progress(self) -> Mapping[str, RunProgress]:
        """Return how far each run has come that goes on now, by account; may be called from any thread."""
        return with_stops(self.runs.progress.running(), self.worker.stopping())

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

    def is_desk() -> bool:
        return isinstance(worker, Worker) or worker.is_desk()

    store, liveness, pinger = BufferedStateStore(ledger.state_store), Liveness(), Pinger()
    outbox = Outbox(store, lambda: channels(current().notify))
    upkeep = Upkeep(
        store,
        names=lambda: list(current().names()) if is_desk() else [],
        verify_every=lambda: current().verify.every.total_seconds(),  # noqa: PLW0108  # a reload changes it
        verify=lambda part, parts, should_stop: verified(current(), part, parts, should_stop),
        index=lambda: index_what_is_new(current()),
    )
    hosts = HostLimits(store=store)
    runs = Runs(config, ledger, Fingerprints.of_state_dir(config.state_dir), liveness, run, hosts)
    monitor = Monitor(
        config,
        ledger,
        store,
        alerts=Alerts(store, outbox),
        heartbeats=Heartbeats(pinger, config.pings),
        upkeep=upkeep,
    )
    worker: Worker | FleetWorker
    if config.ledger:
        worker = _fleet_worker(config, current, timetables, runs, monitor, store, liveness)
    else:
        queue = Queue(
            store, limits=limits_of(config), next_round=timetables.next_round, jitter=random.random, takes=hosts.bound
        )
        worker = Worker(queue, runs, monitor, liveness=liveness)
    return Assembly(ledger, store, liveness, runs, outbox, pinger, upkeep, monitor, worker, AlarmClock(worker.wake))


def _fleet_worker(
    config: Config,
    current: Callable[[], Config],
    timetables: Timetables,
    runs: Runs,
    monitor: Monitor,
    store: BufferedStateStore,
    liveness: Liveness,
) -> FleetWorker:
    try:
        from jobs.fleet.worker import FleetRules, FleetSettings, FleetWorker  # imports what only several machines need
    except ImportError as error:
        reason = f"several machines need packages that are not installed ({error.name}): pip install 'mailferry[fleet]'"
        raise ConfigError([f"ledger: {reason}"]) from error

    rules = FleetRules(
        timetables.next_round,
        host_limits=lambda: runs.hosts.configured,
        unreadable=lambda: [row.name for row in current().bad_rows if row.place and row.place.is_stored],
        revision=lambda: current().stored_revision,
        limits=limits_of(config),
    )
    name = f"{os.uname().nodename}:{config.state_dir}"
    settings = FleetSettings(config.ledger, name, key=Fingerprints.key_of(config.state_dir))
    return FleetWorker(settings, runs, monitor, store=store, rules=rules, liveness=liveness)


def limits_of(config: Config) -> Concurrency:
    """Return how many accounts may be worked at one time."""
    return Concurrency(config.limits.accounts, config.limits.per_host)
