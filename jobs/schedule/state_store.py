"""Where the worker keeps what it must not forget, in a form that never fails: what the ledger cannot take now waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Protocol

from jobs.log import say
from migrator.errors import FerryError

Fact = dict[str, object]
"""Something remembered: a flat JSON object."""


class StateStore(Protocol):
    """Facts by topic and name, durable when a method returns; ``migrator.ledger.schedule`` keeps them."""

    def get_all(self, topic: str) -> dict[str, Fact]:
        """Return every fact of a topic, by name."""

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact in place of what was known under that name."""

    def delete(self, topic: str, name: str) -> None:
        """Forget a fact; harmless when there is none."""


class BufferedStateStore:
    """A store in front of the ledger's: the worker goes on when the ledger cannot write."""

    def __init__(self, durable: StateStore) -> None:
        self._durable = durable
        self._lock = threading.Lock()
        self._unwritten: dict[tuple[str, str], Fact | None] = {}
        self.problem = ""
        """Why the last write failed; ``""`` when all is written."""

    def get_all(self, topic: str) -> dict[str, Fact]:
        """Return every fact of a topic, the unwritten ones included; raises when the ledger cannot be read."""
        with self._lock:
            facts = self._durable.get_all(topic)
            for (of, name), fact in self._unwritten.items():
                if of == topic and fact is not None:
                    facts[name] = fact
                elif of == topic:
                    facts.pop(name, None)
            return facts

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact, durably if the ledger can take it."""
        with self._lock:
            self._unwritten[topic, name] = dict(fact)
            self._write()

    def delete(self, topic: str, name: str) -> None:
        """Forget a fact, durably if the ledger can."""
        with self._lock:
            self._unwritten[topic, name] = None
            self._write()

    def catch_up(self) -> None:
        """Try once more to write what could not be written."""
        with self._lock:
            if self._unwritten:
                self._write()

    def _write(self) -> None:
        try:
            for (topic, name), fact in list(self._unwritten.items()):
                if fact is None:
                    self._durable.delete(topic, name)
                else:
                    self._durable.put(topic, name, fact)
                del self._unwritten[topic, name]
        except FerryError as error:
            if not self.problem:
                say("worker.notes.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))
            self.problem = str(error)
        else:
            self.problem = ""
