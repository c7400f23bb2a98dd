"""Running tests against mutants, in memory: no file is changed, and nothing has to be imported again.

The parent has collected the tests and forks. A child puts the mutant's code into the living function, runs the tests
that reach the changed lines, the quickest first, and ends at the first that fails. Child processes that a test starts
by their command line import the original: what only they would notice is for ``tests/crash`` and ``tests/model``.
"""

from __future__ import annotations

import inspect
import json
import os
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from tests.mutation.mutants import Mutant

_MEMORY = 4 << 30
_FILE = 1 << 30
"""What a mutant that never ends may eat, in bytes."""

Reached = dict[str, set[int]]
"""Lines by module file."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How long a test takes, in seconds, and what it reaches, by file."""

    seconds: float
    reached: Reached


@dataclass(eq=False)  # pytest wants to hash its plugins
class Trials:
    """A plugin of pytest: hands what it has collected to ``ask``, instead of running it."""

    ask: Callable[[Trials], None]
    items: list[pytest.Item] = field(default_factory=list)
    measured: dict[str, Measured] = field(default_factory=dict)
    _has_failed: bool = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = session.items
        if not session.testsfailed:
            self.ask(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= report.failed

    def of(self, files: Iterable[str]) -> list[pytest.Item]:
        """Return the tests of some files."""
        wanted = set(files)
        return [item for item in self.items if item.nodeid.partition("::")[0] in wanted]

    def measure(self, items: Iterable[pytest.Item], sources: Iterable[str]) -> list[str]:
        """Run tests against the original, once each, and keep what they reach; returns those that fail."""
        unknown = [item for item in items if item.nodeid not in self.measured]
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as answers, os.fdopen(reading) as replies:
            child = _fork(lambda: self._measure(unknown, frozenset(sources), answers))
            answers.close()
            told = [json.loads(line) for line in replies]
            os.waitpid(child, 0)
        for test, has_failed, seconds, reached in told:
            if not has_failed:
                self.measured[test] = Measured(seconds, {name: set(lines) for name, lines in reached.items()})
        return [item.nodeid for item in unknown if item.nodeid not in self.measured]

    def _measure(self, items: Sequence[pytest.Item], sources: frozenset[str], answers: Any) -> int:
        for item in items:
            reached: defaultdict[str, set[int]] = defaultdict(set)
            tracer = _tracer(sources, reached)
            threading.settrace(tracer)
            sys.settrace(tracer)
            began = time.monotonic()
            has_failed = self._fails(item)
            sys.settrace(None)
            lines = {name: sorted(numbers) for name, numbers in reached.items()}
            answers.write(json.dumps([item.nodeid, has_failed, time.monotonic() - began, lines]) + "\n")
            answers.flush()
        return 0

    def noticing(self, mutant: Mutant, items: Iterable[pytest.Item], source: str, bound: float) -> list[pytest.Item]:
        """Return the tests that reach a mutant, the quickest first, as many as take no longer than ``bound``."""
        chosen: list[pytest.Item] = []
        spent = 0.0
        known = [(self.measured[item.nodeid], item) for item in items if item.nodeid in self.measured]
        for measured, item in sorted(known, key=lambda pair: pair[0].seconds):
            if not measured.reached.get(source, set()).isdisjoint(mutant.lines):
                spent += measured.seconds
                if chosen and spent > bound:
                    break
                chosen.append(item)
        return chosen

    def is_killed(self, mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
        """Say whether one of these tests fails with a mutant in place, or does not come to an end."""
        usual = sum(self.measured[item.nodeid].seconds for item in items)
        child = _fork(lambda: self._try(mutant, items))
        return _ends_with(child, 10.0 + 5 * usual) != 0

    def _try(self, mutant: Mutant, items: Sequence[pytest.Item]) -> int:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
        _put(mutant)
        return int(any(self._fails(item) for item in items))

    def _fails(self, item: pytest.Item) -> bool:
        self._has_failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return self._has_failed


def _tracer(sources: frozenset[str], reached: defaultdict[str, set[int]]) -> Callable[..., Any]:
    def line(frame: FrameType, event: str, _: object) -> Any:
        reached[frame.f_code.co_filename].add(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, _: object) -> Any:
        return line(frame, event, None) if frame.f_code.co_filename in sources else None

    return call


def _fork(work: Callable[[], int]) -> int:
    """Do some work in a child of its own session, which never comes back; returns its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return child
    code = 2
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        code = work()
    finally:
        os._exit(code)


def _ends_with(child: int, seconds: float) -> int:
    """Return a child's exit status; one that takes longer is ended with all that it started."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _put(mutant: Mutant) -> None:
    """Give a function the code of a mutant, wherever it has been imported to."""
    found: object = import_module(f"migrator.{mutant.module}")
    for name in mutant.function.split("."):
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    function = inspect.unwrap(getattr(found, "__func__", found))  # type: ignore[arg-type]  # a function, or wraps one
    assert isinstance(function, FunctionType), mutant.function
    code: CodeType = mutant.code
    function.__code__ = code


def source_of(module: str) -> Path:
    """Return where a module's code stands, as its functions name it."""
    file = import_module(f"migrator.{module}").__file__
    assert file
    return Path(file)
