"""From the worker to ``migrator`` and back: an account's name in, a run, its outcome out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.live_progress import LiveProgress
from jobs.schedule.queue import ScheduledAccount
from jobs.schedule.retry import RunOutcome, outcome_of
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Liveness
from migrator import config
from migrator.copying.census import EVERY_HOUR, SharedLooks
from migrator.copying.offload import ChildCopierPool
from migrator.ledger import Ledger
from migrator.message.spool import SHARED_RUN_BUDGET_OCTETS
from migrator.report import AccountReport
from migrator.run.accounts import run_recorded
from migrator.run.context import Effects
from migrator.run.host_limits import HostLimits
from migrator.wiring.account import RunLimits, job_of
from migrator.wiring.moved_archives import follow_moves

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
        self._jobs: tuple[config.Config, Sequence[ScheduledAccount]] | None = None
        """Those of the configuration beside them: to hash hundreds of accounts takes its time, and a pause needs it."""

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
            follow_moves(self.config, own)
            limits = RunLimits(is_scheduled=True)
            return run_recorded(job_of(account, self.config.state_dir, limits), own, effects)

    def fingerprint(self, name: str) -> str:
        """Hash the account's configuration and passwords as they are now; ``""`` for one that is gone."""
        account = self.config.named(name)
        return self._fingerprints.current(account, self.config) if account else ""

    def jobs(self) -> Sequence[ScheduledAccount]:
        """Return the accounts as the queue sees them."""
        if self._jobs is None or self._jobs[0] is not self.config:
            self._jobs = self.config, [self._job(account) for account in self.config.accounts]
        return self._jobs[1]

    def _job(self, account: config.Account) -> ScheduledAccount:
        return ScheduledAccount(
            account.name,
            hosts_of(account),
            f"{account.source.username} at {account.source.endpoint}",
            self._fingerprints.configured(account, self.config),
            str(account.source.endpoint),
        )


def hosts_of(account: config.Account) -> frozenset[str]:
    """Return the servers that an account needs: its source, and the IMAP servers it writes to."""
    places = [place for place in account.destinations if isinstance(place, config.Server)]
    return frozenset(str(server.endpoint) for server in (account.source, *places))
