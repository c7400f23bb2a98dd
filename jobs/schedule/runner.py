"""From the worker to ``migrator`` and back: an account's name in, a run, its outcome out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.queue import ScheduledAccount
from jobs.schedule.retry import RunOutcome, outcome_of
from jobs.schedule.workers import Liveness
from migrator import config
from migrator.copying.offload import ChildCopierPool
from migrator.ledger import Ledger
from migrator.message.spool import SHARED_RUN_BUDGET_OCTETS
from migrator.report import AccountReport
from migrator.run.accounts import run_recorded
from migrator.run.context import Effects
from migrator.wiring.account import job_of
from migrator.wiring.moved_archives import follow_moves

Run = Callable[[config.Account, threading.Event], AccountReport]


@dataclass(frozen=True, slots=True)
class Beating:
    """Progress of runs as a pulse: the watchdog is fed by work that gets somewhere."""

    liveness: Liveness

    def planned(self, account: str, messages: int, octets: int) -> None:  # noqa: ARG002  # a Progress
        """Note that the account got somewhere."""
        self.liveness.beat(account)

    def advanced(self, account: str, messages: int, octets: int) -> None:  # noqa: ARG002  # a Progress
        """Note that the account got somewhere."""
        self.liveness.beat(account)


class Runs:
    """Runs the accounts of the configuration that holds at present."""

    def __init__(
        self,
        configuration: config.Config,
        ledger: Ledger,
        fingerprints: Fingerprints,
        liveness: Liveness,
        run: Run | None = None,
    ) -> None:
        """Run by ``run``, by default the real thing; each run has a ledger connection of its own."""
        self._ledger = ledger
        self._fingerprints = fingerprints
        self._liveness = liveness
        self._child_copiers = ChildCopierPool()
        self._run = run or self._run_recorded
        self.config = configuration

    def run(self, name: str, stop: threading.Event) -> tuple[AccountReport, RunOutcome]:
        """Work an account, end between two messages once ``stop`` is set, and say how it went."""
        [account] = self.config.select([name])
        report = self._run(account, stop)
        return report, outcome_of(report)

    def _run_recorded(self, account: config.Account, stop: threading.Event) -> AccountReport:
        def step(_name: str) -> None:
            self._liveness.beat(account.name)

        effects = Effects(
            stop=stop,
            progress=Beating(self._liveness),
            step=step,
            copier_for=self._child_copiers.lent,
            octets_at_once=SHARED_RUN_BUDGET_OCTETS,
        )
        with self._ledger.lent() as own:
            follow_moves(self.config, own)
            return run_recorded(job_of(account, self.config.state_dir), own, effects)

    def fingerprint(self, name: str) -> str:
        """Hash the account's configuration and passwords as they are now; ``""`` for one that is gone."""
        account = next((account for account in self.config.accounts if account.name == name), None)
        return self._fingerprints.current(account, self.config) if account else ""

    def jobs(self) -> list[ScheduledAccount]:
        """Return the accounts as the queue sees them."""
        return [
            ScheduledAccount(
                account.name,
                hosts_of(account),
                f"{account.source.username} at {account.source.endpoint}",
                self._fingerprints.configured(account, self.config),
            )
            for account in self.config.accounts
        ]


def hosts_of(account: config.Account) -> frozenset[str]:
    """Return the servers that an account needs: its source, and the IMAP servers it writes to."""
    places = [place for place in account.destinations if isinstance(place, config.Server)]
    return frozenset(str(server.endpoint) for server in (account.source, *places))
