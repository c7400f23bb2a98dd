"""Whether a mailbox still holds what is known to be in it: one EXAMINE, and no message is read.

A mailbox may be deleted, or emptied by a mail program gone wrong, long after all was proven in it, and a run that has
nothing to store would never see it. Its numbers tell, and where other mail stands there or has come since, its UIDs.
What people file away little by little is no such thing: a look knows how many copies the look before it missed.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from migrator.copying.relocating import emptied, is_emptied, relocate
from migrator.destinations import Counted, Destination
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.copies import CopiesLedger
from migrator.model import ImapLocator
from migrator.policy import WhenCopyIsGone
from migrator.ui.text import plural

EVERY_HOUR = 3_600.0
"""Seconds between two looks of a schedule at a mailbox that was well: each costs a log-in."""


_SAMPLE = 200
"""How many of the copies are asked for, spread over all: if more than half of them had gone, it would show."""


class Numbers(NamedTuple):
    """What a mailbox showed at a look, and how many copies were known in it then."""

    uid_validity: int
    uid_next: int
    messages: int
    known: int


@dataclass(frozen=True, slots=True)
class LastLook:
    """When a mailbox was last seen to be well (0.0: look again), and how many copies it lacked when it was.

    ``numbers`` is what was seen then; None where it was never well.
    """

    well_at: float = 0.0
    lacked: int = 0
    numbers: Numbers | None = None

    def is_fresh(self, now: float, seconds: float) -> bool:
        """Say whether it is younger than this; a time to come is none, for clocks are set back."""
        return 0.0 < self.well_at <= now < self.well_at + seconds


class SharedLooks:
    """What runs have seen that belong together, so that accounts that share a mailbox look once.

    A look of other runs is good for that many seconds more: none, unless they are a schedule's.
    """

    def __init__(self, good_for: float = 0.0) -> None:
        self.good_for = good_for
        self._seen: dict[str, FerryError | None] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def once(self, identity: str, look: Callable[[], None]) -> None:
        """Look, or say what the first look said; one that could not see the mailbox says nothing to others."""
        with self._lock:
            lock = self._locks[identity]
        with lock:
            if identity not in self._seen:
                self._seen[identity] = _verdict(look)
            if error := self._seen[identity]:
                raise error


def _verdict(look: Callable[[], None]) -> FerryError | None:
    """Return what was found missing; raises what kept the look from seeing it."""
    try:
        look()
    except FerryError as error:
        if not is_missing(error):
            raise
        return error
    return None


def is_missing(error: FerryError) -> bool:
    """Say whether an error tells of a mailbox that is gone as a whole, or was emptied."""
    return error.finding == "mailbox-missing"


def is_worth_a_look(destination: Destination, copies: CopiesLedger) -> bool:
    """Say whether a mailbox that is gone would be an error: other settings store again, or take it as it is."""
    return (
        isinstance(destination, Counted)
        and destination.when_copy_is_gone is WhenCopyIsGone.KEEP
        and copies.has_copies()
    )


def look(destination: Destination, copies: CopiesLedger, last: LastLook, now: float, *, is_dry: bool) -> LastLook:
    """Return the look at a mailbox that is well: with how many of the known copies are not in it.

    Raises ``archive`` where it is not there, or where more are missing than at the ``last`` look, and too many for
    anybody to have meant it. A mailbox that was made again has its copies found again first, unless the run ``is_dry``.
    """
    if not isinstance(destination, Counted):
        return LastLook(now)
    census = destination.census()
    if census is None:
        raise destination.missing()
    stands = copies.stand_under(census.uid_validity)
    if not stands and not is_dry:
        relocate(destination, copies)
        stands = copies.stand_under(census.uid_validity)
    known = copies.copies_known()
    numbers = Numbers(census.uid_validity, census.uid_next, census.messages, known)
    if numbers == last.numbers:
        return LastLook(now, last.lacked, numbers)
    lacked = max(0, known - census.messages)
    holds = plural(census.messages, "message") if census.messages else "nothing"
    _refuse_if_emptied(destination, last, lacked, known, f"it holds {holds}")
    if stands:
        lacked = _lacked(destination, copies, numbers, last)
        _refuse_if_emptied(destination, last, lacked, known, f"{lacked:,} of them are not there any more")
    return LastLook(now, lacked, numbers)


def _lacked(destination: Destination, copies: CopiesLedger, numbers: Numbers, last: LastLook) -> int:
    """Return how many copies are not at their places: by a sample where they are many, by all where it shows a loss."""
    sample = copies.uids(numbers.uid_validity, most=_SAMPLE)
    missing = destination.count_missing([ImapLocator(numbers.uid_validity, uid) for uid in sample])
    lacked = missing * numbers.known // len(sample) if sample else 0
    if len(sample) < numbers.known and 4 * (lacked - last.lacked) > numbers.known - last.lacked:
        everything = copies.uids(numbers.uid_validity)
        return destination.count_missing([ImapLocator(numbers.uid_validity, uid) for uid in everything])
    return lacked


def _refuse_if_emptied(destination: Destination, last: LastLook, lacked: int, known: int, told: str) -> None:
    if is_emptied(lacked - last.lacked, known - last.lacked):
        copies_known = plural(known, "message is", "messages are")
        raise emptied(destination, f"{destination.label} was emptied: {copies_known} known to be in it, and {told}")
