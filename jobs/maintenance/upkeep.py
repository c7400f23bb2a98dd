"""What is done beside the runs, in one thread: indexing new mail, and verifying the whole archive in slices.

Both calls are narrow and are given in. A full verification is ``PARTS`` slices spread over its period; where it stands
survives restarts, and what was missed while the machine was off is caught up one slice a minute. Nothing here delays a
run. What is found damaged stands in the ledger, not here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from jobs.background_thread import BackgroundThread, Rest
from jobs.log import say
from jobs.schedule.state_store import Fact, StateStore
from migrator.errors import FerryError
from migrator.lazy_dataclasses import asdict, dataclass, replace
from migrator.ledger.schedule import VERIFICATION, of_account

TOPIC = VERIFICATION
WHOLE = "whole"
PARTS = 240
REST_SECONDS = 60.0
"""Between two slices, whatever is behind."""
RETRY_SECONDS = 1800.0
MOST_TRIES = 4
"""So often a slice is tried while a destination cannot be reached; then the others need not wait any longer."""

ShouldStop = Callable[[], bool]


class StoppedError(Exception):
    """A slice had to stop before its end; it is done again."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice found. ``unreachable`` are the accounts that have a destination which could not be read."""

    checked: int
    damaged: int
    unreachable: frozenset[str] = frozenset()


Verify = Callable[[int, int, ShouldStop], Slice]
"""``verify(part, parts, should_stop)`` reads that part of the archive again; ``StoppedError`` when it has to stop."""

Index = Callable[[], None]
"""Take into the search index what is new."""


@dataclass(frozen=True, slots=True)
class Round:
    """How far the full verification under way is; times are seconds since the epoch, 0.0 for never."""

    begun_at: float
    part: int = 0
    tries: int = 0
    not_before: float = 0.0
    checked: int = 0
    damaged: int = 0
    left_out: tuple[str, ...] = ()

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Fact) -> Round:
        """Read what was remembered."""
        known = {name: fact[name] for name in cls.__slots__ if name in fact}
        return replace(cls(**known), left_out=tuple(known.get("left_out", ())))  # type: ignore[arg-type]  # by as_fact

    def due_at(self, every: float) -> float:
        """Return when the next slice is due."""
        return max(self.begun_at + every * self.part / PARTS, self.not_before)

    def after(self, done: Slice, now: float) -> Round:
        """Return where the round is after a slice, which is tried again while something could not be reached."""
        tries = self.tries + 1
        if done.unreachable and tries < MOST_TRIES:
            return replace(self, tries=tries, not_before=now + RETRY_SECONDS)
        return replace(
            self,
            part=self.part + 1,
            tries=0,
            not_before=0.0,
            checked=self.checked + done.checked,
            damaged=self.damaged + done.damaged,
            left_out=tuple(sorted({*self.left_out, *done.unreachable})),
        )


class Upkeep(BackgroundThread):
    """The thread; news is that a run has stored something to index.

    ``names`` and ``verify_every`` are asked each time, so that a reload is heard.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        names: Callable[[], Sequence[str]],
        verify_every: Callable[[], float],
        verify: Verify,
        index: Index,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("upkeep")
        self._store = store
        self._names = names
        self._every = verify_every
        self._verify = verify
        self._index = index
        self._clock = clock
        self._stopwatch = stopwatch

    def work_once(self) -> Rest:
        """Index what is new, and verify the next slice if it is due; then leave what comes next for a while."""
        indexing = 0.0
        if self.takes_news():
            began = self._stopwatch()
            self.index_once()
            indexing = self._stopwatch() - began
        try:
            self.verify_once()
        except FerryError as error:  # the ledger cannot be read; what must write to it tells
            say("worker.verify.failed", level=logging.WARNING, kind=str(error.kind), problem=str(error))
        self._stop.wait(pause_after(indexing))
        return REST_SECONDS

    def index_once(self) -> None:
        """Index what is new; a failure is logged, and tried again with the next news."""
        try:
            self._index()
        except FerryError as error:
            say("worker.index.failed", level=logging.WARNING, kind=str(error.kind), problem=str(error))

    def verify_once(self) -> None:
        """Do the next slice if it is due."""
        now = self._clock()
        known = self._round(now)
        if known.due_at(self._every()) > now:
            return
        try:
            done = self._verify(known.part, PARTS, self._stop.is_set)
        except StoppedError:
            return
        except FerryError as error:
            say("worker.verify.failed", level=logging.WARNING, kind=str(error.kind), problem=str(error))
            done = Slice(0, 0, frozenset(self._names()))
        if done.damaged:
            say("worker.verify.damaged", level=logging.ERROR, damaged=done.damaged)
        self._note(known.after(done, self._clock()))

    def _round(self, now: float) -> Round:
        fact = self._store.get_all(TOPIC).get(WHOLE)
        known = Round.from_fact(fact) if fact else Round(begun_at=now)
        # Further away than a period is long: somebody has set the clock back.
        return known if known.begun_at - now <= self._every() else replace(known, begun_at=now)

    def _note(self, known: Round) -> None:
        if known.part < PARTS:
            self._store.put(TOPIC, WHOLE, known.as_fact())
            return
        now = self._clock()
        names = [name for name in self._names() if name not in known.left_out]
        self._store.put_all(TOPIC, {of_account(name): {"completed_at": now} for name in names})
        say("worker.verify.completed", checked=known.checked, damaged=known.damaged, accounts=len(names))
        # The next round begins a period after this one began, or at once when this one took longer.
        self._store.put(TOPIC, WHOLE, Round(begun_at=max(known.begun_at + self._every(), now)).as_fact())


def pause_after(indexing: float) -> float:
    """Return for how many seconds news waits when indexing took so long.

    It goes through all accounts each time; while mail comes for ten thousand there is news at every moment.
    """
    return min(10.0 * indexing, REST_SECONDS)


def completed(store: StateStore) -> Mapping[str, float]:
    """Return when the archive of each account was last verified in full; accounts that never were are not there."""
    found: dict[str, float] = {}
    for key, fact in store.get_all(TOPIC).items():
        if key != WHOLE and (moment := completed_at(fact)):
            found[key.removeprefix("account ")] = moment
    return found


def completed_at(fact: Fact) -> float:
    """Return when the archive of the account that a fact is about was last verified in full, 0.0 for never."""
    moment = fact.get("completed_at")
    return moment if isinstance(moment, float) else 0.0
