"""Mutation testing of the modules that decide: ``python -m tests.mutation [--seed N] [--most N] [--all] [MODULE…]``.

Every mutant meets the tests of its module; one that survives meets wider ones. What survives all of them is printed as
an entry for ``survivors.toml``, and the run ends with 1: it wants a test, or a reason why it means the same.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.mutation.explained import Name, as_entry, explained
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.table import TESTS, WIDER, path
from tests.mutation.trials import Trials, source_of

NICENESS = 10
OWN_SECONDS = 30.0
WIDER_SECONDS = 60.0
"""What the tests that meet one mutant may take, by what they take against the original."""


@dataclass
class Hunt:
    """What is asked for, and what came of it."""

    modules: Sequence[str]
    seed: int
    most: int | None
    until: float
    is_narrow: bool
    reasons: dict[Name, str]
    tried: int = 0
    reasoned: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)

    def run(self, trials: Trials) -> None:
        """Try the mutants of every module."""
        sources = [str(source_of(module)) for module in self.modules]
        own = [path(test) for module in self.modules for test in TESTS[module]]
        self._measure(trials, own, sources)
        unnoticed = {module: self._survivors(trials, module) for module in self.modules}
        if any(unnoticed.values()) and not self.is_narrow:
            self._measure(trials, [path(test) for test in WIDER], sources)
            wider = [path(test) for test in WIDER]
            unnoticed = {at: self._meeting(trials, left, wider, WIDER_SECONDS) for at, left in unnoticed.items()}
        self.problems += [as_entry(mutant.name) for left in unnoticed.values() for mutant in left]

    def _measure(self, trials: Trials, files: Sequence[str], sources: Sequence[str]) -> None:
        print(f"measuring what {len(set(files))} files of tests reach", flush=True)  # noqa: T201  progress
        failing = trials.measure(trials.of(files), sources)
        self.problems += [f"fails without any mutant, and notices nothing: {test}" for test in failing]

    def _survivors(self, trials: Trials, module: str) -> list[Mutant]:
        """Return the mutants of a module that its own tests do not notice and nobody has given a reason for."""
        source = source_of(module)
        every = list(mutants_of(module, source.read_text(encoding="utf-8"), str(source)))
        self._hold_against_reasons(module, every)
        chosen = every
        if self.most is not None and len(every) > self.most:
            places = sorted(random.Random(f"{self.seed}{module}").sample(range(len(every)), self.most))
            chosen = [every[place] for place in places]
        own = [path(test) for test in TESTS[module]]
        unnoticed = self._meeting(trials, chosen, own, OWN_SECONDS)
        unreasoned = [mutant for mutant in unnoticed if mutant.name not in self.reasons]
        self.reasoned += len(unnoticed) - len(unreasoned)
        noticed = {mutant.name for mutant in chosen} - {mutant.name for mutant in unnoticed}
        self.problems += [f"has a reason and is noticed: {name}" for name in self.reasons if name in noticed]
        print(  # noqa: T201  progress
            f"{module}: {len(chosen)} of {len(every)} mutants, {len(unnoticed)} not noticed by its own tests,"
            f" {len(unreasoned)} of these without a reason",
            flush=True,
        )
        return unreasoned

    def _hold_against_reasons(self, module: str, every: Sequence[Mutant]) -> None:
        names = {mutant.name for mutant in every}
        stale = [name for name in self.reasons if name[0] == module and name not in names]
        self.problems += [f"gives a reason for what is not there: {name}" for name in stale]

    def _meeting(self, trials: Trials, mutants: Sequence[Mutant], files: Sequence[str], bound: float) -> list[Mutant]:
        """Return those of the mutants that the tests of these files do not notice."""
        items, left = trials.of(files), []
        for mutant in mutants:
            if time.monotonic() > self.until:
                self.left_out += 1
                continue
            self.tried += 1
            meets = trials.noticing(mutant, items, mutant.code.co_filename, bound)
            if not meets or not trials.is_killed(mutant, meets):
                left.append(mutant)
        return left

    def tell(self) -> int:
        """Print what came of it; returns the exit code."""
        for problem in self.problems:
            print(problem, end="\n\n")  # noqa: T201  the result
        if self.left_out:
            print(f"mutants: time was up, and {self.left_out} trials were left out")  # noqa: T201  the result
        print(  # noqa: T201  the result
            f"mutants: seed {self.seed}; {self.tried} trials, {self.reasoned} survivors with a reason,"
            f" {len(self.problems)} problems"
        )
        return 1 if self.problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=11, help="which mutants of a large module are taken (default: 11)")
    parser.add_argument("--most", type=int, default=60, help="mutants of one module (default: 60)")
    parser.add_argument("--all", action="store_true", help="all mutants of every module")
    parser.add_argument("--own", action="store_true", help="only each module's own tests")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="what is not tried by then is left out (default: 60)"
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TESTS)}")
    options = parser.parse_args()
    modules = [
        name.removeprefix("migrator/").removesuffix(".py").replace("/", ".") for name in options.modules
    ] or list(TESTS)
    if unknown := sorted(set(modules) - set(TESTS)):
        parser.error(f"no such module: {', '.join(unknown)}")
    until = time.monotonic() + 60 * options.minutes
    hunt = Hunt(modules, options.seed, None if options.all else options.most, until, options.own, explained())
    os.nice(NICENESS)
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
    try:
        outcome = pytest.main(_arguments(modules, folder), plugins=[Trials(hunt.run)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(outcome) or hunt.tell()


def _arguments(modules: Sequence[str], folder: Path) -> list[str]:
    """Return how pytest is to collect: silently, and so that nothing is left in the working tree."""
    files = dict.fromkeys(path(test) for test in (*(test for module in modules for test in TESTS[module]), *WIDER))
    quiet = ["-s", "-qq", "--no-header", "--no-summary", "-p", "no:cacheprovider", "--timeout=0"]
    return [*quiet, f"--basetemp={folder / 'tests'}", *files]


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
