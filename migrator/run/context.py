"""What one run is about, and what its sessions share: the account's job, the effects it may have, what was learned."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from migrator.copying.copier import Copier
from migrator.copying.offload import BatchCopier
from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.spool import SINGLE_RUN_BUDGET_OCTETS, RowSet
from migrator.model import Digest, MessageRow
from migrator.policy import DeleteAfter, Keep, has_clock_jumped
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session, open_session
from migrator.pop3.source import Source
from migrator.report import Problem, Progress, Silent
from migrator.run.counters import RunCounters
from migrator.run.plan import Policy
from migrator.run.relogin import Portion
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
    """The effects a run needs, so that a test can hand it others. ``step`` is told the name of each step done."""

    clock: Callable[[], float] = time.time
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Silent)
    step: Callable[[str], None] = lambda _name: None
    copier_for: Callable[[Copier, int], AbstractContextManager[BatchCopier]] = lambda copier, _: nullcontext(copier)
    """Return what copies so many messages to this destination: in this process, or through a child."""
    octets_at_once: int = SINGLE_RUN_BUDGET_OCTETS
    """What a run may hold in memory, on its way or waiting to be stored."""
    open_session: Callable[[Source, Callable[[], str], ServerProfile], Session] = open_session


class RunContext:
    """One run of one job. Nothing is touched before a session asks for it."""

    def __init__(self, job: AccountJob, ledger: Ledger, effects: Effects) -> None:
        """Look up what is known of the account, its destinations and its server."""
        self.job = job
        self.ledger = ledger
        self.effects = effects
        self.policy = job.policy
        """What the owner wants, less what this run must not do."""
        self.counters = RunCounters(job.name)
        self.maildrop = ledger.maildrop(job.name, job.source.host, job.source.port, job.source.username)
        self.copiers = [
            Copier(place, ledger.copies(place.identity, place.kind), clock=effects.clock, step=effects.step)
            for place in job.destinations
        ]
        self.destinations = {one.copies.destination_id: one.destination.when_copy_is_gone for one in self.copiers}
        self.profile = ServerProfile.from_stored(ledger.server_facts(job.source.host, job.source.port))
        self._handled = RowSet()
        self.unusable: dict[int, FerryError] = {}
        """Destinations that cannot be worked in this run, by place."""
        self.suspects = Suspects()
        """Messages over which sessions of this run ended."""
        self.without_top = WithoutTop()
        """Messages whose headers are not asked for in this run."""
        self.portion = Portion()
        """How many messages a session takes at most."""

    def look_at_the_clock(self, *, is_dry: bool = False) -> None:
        """Let nothing be deleted by its age in this run where the clock has jumped since the last one, and say so.

        A schedule waits until a person has looked: whoever runs ``migrate`` once more, having been told, has.
        """
        now, wish = self.effects.clock(), self.job.policy.leave_on_server
        last_run_at, doubted_at = self.maildrop.clock()
        if not is_dry:
            self.maildrop.run_began(now)
        if not isinstance(wish, DeleteAfter):
            return
        has_jumped = has_clock_jumped(last_run_at, now, wish.age)
        if not has_jumped and (doubted_at is None or not self.job.policy.has_patience):
            if doubted_at is not None and not is_dry:
                self.maildrop.clock_doubted(None)
            return
        if has_jumped and not is_dry:
            self.maildrop.clock_doubted(now)
        self.policy = replace(self.policy, leave_on_server=Keep())
        self.counters.problem(_clock_doubt(self.job.name, last_run_at or now, now))

    @property
    def spool_dir(self) -> Path:
        """Where what is too large for memory is kept while the run needs it."""
        return self.job.state_dir / "spool"

    @property
    def contents_handled(self) -> int:
        """How many different contents this run has brought home or proven; by chance two may count as one."""
        return self._handled.count

    def handled(self, digest: Digest) -> None:
        """Note that a content was brought home or proven: a session that adds none has shown nothing new."""
        self._handled.add(int.from_bytes(digest[:3], "big"))

    @property
    def is_stopped(self) -> bool:
        """Whether a person or the system wants the run to end."""
        return self.effects.stop.is_set()

    def problem_of(self, row: MessageRow, error: FerryError, destination: str | None = None) -> Problem:
        """Name the message of a ledger row in a problem."""
        return Problem.of(error, unique_id=self.maildrop.unique_ids([row]).get(row), destination=destination)

    def remember(self) -> None:
        """Keep what was learned of the server, and take over what other runs have learned since this one began."""
        source = self.job.source
        known = self.ledger.server_facts(source.host, source.port)
        self.profile = self.profile.joined_with(ServerProfile.from_stored(known))
        learned = self.profile.to_stored()
        if learned != known:
            self.ledger.server_learned(source.host, source.port, learned)


def _clock_doubt(account: str, last_run_at: float, now: float) -> FerryError:
    before, present = (f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC" for moment in (last_run_at, now))
    return FerryError(
        Kind.TEMPORARY,
        f"nothing was deleted by its age: the last run began at {before}, and now the clock shows {present}",
        cure=f"see that the clock is right, then run once more: mailferry migrate {account}",
    )
