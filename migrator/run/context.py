"""What one run is about and what its sessions share: each thing has one purpose, ``RunContext`` holds them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from migrator.copying.census import SharedLooks
from migrator.copying.copier import Copier
from migrator.copying.offload import BatchCopier
from migrator.destinations import Destination, Interruptible, TakesIn
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.ledger import Ledger
from migrator.ledger.copies import reaches
from migrator.ledger.maildrops import MaildropLedger
from migrator.message.spool import SINGLE_RUN_BUDGET_OCTETS, RowSet, SpoolFile
from migrator.model import Digest, MessageRow, Proof
from migrator.net.login_order import LoginMemory
from migrator.policy import Keep, Policy
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session, open_session
from migrator.pop3.source import Source
from migrator.report import Problem, Progress, Silent, StoppedBy, Storing
from migrator.run.counters import RunCounters
from migrator.run.host_limits import HostLimits
from migrator.run.suspects import Suspects, WithoutTop


@dataclass(frozen=True, slots=True)
class AccountJob:
    """One account's work: where its mail is, where it goes, what its owner wants."""

    name: str
    source: Source
    password: Callable[[], str]
    policy: Policy
    destinations: Sequence[Destination]
    state_dir: Path


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects a run needs, so that a test can hand it others. ``step`` hears the name of each step done."""

    clock: Callable[[], float] = time.time
    stop: threading.Event = field(default_factory=threading.Event)
    stopped_by: Callable[[], StoppedBy] = lambda: StoppedBy.SYSTEM
    """Return who has set ``stop``."""
    progress: Progress = field(default_factory=Silent)
    step: Callable[[str], None] = lambda _name: None
    copier_for: Callable[[Copier, int], AbstractContextManager[BatchCopier]] = lambda copier, _: nullcontext(copier)
    """Return what copies that many messages to this destination: in this process, or through a child."""
    octets_at_once: int = SINGLE_RUN_BUDGET_OCTETS
    """What a run may hold in memory, on its way or waiting to be stored."""
    open_session: Callable[..., Session] = open_session
    """Log in; as ``migrator.pop3.session.open_session``."""
    hosts: HostLimits = field(default_factory=HostLimits)
    """How many connections each server gets, over all runs that share it."""
    looks: SharedLooks = field(default_factory=SharedLooks)
    """What was seen of mailboxes, over all runs that share it."""
    storing: Storing = field(default_factory=Storing)
    """What is on its way to destinations, over all runs that share it."""


class Targets:
    """The destinations of a run, in the order of the account, and those that cannot be worked."""

    def __init__(self, job: AccountJob, ledger: Ledger, effects: Effects) -> None:
        for place in job.destinations:
            if isinstance(place, Interruptible):
                place.heed(effects.stop)
        self.copiers = [
            Copier(place, ledger.copies(place.identity, place.kind), clock=effects.clock, step=effects.step)
            for place in job.destinations
        ]
        self.wishes = {one.copies.destination_id: one.destination.when_copy_is_gone for one in self.copiers}
        """By the ledger's numbers: what holds of copies that a person takes out."""
        self.grades = {
            one.copies.destination_id: [proof for proof in Proof if reaches(proof, one.destination.required_proof)]
            for one in self.copiers
        }
        """By the ledger's numbers: how well a copy may be proven that counts."""
        self.unusable: dict[int, FerryError] = {}
        """By place: what has failed as a whole in this run."""
        self.unseen: set[int] = set()
        """The places of mailboxes that lack what they held, or could not be looked at: the source is listed still."""

    @property
    def any_usable(self) -> bool:
        """Whether any destination may still take something."""
        return len(self.unusable) < len(self.copiers)

    @property
    def any_worth_listing_for(self) -> bool:
        """Whether the source is to be asked what it has, though perhaps nothing can be stored."""
        return self.any_usable or bool(self.unseen)

    def label(self, place: int) -> str:
        """Return what a person calls a destination."""
        return self.copiers[place].destination.label


class ServerMemory:
    """What is known of the account's server, shared with other runs through the ledger."""

    def __init__(self, source: Source, ledger: Ledger) -> None:
        self._source = source
        self._ledger = ledger
        known = ledger.server_facts(source.host, source.port)
        self.profile = ServerProfile.from_stored(known, LoginMemory.from_stored(self._known_of_user()))

    def remember(self, profile: ServerProfile) -> None:
        """Keep what was learned, and take over what other runs have learned since this one began."""
        known = self._ledger.server_facts(self._source.host, self._source.port)
        self.profile = profile.joined_with(ServerProfile.from_stored(known))
        learned = self.profile.to_stored()
        if learned != known:
            self._ledger.server_learned(self._source.host, self._source.port, learned)
        login = profile.login.to_stored()
        if profile.login != LoginMemory() and login != self._known_of_user():
            self._ledger.server_learned(self._user, self._source.port, {"login": login})

    @property
    def _user(self) -> str:
        """What log-ins of this user stand under, beside what holds of the server for all."""
        return f"{self._source.username}@{self._source.host}"

    def _known_of_user(self) -> dict[str, object]:
        return self._ledger.server_facts(self._user, self._source.port).get("login", {})


class ProblemLog:
    """Problems with single messages: named by unique-id, and kept in the ledger's history."""

    def __init__(self, maildrop: MaildropLedger, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._maildrop = maildrop
        self._history = ledger.history
        self._clock = clock
        self._counted: set[MessageRow] = set()

    def of(self, row: MessageRow, error: FerryError, destination: str | None = None) -> Problem:
        """Name a message in a problem."""
        return self.of_all([row], error, destination)[row]

    def of_all(
        self, rows: Iterable[MessageRow], error: FerryError, destination: str | None = None
    ) -> dict[MessageRow, Problem]:
        """Name many messages that share a problem: one look-up."""
        rows = list(rows)
        unique_ids = self._maildrop.unique_ids(rows)
        return {row: Problem.of(error, unique_id=unique_ids.get(row), destination=destination) for row in rows}

    def keep(self, problems: Sequence[tuple[MessageRow, Problem]]) -> None:
        """Write problems into the history; a run is one attempt, however many of its sessions tried a message."""
        if problems:
            self._history.failed(problems, self._clock(), counted=self._counted)
            self._counted.update(row for row, _ in problems)


class HandledContents:
    """How many different contents a run has copied or proven; by chance two may count as one."""

    def __init__(self) -> None:
        self._prefixes = RowSet()

    @property
    def count(self) -> int:
        """How many there are: a session that adds none has shown nothing new."""
        return self._prefixes.count

    def add(self, digest: Digest) -> None:
        """Note one."""
        self._prefixes.add(int.from_bytes(digest[:3], "big"))


class RunContext:
    """One run of one job. Nothing is touched before a session asks for it."""

    def __init__(self, job: AccountJob, ledger: Ledger, effects: Effects) -> None:
        """Look up what is known of the account, its destinations and its server."""
        self.job = job
        self.ledger = ledger
        self.effects = effects
        self.counters = RunCounters(job.name)
        self.maildrop = ledger.maildrop(job.name, job.source.host, job.source.port, job.source.username)
        self.targets = Targets(job, ledger, effects)
        self.server = ServerMemory(job.source, ledger)
        self.problems = ProblemLog(self.maildrop, ledger, effects.clock)
        self.handled = HandledContents()
        self.suspects = Suspects()
        """Messages over which sessions of this run ended."""
        self.without_top = WithoutTop()
        """Messages whose headers are not asked for in this run."""
        self.is_clock_trusted = True
        """Whether the age of a message is known in this run."""

    @property
    def policy(self) -> Policy:
        """What the owner wants of this run: nothing goes by its age where that is not known."""
        policy = self.job.policy
        return policy if self.is_clock_trusted else replace(policy, leave_on_server=Keep())

    @property
    def spool_dir(self) -> Path:
        """Where what is too large for memory is kept while the run needs it."""
        return self.job.state_dir / "spool"

    def open_spool(self) -> SpoolFile:
        """Return where the next message goes that is too large for memory.

        That is the destination's own if there is but one and it has such: other destinations do not depend on its disk.
        """
        first, *others = self.targets.copiers
        taking_in = first.destination
        spool = taking_in.open_spool() if not others and isinstance(taking_in, TakesIn) else None
        return spool or SpoolFile(self.spool_dir)

    @property
    def is_stopped(self) -> bool:
        """Whether a person or the system wants the run to end."""
        return self.effects.stop.is_set()
