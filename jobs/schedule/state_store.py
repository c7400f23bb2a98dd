"""Where the worker keeps what it must not forget, in a form that never fails: what the ledger cannot take now waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Protocol

from jobs.log import say
from migrator.errors import FerryError

Fact = dict[str, object]
"""Something remembered: a flat JSON object."""


class StateStore(Protocol):
    """Facts by topic and name, durable when a method returns; ``migrator.ledger.schedule`` keeps them."""

    def get_all(self, topic: str) -> dict[str, Fact]:
        """Return every fact of a topic, by name."""

    def each(self, topic: str) -> Iterator[tuple[str, Fact]]:
        """Yield every fact of a topic with its name; not all are in memory at one time."""

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact in place of what was known under that name."""

    def put_all(self, topic: str, facts: Mapping[str, Mapping[str, object]]) -> None:
        """Remember facts in place of what was known under their names: all of them or none."""

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

    def each(self, topic: str) -> Iterator[tuple[str, Fact]]:
        """Yield every fact of a topic, the unwritten ones included; raises when the ledger cannot be read."""
        with self._lock:
            unwritten = {name: fact for (of, name), fact in self._unwritten.items() if of == topic}
        yield from ((name, fact) for name, fact in self._durable.each(topic) if name not in unwritten)
        yield from ((name, fact) for name, fact in unwritten.items() if fact is not None)

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact, durably if the ledger can take it."""
        self.put_all(topic, {name: fact})

    def put_all(self, topic: str, facts: Mapping[str, Mapping[str, object]]) -> None:
        """Remember facts, durably if the ledger can take them."""
        with self._lock:
            for name, fact in facts.items():
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
            for topic in {topic for topic, _ in self._unwritten}:
                self._write_topic(topic)
        except FerryError as error:
            if not self.problem:
                say("worker.notes.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))
            self.problem = str(error)
        else:
            self.problem = ""

    def _write_topic(self, topic: str) -> None:
        facts = {name: fact for (of, name), fact in self._unwritten.items() if of == topic}
        if known := {name: fact for name, fact in facts.items() if fact is not None}:
            self._durable.put_all(topic, known)
        for name, fact in facts.items():
            if fact is None:
                self._durable.delete(topic, name)
            del self._unwritten[topic, name]
