"""Work accounts once: copy what is new, prove every copy, delete what the policy allows, and report on each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.copying.offload import ChildCopierPool
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger import Ledger
from migrator.report import AccountReport, Problem, Progress, Silent, Status, StoppedBy, Storing
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from migrator.run.host_limits import HostLimits
from migrator.wiring.account import RunLimits, connections_allowed, job_of
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from migrator.config import Account, Config

Afterwards = Callable[[Ledger, Sequence[AccountReport]], None]


@dataclass(frozen=True, slots=True)
class Watching:
    """Who follows the runs, and can end them: between two messages once ``stop`` is set."""

    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Silent)
    storing: Storing = field(default_factory=Storing)
    stopped_by: Callable[[], StoppedBy] = lambda: StoppedBy.SYSTEM
    """Who has set ``stop``."""


def migrate_accounts(
    config: Config,
    accounts: Sequence[Account],
    limits: RunLimits,
    watching: Watching,
    *,
    is_dry: bool = False,
    afterwards: Afterwards = lambda _ledger, _reports: None,
) -> list[AccountReport]:
    """Work these accounts side by side, and report on each in the order given; one that fails delays none.

    ``afterwards`` hears the reports while the ledger is open. A dry run changes nothing anywhere. A ledger that cannot
    be used is the failure of every account.
    """
    jobs = [job_of(account, config.state_dir, limits) for account in accounts]
    try:
        with closing(Ledger.open_dry(config.ledger_place) if is_dry else open_ledger(config)) as ledger:
            effects = Effects(
                stop=watching.stop,
                progress=watching.progress,
                copier_for=ChildCopierPool().lent,
                hosts=HostLimits(connections_allowed(config.accounts), None if is_dry else ledger.state_store),
                storing=watching.storing,
                stopped_by=watching.stopped_by,
            )
            reports = run_accounts(jobs, ledger, effects, is_dry=is_dry)
            afterwards(ledger, reports)
            return reports
    except FerryError as error:
        return [AccountReport(job.name, Status.FAILED, problems=[Problem.of(error)]) for job in jobs]
