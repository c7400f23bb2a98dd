"""Where an installation stands, as ``status`` says it: accounts, disks and findings, without asking any server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.disk_usage import Disk
from jobs.lock import is_worker_alive
from jobs.look import facts_on_disk
from jobs.monitoring.stored_view import next_run, worker_views
from migrator.config.many_accounts import names_of
from migrator.findings.facts import LedgerState
from migrator.findings.find import find
from migrator.lazy_dataclasses import dataclass
from migrator.operations.look import opened_ledger
from migrator.operations.status import AccountStatus, account_statuses, unseen

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.findings.facts import Invocation
    from migrator.findings.model import Finding


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """What there is to say. ``is_blind``: there is a ledger, and it cannot be read; ``is_worked``: a worker is up."""

    accounts: Sequence[AccountStatus]
    disks: Sequence[Disk]
    findings: Sequence[Finding]
    is_blind: bool = False
    is_worked: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the document of ``status``."""
        return {
            "accounts": [account.as_json() for account in self.accounts],
            "disks": [disk.as_json() for disk in self.disks],
            "findings": [finding.as_json() for finding in self.findings],
        }


def installation_status(
    config: Config, accounts: Sequence[Account], now: float, invocation: Invocation
) -> InstallationStatus:
    """Look at ledger, files and folders; findings that concern other accounts only are left out."""
    with opened_ledger(config) as opened:
        facts = facts_on_disk(config, opened, now, invocation)
        names = set(names_of(accounts))
        found = [one for one in find(facts) if not one.accounts or not names.isdisjoint(one.accounts)]
        if opened.ledger is None or facts.ledger.state is not LedgerState.WELL:
            is_blind = facts.ledger.state is not LedgerState.NONE
            return InstallationStatus(unseen(accounts, config.state_dir, found), (), found, is_blind)
        workers = worker_views(config, opened.ledger, accounts)
        statuses = account_statuses(accounts, config.state_dir, opened.ledger, workers, next_run(config), found)
        is_worked = is_worker_alive(config.state_dir)
        disks = [Disk(one.path, one.free, one.total, one.minimum, one.full_in) for one in facts.disks]
        return InstallationStatus(statuses, disks, found, is_worked=is_worked)
