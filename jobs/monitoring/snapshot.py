"""The worker as seen from outside at one moment: what metrics, health, status line and digest are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from migrator.findings.model import NAMED, Finding, Severity
from migrator.lazy_dataclasses import dataclass, field
from migrator.ui.text import plural

if TYPE_CHECKING:
    from jobs.disk_usage import Disk
    from jobs.schedule.account_state import AccountState
    from jobs.schedule.live_progress import RunProgress
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
    progress: RunProgress | None = None
    """How far the run has come that goes on now, where one does."""

    @property
    def label(self) -> str:
        """The name for metrics: never an address, so a name with an ``@`` becomes a short hash."""
        return self.name if "@" not in self.name else sha256(self.name.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of the worker but for how far its runs are: equal as long as nothing of it has changed."""

    states: Mapping[str, AccountState]
    running: frozenset[str]
    numbers: Mapping[str, AccountNumbers]
    findings: Sequence[Finding] = ()
    troubles: Sequence[str] = ()

    def of(self, name: str) -> object:
        """Return what of it concerns one account."""
        findings = tuple(one for one in self.findings if name in one.accounts)
        return self.states.get(name), name in self.running, self.numbers.get(name), findings


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole worker. ``faults`` are what keeps the process itself from doing its work, in plain words.

    ``refused_configuration`` says what is wrong with a changed configuration that is not in force. ``looked_at`` is
    when the findings were found, 0.0 before the first look. ``sources`` are the servers of the accounts, by name, where
    there are too many accounts to show each in the metrics.
    """

    now: float
    started_at: float
    accounts: Sequence[AccountView]
    disks: Sequence[Disk] = ()
    queue_age: float = 0.0
    hosts_down: Sequence[str] = ()
    faults: Sequence[str] = field(default=())
    findings: Sequence[Finding] = field(default=())
    refused_configuration: str = ""
    looked_at: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """How many accounts are being worked."""
        return sum(account.is_running for account in self.accounts)

    @property
    def failing(self) -> int:
        """How many accounts could not be worked the last time, the parked ones included."""
        return sum(account.state.is_failing for account in self.accounts)

    @property
    def troubled(self) -> list[str]:
        """The accounts that need a person, in their order."""
        names = frozenset(needing_a_person(self.findings))
        return [account.name for account in self.accounts if account.name in names]

    def status_line(self) -> str:
        """Return ``status_line`` of it."""
        return status_line(len(self.accounts), self.troubled, self.running)


def needing_a_person(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the accounts that findings say a person must look at, once for each finding."""
    return (name for one in findings if one.severity is not Severity.HINT for name in one.accounts)


def status_line(accounts: int, troubled: Sequence[str], running: int) -> str:
    """Return one line for ``systemctl status``: ``3 accounts: 2 well, 1 needs you (bob); working now: 0``."""
    well = f"{plural(accounts, 'account')}: {accounts - len(troubled)} well"
    named = ", ".join(troubled[:NAMED]) + (" …" if len(troubled) > NAMED else "")
    needing = f", {plural(len(troubled), 'needs you', 'need you')} ({named})" if troubled else ""
    return f"{well}{needing}; working now: {running}"
