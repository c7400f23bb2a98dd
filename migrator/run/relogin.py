"""When to log in again within one run: pure decisions, so that no server is hammered and none is waited for in vain.

``History`` is what matters of the sessions so far, ``next_step`` decides by it: another log-in, or the end of the run.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple, assert_never

from migrator.backoff import SESSION, SESSION_AT_ONCE
from migrator.errors import Advice, Endpoint, FerryError, Kind
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.server_profile import ServerProfile
from migrator.run.host_limits import HostDownError
from migrator.run.portion import Portion

MAX_LOGINS: Final = 3
"""Sessions in a row that may achieve nothing; one that copied or deleted something begins the count again."""

PATIENCE_SECONDS: Final = {Kind.CONNECT: 45.0, Kind.TIMEOUT: 130.0}
"""After so long without progress a failure of that kind is final: a dead server ends an account within 90 seconds."""

PAUSE_WHERE_ALIVE: Final = 0.2
"""Seconds before logging in again where a session achieved something, or broke over one message: the server is well."""

LONGEST_LOGIN_DELAY: Final = 60.0


class Ended(Enum):
    """How a session ended."""

    UNCHANGED = auto()
    """The listing is one in which nothing was left to do."""
    COMPLETE = auto()
    """It came to its QUIT, and took all there was to take."""
    PORTION = auto()
    """It came to its QUIT, and left something to the next session."""
    STUCK = auto()
    """No destination takes anything any more."""
    STOPPED = auto()
    """A person, or the system, wants the run to end."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a session got: RETRs and TOPs whose replies came in step, messages marked for deletion.

    ``is_deleting``: all that was to be retrieved had come, and DELEs were under way.
    """

    retrieved: int = 0
    shown: int = 0
    marked: int = 0
    is_deleting: bool = False


@dataclass(frozen=True, slots=True)
class SuspectsTried:
    """How many suspected messages a session took, how many were set aside by it, and whether any are left to try."""

    taken: int = 0
    set_aside: int = 0
    are_left: bool = False


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What came of one session. ``ended`` is how it ended, or what ended it early.

    ``ended_at`` is by a clock that only goes forward; without ``has_listing`` it ended before that. ``fetched`` counts
    contents that were retrieved or proven and that no earlier session of the run had handled, ``deleted`` deletions
    that were confirmed, by QUIT or by the listing, ``failed`` new messages that could not be had (fewer than before:
    negative).
    """

    ended: Ended | FerryError
    ended_at: float
    has_listing: bool = True
    listed: int = 0
    fetched: int = 0
    deleted: int = 0
    failed: int = 0
    reach: Reach = field(default_factory=Reach)
    suspects: SuspectsTried = field(default_factory=SuspectsTried)


class Totals(NamedTuple):
    """What all sessions of a run together have fetched, deleted and failed at; see ``SessionResult``."""

    fetched: int = 0
    deleted: int = 0
    failed: int = 0

    def achieved(self, most_listed: int) -> int:
        """Return how much was copied, deleted, or found out to be unobtainable.

        Each kind is bound by what is listed, so that a server that pretends does not keep a run going.
        """
        return self.fetched + min(self.deleted, most_listed) + min(self.failed, most_listed)


@dataclass(frozen=True, slots=True)
class History:
    """What matters of the sessions of a run so far."""

    progressed_at: float
    """When the run began, or a session last achieved something."""
    source: Endpoint | None = None
    last: SessionResult | None = None
    logins: int = 0
    idle: int = 0
    """Sessions in a row that achieved nothing."""
    was_cut: bool = False
    """Whether a session was cut off while messages came: once may be chance."""
    most_listed: int = 0
    totals: Totals = field(default_factory=Totals)
    achieved: int = 0
    portion: Portion = field(default_factory=Portion)
    is_complete: bool = False
    """Whether a session has taken all there is, so that the next one only looks whether there is more."""
    fault: FerryError | None = None
    """What ended a session early, the last time one did."""

    def after(self, result: SessionResult) -> History:
        """Return the history with one session more."""
        most_listed = max(self.most_listed, result.listed)
        totals = Totals(
            self.totals.fetched + result.fetched,
            self.totals.deleted + result.deleted,
            self.totals.failed + result.failed,
        )
        counted = replace(self, last=result, logins=self.logins + 1, most_listed=most_listed, totals=totals)
        achieved = totals.achieved(most_listed)
        if achieved > self.achieved:
            counted = replace(counted, achieved=achieved, progressed_at=result.ended_at, idle=0)
        elif not (result.suspects.taken and result.suspects.set_aside):
            counted = replace(counted, idle=self.idle + 1)
        if isinstance(result.ended, FerryError):
            return _after_broken(counted, result, result.ended)
        return _after_ended(counted, result)

    def learned(self, result: SessionResult, profile: ServerProfile) -> ServerProfile:
        """Return what a session that only looked tells of the server: whether its listings are complete."""
        is_look = self.is_complete and self.last is not None and self.fault is None
        is_seen = result.ended in {Ended.COMPLETE, Ended.UNCHANGED, Ended.PORTION}
        if not (is_look and is_seen) or self.last is None:
            return profile
        return profile.after_another_session(self.last.listed, showed_new=result.fetched > 0)


def _after_ended(history: History, result: SessionResult) -> History:
    is_all = result.ended in {Ended.COMPLETE, Ended.UNCHANGED}
    portion = history.portion if is_all else history.portion.after_full_session()
    return replace(history, portion=portion, is_complete=is_all and not result.suspects.are_left)


def _after_broken(history: History, result: SessionResult, fault: FerryError) -> History:
    """Make the next sessions shorter where these do not come to their QUIT."""
    is_look = history.is_complete and not result.has_listing
    broken = replace(history, fault=fault, is_complete=is_look)
    reach = result.reach
    came = max(reach.retrieved, reach.shown)
    is_cut = fault.kind in {Kind.CONNECT, Kind.TIMEOUT} and came > 0
    if not (is_cut or reach.marked):
        return broken
    if not history.was_cut:
        return replace(broken, was_cut=True)
    length = reach.marked or came
    portion = history.portion.shortened(length // 2 if reach.is_deleting else length)
    return replace(broken, portion=portion)


@dataclass(frozen=True, slots=True)
class LogIn:
    """Log in, after a pause in seconds, and take this portion; ``idle`` sessions in a row have achieved nothing."""

    pause: float = 0.0
    idle: int = 0
    portion: Portion = field(default_factory=Portion)


@dataclass(frozen=True, slots=True)
class End:
    """The run is at its end; ``problem`` is what there is to report of it, ``note`` what a person may want to know."""

    problem: FerryError | None = None
    note: str = ""


Step = LogIn | End


def next_step(
    history: History, profile: ServerProfile, *, can_copy: bool = True, most_logins: int | None = None
) -> Step:
    """Decide whether to log in (again), and when.

    A run without any destination that could take a message (not ``can_copy``) does not log in at all, and none does
    more often than ``most_logins``.
    """
    if history.last is None:
        return LogIn(portion=history.portion) if can_copy else End()
    if most_logins is not None and history.logins >= most_logins:
        return End(history.last.ended if isinstance(history.last.ended, FerryError) else None)
    match history.last.ended:
        case FerryError() as fault:
            return _after_fault(history, history.last, fault, profile)
        case Ended.STUCK | Ended.STOPPED:
            return End()
        case Ended.UNCHANGED | Ended.COMPLETE | Ended.PORTION:
            return _after_quit(history, history.last, profile)
        case _ as never:
            assert_never(never)


def _after_quit(history: History, result: SessionResult, profile: ServerProfile) -> Step:
    if history.is_complete and not _may_show_more(history, result, profile):
        return End()
    if history.idle < MAX_LOGINS:
        return LogIn(0.0, history.idle, history.portion)
    message = "three sessions in a row brought nothing"
    return End(history.fault or FerryError(Kind.TEMPORARY, message, endpoint=history.source))


def _may_show_more(history: History, result: SessionResult, profile: ServerProfile) -> bool:
    return result.fetched > 0 and profile.wants_another_session(result.listed, history.logins)


def _after_fault(history: History, result: SessionResult, error: FerryError, profile: ServerProfile) -> Step:
    is_look = history.is_complete
    if is_look and not profile.shows_part:
        return End(note=f"whether the source has more to show could not be seen: {error.message}")
    if isinstance(error, HostDownError):
        return End(error)  # others have asked often enough
    if result.suspects.taken and not result.suspects.are_left:
        return End()  # what remains is set aside by name
    pause = pause_before_retry(error, max(1, history.idle), result.ended_at - history.progressed_at)
    if pause is None:
        return End(_rest_follows(error) if is_look else error)
    is_alive = history.idle == 0 or isinstance(error, BrokenAtError)
    return LogIn(min(pause, PAUSE_WHERE_ALIVE) if is_alive else pause, history.idle, history.portion)


def pause_before_retry(error: FerryError, faults: int, elapsed: float) -> float | None:
    """Return how many seconds to wait before logging in again; None: give up.

    ``faults`` counts sessions in a row that achieved nothing, ``elapsed`` is the time since something was achieved.
    """
    pauses = SESSION.get(error.kind, SESSION_AT_ONCE if error.advice is Advice.NOW else None)
    if pauses is None or faults >= MAX_LOGINS or elapsed > PATIENCE_SECONDS.get(error.kind, float("inf")):
        return None
    if error.kind is Kind.LOGIN_DELAY and error.wait is not None:
        return error.wait + 1.0 if error.wait <= LONGEST_LOGIN_DELAY else None
    return pauses[faults - 1]


def _rest_follows(error: FerryError) -> FerryError:
    """Return what is to be said where a server shows parts of a maildrop, and does not let us see the next one."""
    return FerryError(
        error.kind,
        f"the server showed a part of the maildrop; the rest follows at the next run: {error.message}",
        server_words=error.server_words,
        scope=error.scope,
        advice=error.advice,
        wait=error.wait,
        endpoint=error.endpoint,
        finding=error.finding,
        settings=error.settings,
    )
