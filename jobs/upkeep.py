"""What is done beside the runs, in one quiet thread: indexing new mail, and verifying the whole archive in slices.

Both calls are narrow and are given in. A slice ends after ``SLICE_SECONDS``, rests, and goes on where it ended, across
restarts too; a full verification is complete when every account's last slice is. Nothing here delays a run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from jobs.journal import say
from jobs.state import Fact, Notes
from migrator.errors import FerryError

TOPIC = "verifications"
SLICE_SECONDS = 20.0
REST_SECONDS = 60.0
"""Between two slices: at most a quarter of one disk's time goes into verifying."""
RETRY_SECONDS = 3600.0

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice did. ``cursor`` is where the next begins, ``""`` when the account's archive is through."""

    cursor: str
    checked: int
    damaged: int


Verify = Callable[[str, str, ShouldStop], Slice]
"""``verify(account, cursor, should_stop)``: read stored copies again from the cursor on until told to stop."""

Index = Callable[[ShouldStop], int]
"""``index(should_stop)``: put what is new into the search index until told to stop; returns how many."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the full verification of one account's archive is; times are seconds since the epoch, 0.0 for never."""

    first_seen: float = 0.0
    begun_at: float = 0.0
    cursor: str = ""
    checked: int = 0
    damaged: int = 0
    completed_at: float = 0.0
    completed_checked: int = 0
    completed_damaged: int = 0
    not_before: float = 0.0

    @property
    def known_damage(self) -> int:
        """Return how many damaged copies the last complete pass or the one under way has found."""
        return max(self.completed_damaged, self.damaged)

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Fact) -> Verification:
        """Read what was remembered."""
        return cls(**{name: fact[name] for name in cls.__slots__ if name in fact})  # type: ignore[arg-type]  # by as_fact

    def after(self, done: Slice, now: float) -> Verification:
        """Return how far it is after one more slice."""
        checked, damaged = self.checked + done.checked, self.damaged + done.damaged
        if done.cursor:
            return replace(self, cursor=done.cursor, checked=checked, damaged=damaged)
        return Verification(
            first_seen=self.first_seen,
            completed_at=now,
            completed_checked=checked,
            completed_damaged=damaged,
        )

    def due_at(self, account: str, every: float) -> float:
        """Return when the next slice is due. First ones are spread over the whole period, by name."""
        if self.begun_at:
            return self.not_before
        if self.completed_at:
            return max(self.completed_at + every, self.not_before)
        share = int.from_bytes(sha256(account.encode()).digest()[:4]) / 2**32
        return max(self.first_seen + every * share, self.not_before)


class Upkeep:
    """The quiet thread. ``names`` and ``verify_every`` are asked anew each time, so that a reload is heard."""

    def __init__(
        self,
        notes: Notes,
        *,
        names: Callable[[], Sequence[str]],
        verify_every: Callable[[], float],
        verify: Verify | None = None,
        index: Index | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is done before ``start``."""
        self._notes = notes
        self._names = names
        self._every = verify_every
        self._verify = verify
        self._index = index
        self._clock = clock
        self._stop = threading.Event()
        self._is_news = threading.Event()
        self._is_news.set()  # what an earlier life left unindexed
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def has_news(self) -> None:
        """Note that a run has brought something to index."""
        self._is_news.set()

    def stop(self, patience: float) -> bool:
        """End after what is under way; returns whether that took less than ``patience`` seconds."""
        self._stop.set()
        self._is_news.set()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Tell whether the thread lives."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while not self._stop.is_set():
            if self._is_news.is_set():
                self._is_news.clear()
                self.index_once()
            self.verify_once()
            self._is_news.wait(REST_SECONDS)

    def index_once(self) -> None:
        """Index what is new; a failure is told and tried again with the next news."""
        if self._index is None:
            return
        try:
            indexed = self._index(self._stop.is_set)
        except FerryError as error:
            say("worker.index.failed", level=logging.WARNING, kind=str(error.kind), problem=str(error))
        else:
            if indexed:
                say("worker.index.updated", messages=indexed)

    def verify_once(self) -> None:
        """Do one slice of the account that is most overdue, if any is."""
        if self._verify is None:
            return
        now, every = self._clock(), self._every()
        known = self.verifications()
        due = [(known[name].due_at(name, every), name) for name in self._names() if name in known]
        moment, name = min(due, default=(float("inf"), ""))
        if moment <= now:
            self._slice(self._verify, name, known[name])

    def _slice(self, verify: Verify, name: str, before: Verification) -> None:
        begun = self._clock()
        end = time.monotonic() + SLICE_SECONDS
        begun_at = before.begun_at or begun
        try:
            done = verify(name, before.cursor, lambda: self._stop.is_set() or time.monotonic() > end)
        except FerryError as error:
            say("worker.verify.failed", level=logging.WARNING, account=name, kind=str(error.kind), problem=str(error))
            self._note(name, replace(before, begun_at=begun_at, not_before=begun + RETRY_SECONDS))
            return
        after = replace(before, begun_at=begun_at, not_before=0.0).after(done, self._clock())
        self._note(name, after)
        if done.damaged:
            say("worker.verify.damaged", level=logging.ERROR, account=name, damaged=done.damaged)
        if not done.cursor:
            fields = {"checked": after.completed_checked, "damaged": after.completed_damaged}
            say("worker.verify.completed", account=name, **fields)

    def verifications(self) -> dict[str, Verification]:
        """Return how far each account is; accounts seen for the first time are noted, gone ones forgotten."""
        facts = self._notes.facts(TOPIC)
        names = self._names()
        for name in facts.keys() - set(names):
            self._notes.forgotten(TOPIC, name)
        for name in names:
            if name not in facts:
                facts[name] = Verification(first_seen=self._clock()).as_fact()
                self._notes.noted(TOPIC, name, facts[name])
        return {name: Verification.from_fact(facts[name]) for name in names}

    def _note(self, name: str, verification: Verification) -> None:
        self._notes.noted(TOPIC, name, verification.as_fact())
