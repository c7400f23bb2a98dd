"""What findings are made of: everything that was looked at, as values. Nothing here is judged. Pure.

Times are seconds since the epoch, sizes octets. ``migrator.operations.look`` gathers them; what only a scheduled
worker knows is added by who calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from migrator.errors import Kind
from migrator.findings.model import Setting
from migrator.lazy_dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Invocation:
    """How the program was called: ``mailferry -c FILE``, or a command with ``--state-dir DIR``."""

    config: str = ""
    state_dir: str = ""

    def command(self, name: str, *words: str) -> tuple[str, ...]:
        """Return a command of this program as it can be run in the folder that the program was called from."""
        place = ("-c", self.config) if self.config else ()
        state = ("--state-dir", self.state_dir) if self.state_dir else ()
        return ("mailferry", *place, name, *state, *words)


class VolumeLook(StrEnum):
    """How a file of an archive looks beside what the ledger knows of it."""

    MISSING = "missing"
    SHRUNK = "shrunk"
    REWRITTEN = "rewritten"
    GROWN = "grown"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A file of an archive that is not as the ledger knows it."""

    name: str
    look: VolumeLook


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """One destination as it is known and, for a folder, as it is on the disk now.

    ``known`` counts the copies that the ledger knows there, whatever their state; ``unproven``, ``gone`` and
    ``damaged`` those that nobody has accepted as they are. ``differences`` are the reasons of the unproven ones.
    ``is_away``: nothing of what is known is there. ``anchor`` is the folder, or the nearest one above it that is there;
    ``not_written`` names the disk or folder that lets nothing be written. ``keeps``: the source keeps messages whose
    copies are gone. The settings are those that a cure may change.
    """

    label: str
    identity: str
    kind: str
    path: str = ""
    known: int = 0
    damaged: int = 0
    unproven: int = 0
    gone: int = 0
    differences: tuple[str, ...] = ()
    is_away: bool = False
    anchor: str = ""
    not_written: str = ""
    is_inside_state: bool = False
    volumes: tuple[VolumeFacts, ...] = ()
    strange_files: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    keeps: bool = True
    proof_setting: tuple[Setting, ...] = ()
    gone_setting: tuple[Setting, ...] = ()
    restore_setting: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """What is kept of one sign-in: why a person must sign in (again), or how it will end soon; ``""`` for neither."""

    label: str
    trouble: str = ""
    ending: str = ""
    signed_in_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ProblemFacts:
    """One error of a run or of a look at an end, as it was reported. ``settings`` are what cures it, all of them."""

    kind: Kind
    message: str
    finding: str = ""
    server: str = ""
    destination: str | None = None
    cure: str = ""
    settings: tuple[Setting, ...] = ()
    is_of_message: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The last run of an account that came to its end; how many in a row have not ended well, and since when."""

    started_at: float
    is_ok: bool
    problems: tuple[ProblemFacts, ...] = ()
    failing_since: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class SetAsideFacts:
    """Messages of one account that are set aside for one reason, and that nobody has accepted."""

    kind: Kind
    text: str
    rows: tuple[int, ...]
    destination: str | None
    since: float
    cure: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    """What a scheduled worker knows of an account. ``parked_for`` are the words of the refusal, empty otherwise."""

    first_seen: float = 0.0
    last_worked: float = 0.0
    parked_for: str = ""
    interval: float = 0.0


Over = tuple[str, str]
"""What an answer has ended: the label of the destination, empty for the source, and a finding's id."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One configured account. ``places`` are the identities of its destinations.

    ``maildrop`` is what tells its source from others: host, port and user. ``verified_at`` is when all its copies were
    last read again, 0.0 for never. ``over`` is what its last run met and ``doctor`` has found to have ended since.
    """

    name: str
    maildrop: str
    places: tuple[str, ...]
    last_run: RunFacts | None = None
    last_success: float = 0.0
    first_copy: float = 0.0
    set_aside: tuple[SetAsideFacts, ...] = ()
    verified_at: float = 0.0
    schedule: ScheduleFacts | None = None
    missing_secrets: tuple[str, ...] = ()
    sign_ins: tuple[SignInFacts, ...] = ()
    is_paused: bool = False
    lacking: Mapping[str, int] = field(default_factory=dict)
    """By the label of a destination: how many of the account's contents stand elsewhere and not there."""
    clock_doubted_at: float = 0.0
    over: frozenset[Over] = frozenset()
    interval: float = 0.0
    """How many seconds lie between two rounds by ``every``, 0.0 by ``cron``."""


@dataclass(frozen=True, slots=True)
class EndFacts:
    """One end of an account as it answered when it was asked: what it offers, or why it did not.

    Of a mailbox: how many ``messages`` it holds, None where that is not known or no mailbox is there, and the octets
    of its ``quota``: used, and allowed. Of an object store: its bucket, if that keeps no versions.
    """

    account: str
    label: str
    is_source: bool
    problem: ProblemFacts | None = None
    capabilities: tuple[str, ...] = ()
    is_there: bool = True
    messages: int | None = None
    quota: tuple[int, int] | None = None
    without_versions: str = ""

    @property
    def destination(self) -> str | None:
        """The label of the destination, None for the source."""
        return None if self.is_source else self.label


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A file system that is written to, by ``accounts``. ``full_in`` is a forecast in seconds, infinity for none."""

    path: str
    free: int
    total: int
    minimum: int
    full_in: float = float("inf")
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExposedFacts:
    """A file that others can read, or that belongs to somebody else. ``holds`` says what stands in it."""

    path: str
    mode: int
    is_foreign: bool
    is_folder: bool
    holds: str


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """The scheduled worker. ``is_expected``: one was not stopped. ``troubles`` are its own words, if it lives.

    ``refused_configuration`` says what is wrong with a changed configuration that it does not work by.
    """

    is_expected: bool = False
    is_alive: bool = False
    silent_for: float = 0.0
    troubles: tuple[str, ...] = ()
    refused_configuration: str = ""


class LedgerState(StrEnum):
    """How the ledger could be opened."""

    NONE = "none"
    WELL = "well"
    DAMAGED = "damaged"
    NEWER = "newer"
    AWAY = "away"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The database itself. ``weaknesses`` are settings and rules of one in which a promise may not hold."""

    state: LedgerState
    problems: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TellingFacts:
    """Who hears of trouble. ``dead`` says why nobody can, empty where that is not known."""

    is_configured: bool = False
    missing_secrets: tuple[str, ...] = ()
    dead: str = ""


@dataclass(frozen=True, slots=True)
class StateFacts:
    """The state folder."""

    path: str
    can_be_written: bool = True
    network_file_system: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was looked at. ``ends`` is empty where no server was asked."""

    now: float
    invocation: Invocation
    state: StateFacts
    ledger: LedgerFacts
    accounts: tuple[AccountFacts, ...] = ()
    places: tuple[PlaceFacts, ...] = ()
    ends: tuple[EndFacts, ...] = ()
    disks: tuple[DiskFacts, ...] = ()
    exposed: tuple[ExposedFacts, ...] = ()
    bad_rows: tuple[str, ...] = ()
    worker: WorkerFacts = WorkerFacts()
    telling: TellingFacts = TellingFacts()
    index_problem: str = ""
    listen_problem: str = ""
    package_problem: str = ""
    vault_key_at: str = ""
    """The file with the key of the vault, where it stands only because nobody has named a place."""
    silence: float = 86400.0
    verify_every: float = 30 * 86400.0
