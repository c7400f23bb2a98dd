"""The worker as seen from outside at one moment: what metrics, health, status line and digest are made of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from jobs.disk_usage import Disk
from jobs.schedule.account_state import AccountState
from migrator.ledger.history import AccountNumbers


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account. ``numbers`` is None while nothing has been counted yet.

    ``verified_at`` is when its archive was last verified in full, 0.0 for never; ``damaged`` counts the copies in its
    destinations that are known to be wrong.
    """

    name: str
    state: AccountState
    verified_at: float = 0.0
    damaged: int = 0
    numbers: AccountNumbers | None = None
    is_running: bool = False

    @property
    def label(self) -> str:
        """The name for metrics: never an address, so a name with an ``@`` becomes a short hash."""
        return self.name if "@" not in self.name else sha256(self.name.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole worker. ``faults`` are what keeps the process itself from doing its work, in plain words."""

    now: float
    started_at: float
    accounts: Sequence[AccountView]
    disks: Sequence[Disk] = ()
    queue_age: float = 0.0
    hosts_down: Sequence[str] = ()
    faults: Sequence[str] = field(default=())
    warnings: Sequence[str] = field(default=())

    @property
    def running(self) -> int:
        """How many accounts are being worked."""
        return sum(account.is_running for account in self.accounts)

    @property
    def failing(self) -> int:
        """How many accounts could not be worked the last time, the parked ones included."""
        return sum(account.state.is_failing for account in self.accounts)

    def status_line(self) -> str:
        """Return one line for ``systemctl status``: ``3 of 12 accounts, 0 errors``."""
        return f"{self.running} of {len(self.accounts)} accounts, {self.failing} errors"
