"""Asks several sources at once and waits no longer than it must.

Each runs in a thread of its own that nobody waits for: a name server or a host that swallows everything costs the
budget, never more. What a late one finds is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from migrator.discovery.found import Outcome
from migrator.errors import DefectError, FerryError, contained
from migrator.lazy_dataclasses import dataclass

Ask = Callable[[], Outcome]
Answers = Mapping[int, Outcome]
"""What has been answered so far, by the number of the one asked."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited. ``is_decided``: no later answer changes anything; ``is_good``: only ``grace`` more seconds.

    ``between`` is how many seconds apart the sources are asked.
    """

    seconds: float
    is_decided: Callable[[Answers], bool]
    is_good: Callable[[Answers], bool] = lambda _answers: False
    grace: float = 1.0
    between: float = 0.0
    clock: Callable[[], float] = time.monotonic


def ask_all(asks: Sequence[Ask], patience: Patience) -> Answers:
    """Return what was answered in time. A defect of ours comes out here; an error of a source is a note of it."""
    arriving: SimpleQueue[tuple[int, Outcome | DefectError]] = SimpleQueue()
    answers: dict[int, Outcome] = {}
    started, next_start = 0, patience.clock()
    until = next_start + patience.seconds
    while len(answers) < len(asks) and not patience.is_decided(answers) and (now := patience.clock()) < until:
        while started < len(asks) and now >= next_start:
            _start(started, asks[started], arriving)
            started, next_start = started + 1, next_start + patience.between
        wake = until if started == len(asks) else min(until, next_start)
        try:
            number, outcome = arriving.get(timeout=wake - now if wake > now else 0.0)
        except Empty:
            continue
        if isinstance(outcome, DefectError):
            raise outcome
        was_good = patience.is_good(answers)
        answers[number] = outcome
        next_start = min(next_start, patience.clock())  # who has answered holds up nobody
        if not was_good and patience.is_good(answers):
            until = min(until, patience.clock() + patience.grace)
    return answers


def _start(number: int, ask: Ask, arriving: SimpleQueue[tuple[int, Outcome | DefectError]]) -> None:
    def answer() -> None:
        try:
            with contained():
                arriving.put((number, ask()))
        except DefectError as error:
            arriving.put((number, error))
        except FerryError as error:
            arriving.put((number, Outcome(notes=(error.message,))))

    Thread(target=answer, name=f"discovery-{number}", daemon=True).start()
