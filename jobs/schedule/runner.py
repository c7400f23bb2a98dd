"""From the worker to ``migrator`` and back: an account's name in, a run, its outcome out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.live_progress import LiveProgress
from jobs.schedule.queue import ScheduledAccount
from jobs.schedule.retry import RunOutcome, outcome_of
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Liveness
from migrator import config
from migrator.config import Schedule
from migrator.copying.census import EVERY_HOUR, SharedLooks
from migrator.copying.offload import ChildCopierPool
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.message.spool import SHARED_RUN_BUDGET_OCTETS
from migrator.report import AccountReport
from migrator.run.accounts import run_recorded
from migrator.run.context import Effects
from migrator.run.host_limits import HostLimits
from migrator.wiring.account import RunLimits, connections_allowed, job_of
from migrator.wiring.moved_archives import ArchiveMoves

Run = Callable[[config.Account, Stop], AccountReport]


class Runs:
    """Runs the accounts of the configuration that holds at present."""

    def __init__(
        self,
        configuration: config.Config,
        ledger: Ledger,
        fingerprints: Fingerprints,
        liveness: Liveness,
        run: Run | None = None,
        hosts: HostLimits | None = None,
    ) -> None:
        """Run by ``run``, by default the real thing; each run has a ledger connection of its own.

        ``hosts`` is how many connections each server gets.
        """
        self.hosts = hosts or HostLimits()
        self.progress = LiveProgress(liveness)
        self._ledger = ledger
        self._fingerprints = fingerprints
        self._liveness = liveness
        self._child_copiers = ChildCopierPool()
        self._run = run or self._run_recorded
        self.config = configuration
        self._listed: _Listed | None = None
        self._moves: tuple[config.Config, ArchiveMoves] | None = None

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        """Work an account, end between two messages once ``stop`` is set, and say how it went."""
        [account] = self.config.select([name])
        self.progress.began(name)
        try:
            report = self._run(account, stop)
        finally:
            self.progress.ended(name)
        return report, outcome_of(report)

    def _run_recorded(self, account: config.Account, stop: Stop) -> AccountReport:
        def step(_name: str) -> None:
            self._liveness.beat(account.name)

        effects = Effects(
            stop=stop,
            stopped_by=lambda: stop.by,
            progress=self.progress,
            step=step,
            copier_for=self._child_copiers.lent,
            octets_at_once=SHARED_RUN_BUDGET_OCTETS,
            hosts=self.hosts,
            looks=SharedLooks(good_for=EVERY_HOUR),
        )
        with self._ledger.lent() as own:
            self._moves_of(self.config).follow(own, account)
            limits = RunLimits(is_scheduled=True)
            return run_recorded(job_of(account, self.config.state_dir, limits), own, effects)

    def _moves_of(self, configuration: config.Config) -> ArchiveMoves:
        if self._moves is None or self._moves[0] is not configuration:
            self._moves = configuration, ArchiveMoves(configuration)
        return self._moves[1]

    def fingerprint(self, name: str) -> str:
        """Hash the account's configuration and passwords as they are now; ``""`` for one that is gone."""
        account = self.config.named(name)
        return self._fingerprints.current(account, self.config) if account else ""

    def jobs(self) -> Sequence[ScheduledAccount]:
        """Return the accounts as the queue sees them."""
        return self._list().jobs

    def schedules(self) -> Mapping[str, Schedule]:
        """Return when the accounts are to be worked, by their names."""
        listed = self._list()
        return {job.name: schedule for job, schedule in zip(listed.jobs, listed.schedules, strict=True)}

    def connections_allowed(self) -> Mapping[str, int]:
        """Return how many connections each server may have at one time where a person has said so."""
        return self._list().connections

    def _list(self) -> _Listed:
        if self._listed is None or self._listed.config is not self.config:
            self._listed = None  # no two of them at one time
            self._listed = _listed(self.config, self._fingerprints)
        return self._listed


@dataclass(frozen=True, slots=True)
class _Listed:
    """The accounts of a configuration: to go through all of them takes its time, and a pause needs them again."""

    config: config.Config
    jobs: Sequence[ScheduledAccount]
    schedules: Sequence[Schedule]
    connections: Mapping[str, int]


def _listed(configuration: config.Config, fingerprints: Fingerprints) -> _Listed:
    """Go through all accounts once; what many have in common they share."""
    jobs: list[ScheduledAccount] = []
    schedules: list[Schedule] = []
    hosts: dict[frozenset[str], frozenset[str]] = {}
    sources: dict[str, str] = {}

    def each() -> Iterator[config.Account]:
        for account in configuration.accounts:
            source, needed = str(account.source.endpoint), hosts_of(account)
            jobs.append(
                ScheduledAccount(
                    account.name,
                    hosts.setdefault(needed, needed),
                    f"{account.source.username} at {source}",
                    fingerprints.configured(account, configuration),
                    sources.setdefault(source, source),
                )
            )
            schedules.append(account.schedule or configuration.schedule)
            yield account

    connections = connections_allowed(each())
    return _Listed(configuration, jobs, schedules, connections)


def hosts_of(account: config.Account) -> frozenset[str]:
    """Return the servers that an account needs: its source, and the IMAP servers it writes to."""
    places = [place for place in account.destinations if isinstance(place, config.Server)]
    return frozenset(str(server.endpoint) for server in (account.source, *places))
