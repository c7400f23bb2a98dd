"""The parsing workers of the page: a few processes, lent to one request each, and gone when nobody reads mail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from migrator.errors import FerryError, Kind
from migrator.parse.process import Parser

MOST = 2
"""Parsing workers at one time: each takes a core while it works, and some 30 MB."""
PATIENCE_SECONDS = 20.0
IDLE_SECONDS = 120.0


class Parsers:
    """The pool. It may be asked from any thread."""

    def __init__(
        self, make: Callable[[], Parser] = Parser, *, patience: float = PATIENCE_SECONDS, idle: float = IDLE_SECONDS
    ) -> None:
        self._make = make
        self._patience = patience
        self._idle_seconds = idle
        self._places = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[Parser] = []
        self._timer: threading.Timer | None = None

    @contextmanager
    def lent(self) -> Iterator[Parser]:
        """Lend a parser; raises ``temporary`` where all have been busy for a while."""
        if not self._places.acquire(timeout=self._patience):
            raise FerryError(Kind.TEMPORARY, "other messages are being read", cure="try again in a moment")
        try:
            with self._lock:
                parser = self._idle.pop() if self._idle else self._make()
            try:
                yield parser
            finally:
                self._take_back(parser)
        finally:
            self._places.release()

    def _take_back(self, parser: Parser) -> None:
        with self._lock:
            self._idle.append(parser)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._idle_seconds, self.close)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """End the parsers that nobody has; the next message starts one again."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for parser in idle:
            parser.close()
