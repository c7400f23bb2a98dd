"""How the last thirty days went: for each account, on which of them its runs did well, failed, or were not there.

What was read once is kept: the page asks the ledger only for the runs that are new since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup, escape

from jobs.web.language import gettext as _
from jobs.web.locale_format import day as day_in_words
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger import Ledger
from migrator.report import Status

DAYS = 30
_STEP, _WIDTH = 6, 4
"""Of one day in the drawing; the rest of a step is the gap to the next."""


class DayState(StrEnum):
    """How one day went."""

    WELL = "well"
    FAILED = "failed"
    NONE = "none"
    """No run came to its end."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The last days of one account, the oldest first; the last is ``today``."""

    today: date
    days: tuple[DayState, ...]

    @property
    def words(self) -> str:
        """The same for who does not see it."""
        counts = {state.value: self.days.count(state) for state in DayState}
        said = {**counts, "days": len(self.days), "last": self._last_failed()}
        if not counts["well"] and not counts["failed"]:
            return _("Last %(days)d days: no run") % said
        if counts["failed"]:
            text = _("Last %(days)d days: well %(well)d, something failed %(failed)d (last: %(last)s), no run %(none)d")
            return text % said
        return _("Last %(days)d days: well %(well)d, no run %(none)d") % said

    def _last_failed(self) -> str:
        if DayState.FAILED not in self.days:
            return ""
        back = self.days[::-1].index(DayState.FAILED)
        return day_in_words(self.today - timedelta(days=back))

    @property
    def failed_days(self) -> list[date]:
        """The days on which something failed, the newest first."""
        indexes = (back for back, state in enumerate(self.days[::-1]) if state is DayState.FAILED)
        return [self.today - timedelta(days=back) for back in indexes]


_STATES = {True: DayState.FAILED, False: DayState.WELL, None: DayState.NONE}


def strip_of(days: Mapping[date, bool], today: date) -> Strip:
    """Return the strip of an account of which is known on which days something failed, or all went well."""
    return Strip(today, tuple([_STATES[days.get(one)] for one in _last_days(today)]))


@lru_cache(maxsize=2)
def _last_days(today: date) -> Sequence[date]:
    return [today - timedelta(days=back) for back in reversed(range(DAYS))]


def drawn(strip: Strip) -> Markup:
    """Return the drawing: for each state one line, broken into dashes by the style sheet, a dash a day."""
    words = escape(strip.words)
    lines = "".join(f'<path class="{state}" d="{line}"/>' for state, line in paths(strip.days).items())
    size = f"0 0 {len(strip.days) * _STEP} 14"
    return Markup(  # noqa: S704  # all of it is ours but the words, which are escaped
        f'<svg class="strip" viewBox="{size}" role="img" aria-label="{words}"><title>{words}</title>{lines}</svg>'
    )


@lru_cache(maxsize=1024)
def paths(days: tuple[DayState, ...]) -> Mapping[str, str]:
    """Return the line of each state: a stretch for the days that follow one another."""
    lines: dict[str, str] = {}
    at = 0
    for state, run in groupby(days):
        count = len(list(run))
        lines[state.value] = f"{lines.get(state.value, '')}M{at * _STEP} 7h{(count - 1) * _STEP + _WIDTH}"
        at += count
    return lines


def local_day(seconds: float) -> date:
    """Return the day of a moment in this machine's time zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().date()


@dataclass(slots=True)
class _Account:
    days: dict[date, bool] = field(default_factory=dict)
    """Whether anything failed on that day."""
    unfinished: int = 0
    """The number of its newest run, where that had not ended when it was read."""


class RunDays:
    """What is known of the days of all accounts; safe to call from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}
        self._read = 0
        """The number of the newest run that was read."""
        self._oldest = date.min
        """The first of the days that are kept."""

    def strips(self, ledger: Ledger) -> Callable[[str], Strip]:
        """Return what gives the strip of an account, as things stand now."""
        today = local_day(self._clock())
        oldest = today - timedelta(days=DAYS - 1)
        with self._lock:
            self._read_on(ledger, oldest)
            known = {name: strip_of(account.days, today) for name, account in self._accounts.items()}
        return lambda name: known.get(name) or strip_of({}, today)

    def _read_on(self, ledger: Ledger, oldest: date) -> None:
        since = datetime(oldest.year, oldest.month, oldest.day).astimezone().timestamp()  # made local
        unfinished = [one.unfinished for one in self._accounts.values() if one.unfinished]
        if oldest != self._oldest:
            self._oldest = oldest
            for account in self._accounts.values():
                account.days = {day: failed for day, failed in account.days.items() if day >= oldest}
        bounds = _Days()
        for number, name, started_at, status, stopped_by in ledger.overview.runs_since(since, self._read, unfinished):
            account = self._accounts.setdefault(name, _Account())
            account.unfinished = 0 if status else number
            self._read = max(self._read, number)
            if status and not stopped_by and (day := bounds.day(started_at)) >= oldest:
                account.days[day] = account.days.get(day, False) or status != Status.OK


class _Days:
    """The day of a moment; moments come in order, so that most are of the same day as the one before."""

    def __init__(self) -> None:
        self._begin = self._end = 0.0
        self._day = date.min

    def day(self, seconds: float) -> date:
        """Return the local day of a moment."""
        if not self._begin <= seconds < self._end:
            self._day = local_day(seconds)
            self._begin, self._end = (
                datetime(one.year, one.month, one.day).astimezone().timestamp()  # made local
                for one in (self._day, self._day + timedelta(days=1))
            )
        return self._day
