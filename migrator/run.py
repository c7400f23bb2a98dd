"""One account, one run: the file to open first; ``migrator.visit`` is the second.

A run is one or more sessions at the source, each of them a ``Visit`` that reads top to bottom. This module holds what
the sessions of a run share, and the loop around them: when a fault ends one, ``migrator.rounds`` says whether to log in
again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from migrator.destinations import Destination
from migrator.errors import FerryError
from migrator.fill import fill_new_destinations
from migrator.ledger import Ledger
from migrator.locks import account_lock
from migrator.model import MessageRow
from migrator.plan import Policy
from migrator.pop3.retrieve import RetrieveBrokenError
from migrator.pop3.session import ServerFacts, Session, Source, open_session
from migrator.report import AccountReport, Problem, Progress, Silent
from migrator.rounds import MAX_LOGINS, Habits, pause_before_retry
from migrator.tally import Tally
from migrator.transfer import Carrier
from migrator.visit import Visit


@dataclass(frozen=True, slots=True)
class Job:
    """One account's work: where its mail is, where it goes, what its owner wants."""

    name: str
    source: Source
    password: Callable[[], str]
    policy: Policy
    destinations: Sequence[Destination]
    state_dir: Path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The effects a run needs, so that a test can hand it others. ``step`` is told the name of each step done."""

    clock: Callable[[], float] = time.time
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Silent)
    step: Callable[[str], None] = lambda _name: None
    open_session: Callable[[Source, Callable[[], str], ServerFacts], Session] = open_session


def run_account(
    job: Job, ledger: Ledger, surroundings: Surroundings | None = None, *, is_dry: bool = False
) -> AccountReport:
    """Copy what is new, prove every copy, delete at the source what the policy allows; report all of it.

    What a server, a disk or a person may do ends in the report, not in an exception. In a dry run nothing changes
    anywhere, no RETR is sent, and the report says what would be deleted.
    """
    began = time.monotonic()
    run = AccountRun(job, ledger, surroundings or Surroundings())
    try:
        if is_dry:
            run.look()
        else:
            with account_lock(job.state_dir, job.name):
                run.work()
    except FerryError as error:
        run.tally.trouble(error)
    return run.tally.report(time.monotonic() - began)


class AccountRun:
    """The sessions of one run, and what they have in common."""

    def __init__(self, job: Job, ledger: Ledger, around: Surroundings) -> None:
        """Prepare; nothing is touched yet."""
        self.job = job
        self.ledger = ledger
        self.around = around
        self.tally = Tally(job.name)
        self.maildrop = ledger.maildrop(job.name, job.source.host, job.source.port, job.source.username)
        self.carriers = [
            Carrier(place, ledger.copies(place.identity, place.kind), clock=around.clock, step=around.step)
            for place in job.destinations
        ]
        learned = ledger.server_facts(job.source.host, job.source.port)
        self.facts = ServerFacts(**learned.get("session", {}))
        self.habits = Habits(**learned.get("habits", {}))
        self.unusable: dict[int, FerryError] = {}
        """Destinations that cannot be worked in this run, by place."""
        self.broken: dict[MessageRow, FerryError] = {}
        """Messages at which the line broke, or the server fell silent, in this run."""
        self.tried_again: set[MessageRow] = set()
        self.most_messages = 1_000_000_000
        """How many to retrieve in one session at most where it deletes; less after one was cut off."""
        self._began = time.monotonic()

    @property
    def spool_dir(self) -> Path:
        """Where what is too large for memory is kept while the run needs it."""
        return self.job.state_dir / "spool"

    def look(self) -> None:
        """See what a run would do; changes nothing."""
        Visit(self).look()

    def work(self) -> None:
        """Hold sessions until nothing is left to do, or nothing more can be done."""
        self.spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            for place, carrier in enumerate(self.carriers):
                stack.callback(carrier.destination.close)
                self._inspect(place, carrier)
            self.tally.has_filled(fill_new_destinations(self))
            if len(self.unusable) < len(self.carriers):
                self._hold_sessions()
        self._set_aside_broken()
        if self.around.stop.is_set():
            self.tally.interrupted()

    def _inspect(self, place: int, carrier: Carrier) -> None:
        try:
            troubles = carrier.inspect()
        except FerryError as error:
            self.unusable[place] = error
            troubles = [error]
        for trouble in troubles:
            self.tally.trouble(trouble, carrier.destination.label)

    def _hold_sessions(self) -> None:
        fault: FerryError | None = None
        faults = logins = 0
        previous: Visit | None = None
        while not self.around.stop.is_set():
            logins += 1
            visit = Visit(self, is_second_try=self._begin_second_try(previous))
            try:
                visit.make()
            except FerryError as error:
                if previous is not None and previous.has_finished and not visit.has_listing and not self.broken:
                    return  # it was only to see whether there is more
                fault, faults = error, faults + 1
                pause = pause_before_retry(error, faults, time.monotonic() - self._began)
                if pause is None or logins >= MAX_LOGINS:
                    self._give_up(error)
                    return
                if faults == MAX_LOGINS - 1 and not isinstance(error, RetrieveBrokenError):
                    # The last session is to come to its QUIT, where those before were cut off.
                    self.most_messages = max(1, visit.brought // 2)
                self.around.stop.wait(pause)
                previous = None
            else:
                if previous is not None and fault is None:
                    self._learn_view(previous, visit)
                if not self._wants_another(visit, logins):
                    return
                if fault is not None and logins >= MAX_LOGINS:
                    self._give_up(fault)
                    return
                previous = visit
            finally:
                self._remember()

    def _learn_view(self, previous: Visit, visit: Visit) -> None:
        if previous.has_finished:
            self.habits = self.habits.after_another_session(previous.listed, showed_new=visit.has_found_new)

    def _begin_second_try(self, previous: Visit | None) -> bool:
        """Say whether the messages that broke the line get their second try now: when all others are home."""
        untried = self.broken.keys() - self.tried_again
        if previous is None or not previous.has_finished or not untried:
            return False
        self.tried_again |= untried
        return True

    def _wants_another(self, visit: Visit, logins: int) -> bool:
        if visit.is_stuck:
            return False
        if not visit.has_finished or self.broken.keys() - self.tried_again:
            return True
        return visit.brought + visit.deleted > 0 and self.habits.wants_another_session(visit.listed, logins)

    def _give_up(self, error: FerryError) -> None:
        if not (isinstance(error, RetrieveBrokenError) and self.broken):
            self.tally.trouble(error)

    def _set_aside_broken(self) -> None:
        unique_ids = self.maildrop.unique_ids(list(self.broken))
        problems = [(row, Problem.of(error, unique_id=unique_ids[row])) for row, error in self.broken.items()]
        for row, problem in problems:
            self.tally.failed(row, problem)
        if problems:
            self.ledger.history.failed(problems, self.around.clock())

    def _remember(self) -> None:
        source = self.job.source
        learned: dict[str, dict[str, object]] = {"session": asdict(self.facts), "habits": asdict(self.habits)}
        if learned != self.ledger.server_facts(source.host, source.port):
            self.ledger.server_learned(source.host, source.port, learned)
