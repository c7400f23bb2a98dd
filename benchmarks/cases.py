"""The cases: which mail, what is to be done with it, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from math import ceil

from benchmarks.programs import (
    APPEND_LOOP,
    DRAIN,
    FETCHMAIL,
    GETMAIL,
    LISTING,
    MBSYNC,
    MPOP,
    OURS,
    POPLIB,
    SPREAD,
    Program,
)


class Work(Enum):
    """What is to be done."""

    FETCH = auto()
    FIRST = auto()
    """Fetch, and be ended when the first message is there."""
    DELETE = auto()
    POLL = auto()
    RELAY = auto()


@dataclass(frozen=True, slots=True)
class Slow:
    """A program that takes minutes, and on how many messages it is measured: on loopback, and over a longer line."""

    program: Program
    near: int
    afar: int = 0

    def messages(self, milliseconds: int) -> int:
        """How many it is given; 0 where it is left out."""
        return self.afar if milliseconds else self.near


@dataclass(frozen=True, slots=True)
class Case:
    """A table of results for each delay (a round trip, in milliseconds).

    ``programs`` do all of the messages, the first of them is ours. ``fsync`` is by how many milliseconds each fsync is
    held back: None is without strace, 0 shows what strace itself costs.
    """

    name: str
    corpus: str
    messages: int
    work: Work
    programs: tuple[Program, ...]
    slow: tuple[Slow, ...] = ()
    is_encrypted: bool = False
    backend: str = "maildir"
    delays: tuple[int, ...] = (0,)
    fsync: float | None = None

    def part(self, share: float) -> Case:
        """Return the case with that part of the messages, for a trial of the benchmark itself."""
        slow = tuple(replace(one, near=_part(one.near, share), afar=_part(one.afar, share)) for one in self.slow)
        return replace(self, messages=_part(self.messages, share), slow=slow)

    @property
    def is_by_octets(self) -> bool:
        """Whether programs with different numbers of messages are compared by octets."""
        return self.corpus in {"office", "large"}


def _part(messages: int, share: float) -> int:
    return ceil(messages * share)


_PAIR = (OURS, DRAIN, MPOP)
_FETCHERS = (OURS, MPOP, POPLIB, FETCHMAIL, GETMAIL)
_SLOW = (Slow(POPLIB, 4_000, 100), Slow(FETCHMAIL, 400, 100), Slow(GETMAIL, 400, 100))
_SLOW_OFFICE = (Slow(POPLIB, 300, 60), Slow(FETCHMAIL, 300, 60), Slow(GETMAIL, 300, 60))
_SYNCING = (Slow(MPOP, 1_000), Slow(GETMAIL, 200))
_UPLOADS = (OURS, MBSYNC)

CASES = (
    Case("small", "small", 20_000, Work.FETCH, _PAIR, _SLOW, delays=(0, 20, 100)),
    Case("first", "small", 20_000, Work.FIRST, _FETCHERS, delays=(0, 20)),
    Case("disk", "small", 20_000, Work.FETCH, (OURS,), _SYNCING),
    Case("disk-strace", "small", 20_000, Work.FETCH, (OURS,), _SYNCING, fsync=0),
    Case("disk-10ms", "small", 20_000, Work.FETCH, (OURS,), _SYNCING, fsync=10),
    Case("office", "office", 3_000, Work.FETCH, _PAIR, _SLOW_OFFICE, delays=(0, 20)),
    Case("large", "large", 60, Work.FETCH, _PAIR, (Slow(POPLIB, 10), Slow(FETCHMAIL, 10), Slow(GETMAIL, 10))),
    Case("huge", "huge", 1, Work.FETCH, (*_PAIR, POPLIB, FETCHMAIL)),
    Case("delete", "small", 20_000, Work.DELETE, _PAIR),
    Case("small-tls", "small", 20_000, Work.FETCH, _PAIR, is_encrypted=True),
    Case("large-tls", "large", 60, Work.FETCH, _PAIR, is_encrypted=True),
    Case("relay", "small", 5_000, Work.RELAY, _UPLOADS, (Slow(APPEND_LOOP, 1_000, 100),), delays=(0, 20)),
    Case("accounts", "small", 20_000, Work.FETCH, (SPREAD, OURS)),
    Case("poll", "tiny", 200_000, Work.POLL, (OURS, LISTING, MPOP)),
    Case("first-of-200k", "tiny", 200_000, Work.FIRST, _FETCHERS),
    Case("relay-mdbox", "small", 5_000, Work.RELAY, _UPLOADS, (Slow(APPEND_LOOP, 1_000),), backend="mdbox"),
    Case("relay-office", "office", 500, Work.RELAY, _UPLOADS, (Slow(APPEND_LOOP, 100),)),
)
