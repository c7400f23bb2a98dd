"""Histories: made by chance from a seed, played in a world, and made small when they break a law."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random

from tests.model import commands, happenings
from tests.model.laws import BrokenLawError
from tests.model.moments import go_on_from, keep_moment
from tests.model.stage import Stage
from tests.model.steps import KINDS
from tests.model.world import World

__all__ = ["Failure", "History", "Step", "commands", "happenings", "history_of", "play", "play_moments", "shrunk"]

LENGTHS = (6, 24)
PLACES = "abcde"
"""The places that may be configured: a and e mbox, b a Maildir, c and d IMAP folders."""
_FOLDERS = count(1)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; the numbers say to what, and how."""

    name: str
    n: int = 0
    m: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Steps in a world with these destinations; ``seed`` is for what chance decides on the way."""

    seed: int
    destinations: tuple[str, ...]
    steps: tuple[Step, ...]
    places: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A history that breaks a law, and what happened in it."""

    history: History
    law: str
    words: str
    log: tuple[str, ...]

    def __str__(self) -> str:
        head = f"seed {self.history.seed}, destinations {', '.join(self.history.destinations)}"
        return "\n".join([head, *(f"  {line}" for line in self.log), f"  => {self.words}"])


Play = Callable[[History, Stage, Path], Failure | None]


def history_of(seed: int, places: str = PLACES) -> History:
    """Make the history of a seed, with destinations among ``places``."""
    chance = Random(seed)
    names, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    destinations = chance.sample(places, min(len(places), chance.choice((1, 2, 2, 3))))
    length = chance.randint(*LENGTHS)
    steps = [Step("deliver"), Step("deliver", m=1), Step("policy", chance.randrange(4))]
    steps += [Step(n, chance.randrange(1000), chance.randrange(1000)) for n in chance.choices(names, weights, k=length)]
    return History(seed, tuple(destinations), tuple(steps), places)


def play(history: History, stage: Stage, folder: Path) -> Failure | None:
    """Play a history from beginning to end; return how it failed, if it did."""
    world = World(folder / f"history-{next(_FOLDERS)}", stage, history.seed, history.destinations, history.places)
    try:
        for step in history.steps:
            KINDS[step.name].action(world, step.n, step.m)
        world.finish()
    except BrokenLawError as error:
        return Failure(history, error.law, str(error), tuple(world.log))
    finally:
        world.close()
    return None


def play_moments(history: History, stage: Stage, folder: Path) -> Failure | None:
    """Play a history; then, for every moment of it, run with the state of that moment and everything else of now."""
    world = World(folder / f"history-{next(_FOLDERS)}", stage, history.seed, history.destinations, history.places)
    try:
        for step in history.steps:
            KINDS[step.name].action(world, step.n, step.m)
            keep_moment(world)
        for moment in range(len(history.steps)):
            go_on_from(world, moment)
    except BrokenLawError as error:
        return Failure(history, error.law, str(error), tuple(world.log))
    finally:
        world.close()
    return None


def shrunk(failure: Failure, stage: Stage, folder: Path, *, seconds: float = 60.0, how: Play = play) -> Failure:
    """Return a smaller history that breaks the same law, as small as the time allows."""
    until = time.monotonic() + seconds
    smallest = failure
    is_smaller = True
    while is_smaller and time.monotonic() < until:
        is_smaller = False
        for candidate in _smaller(smallest.history):
            if time.monotonic() > until:
                break
            found = how(candidate, stage, folder)
            if found is not None and found.law == failure.law:
                smallest, is_smaller = found, True
                break
    return smallest


def _smaller(history: History) -> Iterator[History]:
    """Yield histories with steps left out, many at once first; then with fewer destinations and smaller numbers."""
    steps = history.steps
    size = max(1, len(steps) // 2)
    while size:
        for start in range(len(steps) - size, -1, -size):
            yield replace(history, steps=steps[:start] + steps[start + size :])
        size //= 2
    if len(history.destinations) > 1:
        for place in history.destinations:
            yield replace(history, destinations=tuple(one for one in history.destinations if one != place))
