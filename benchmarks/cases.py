"""The cases: which mail, what is to be done with it, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

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
    DELETE = auto()
    POLL = auto()
    RELAY = auto()


@dataclass(frozen=True, slots=True)
class Case:
    """A table of results for each delay (a round trip, in milliseconds); ``slow`` programs only when asked for."""

    name: str
    corpus: str
    messages: int
    work: Work
    programs: tuple[Program, ...]
    slow: tuple[Program, ...] = ()
    is_encrypted: bool = False
    backend: str = "maildir"
    delays: tuple[int, ...] = (0,)


CASES = (
    Case("small", "small", 20_000, Work.FETCH, (OURS, DRAIN, MPOP), (POPLIB, FETCHMAIL, GETMAIL), delays=(0, 20, 100)),
    Case("office", "office", 3_000, Work.FETCH, (OURS, DRAIN, MPOP), (POPLIB, FETCHMAIL, GETMAIL), delays=(0, 20)),
    Case("large", "large", 60, Work.FETCH, (OURS, DRAIN, MPOP), (POPLIB,)),
    Case("huge", "huge", 1, Work.FETCH, (OURS, DRAIN, MPOP), (POPLIB, FETCHMAIL)),
    Case("delete", "small", 20_000, Work.DELETE, (OURS, DRAIN, MPOP)),
    Case("poll", "tiny", 200_000, Work.POLL, (OURS, LISTING, MPOP)),
    Case("small-tls", "small", 20_000, Work.FETCH, (OURS, DRAIN, MPOP), is_encrypted=True),
    Case("relay", "small", 5_000, Work.RELAY, (OURS, APPEND_LOOP, MBSYNC), delays=(0, 20)),
    Case("relay-mdbox", "small", 5_000, Work.RELAY, (OURS, APPEND_LOOP, MBSYNC), backend="mdbox"),
    Case("relay-office", "office", 500, Work.RELAY, (OURS, APPEND_LOOP, MBSYNC)),
    Case("accounts", "small", 20_000, Work.FETCH, (SPREAD, OURS)),
)
