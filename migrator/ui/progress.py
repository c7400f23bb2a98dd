"""Progress while mail moves: bars on a terminal, a line now and then elsewhere.

Runs call from their own threads, so each progress locks what it changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from migrator.progress import Headway
from migrator.report import Progress
from migrator.ui.text import plural, size, span

if TYPE_CHECKING:
    from rich.progress import Progress as Bars, TaskID

SECONDS_BETWEEN_LINES = 30.0


def _line(account: str, way: Headway, now: float) -> str:
    """Say how far it is, how fast, and how long it still takes."""
    left = way.seconds_left(now)
    remaining = f", about {span(left)} left" if left is not None else ""
    return (
        f"{account}: {way.messages:,} of {plural(way.planned_messages, 'message')}, "
        f"{size(way.octets)} of {size(way.planned_octets)}, {size(way.rate(now))}/s{remaining}"
    )


class LineProgress:
    """Says a line when an account's work is known, then at most one every half minute."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Say lines through ``say``."""
        self._say = say
        self._clock = clock
        self._ways: dict[str, Headway] = {}
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def planned(self, account: str, messages: int, octets: int) -> None:
        """Say how much is to come, if anything."""
        with self._lock:
            self._ways[account] = self._way(account, self._clock()).plan(messages, octets)
        if messages:
            self._say(f"{account}: {plural(messages, 'message')} to fetch ({size(octets)})")

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Say how far it is, if that was not said lately."""
        now = self._clock()
        with self._lock:
            way = self._ways[account] = self._way(account, now).advance(messages, octets)
            is_due = now - self._said[account] >= SECONDS_BETWEEN_LINES
            if is_due:
                self._said[account] = now
        if is_due:
            self._say(_line(account, way, now))

    def _way(self, account: str, now: float) -> Headway:
        self._said.setdefault(account, now)
        return self._ways.get(account) or Headway(now)


@contextmanager
def live_progress(stream: TextIO, *, has_color: bool) -> Iterator[Progress]:
    """Show a bar for each account that is worked, and take all of them away at the end."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress as Bars,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    def whole() -> Column:
        return Column(no_wrap=True)

    bars = Bars(
        # A long name is cut rather than that the numbers break in two.
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=12),
        TextColumn(
            "{task.fields[messages]:,} of {task.fields[planned]:,} messages", justify="right", table_column=whole()
        ),
        DownloadColumn(table_column=whole()),
        TransferSpeedColumn(table_column=whole()),
        TimeRemainingColumn(table_column=whole()),
        console=Console(file=stream, no_color=not has_color, highlight=False),
        transient=True,
        expand=True,
    )
    with bars:
        yield _LiveProgress(bars)


class _LiveProgress:
    """A bar per account; it advances by octets, since messages differ so much in size."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def planned(self, account: str, messages: int, octets: int) -> None:
        """Begin the account's bar, or make it longer."""
        with self._lock:
            bar = self._bar(account)
            done = self._bars.tasks[self._bars.task_ids.index(bar)]
            self._bars.update(bar, total=done.completed + octets, planned=done.fields["messages"] + messages)

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Move the account's bar on; a bar that is full goes away."""
        with self._lock:
            bar = self._bar(account)
            done = self._bars.tasks[self._bars.task_ids.index(bar)].fields["messages"] + messages
            self._bars.update(bar, advance=octets, messages=done)

    def _bar(self, account: str) -> TaskID:
        if account not in self._tasks:
            self._tasks[account] = self._bars.add_task(account, total=None, messages=0, planned=0)
        return self._tasks[account]
