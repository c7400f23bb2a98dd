"""Progress while mail moves: bars on a terminal, a line now and then elsewhere.

Runs call from their own threads, so each progress locks what it changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from migrator.report import Progress
from migrator.ui.text import plural, size, span

if TYPE_CHECKING:
    from rich.progress import Progress as Bars, TaskID

SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True, slots=True)
class _Way:
    """How far an account has come, over all its sessions."""

    began: float
    last_line: float
    messages: int = 0
    octets: int = 0
    planned_messages: int = 0
    planned_octets: int = 0

    def line(self, account: str, now: float) -> str:
        """Say how far it is, how fast, and how long it still takes."""
        rate = self.octets / (now - self.began) if now > self.began else 0.0
        rest = max(self.planned_octets - self.octets, 0)
        remaining = f", about {span(rest / rate)} left" if rate > 0 and rest else ""
        return (
            f"{account}: {self.messages:,} of {plural(self.planned_messages, 'message')}, "
            f"{size(self.octets)} of {size(self.planned_octets)}, {size(rate)}/s{remaining}"
        )


class LineProgress:
    """Says a line when an account's work is known, then at most one every half minute."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Say lines through ``say``."""
        self._say = say
        self._clock = clock
        self._ways: dict[str, _Way] = {}
        self._lock = threading.Lock()

    def planned(self, account: str, messages: int, octets: int) -> None:
        """Say how much is to come, if anything."""
        now = self._clock()
        with self._lock:
            way = self._ways.get(account) or _Way(began=now, last_line=now)
            # A further session plans what the ones before did not copy.
            planned = (way.messages + messages, way.octets + octets)
            self._ways[account] = replace(way, planned_messages=planned[0], planned_octets=planned[1])
        if messages:
            self._say(f"{account}: {plural(messages, 'message')} to fetch ({size(octets)})")

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Say how far it is, if that was not said lately."""
        now = self._clock()
        with self._lock:
            way = self._ways.get(account) or _Way(began=now, last_line=now)
            way = replace(way, messages=way.messages + messages, octets=way.octets + octets)
            is_due = now - way.last_line >= SECONDS_BETWEEN_LINES
            self._ways[account] = replace(way, last_line=now) if is_due else way
        if is_due:
            self._say(way.line(account, now))


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

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[messages]:,} of {task.fields[planned]:,} messages", justify="right"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream, no_color=not has_color, highlight=False),
        transient=True,
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
