"""The storing side of a large run in a process of its own, so that it has a core to itself.

What a ``Copier`` does to a message is mostly Python, of which one process runs one thread at a time. A porter
(``migrator.copying.offload_process``) is the same carrier, of the same destination and ledger, in another process: it is handed
batches and gives their outcomes. Nothing rests on it. It may die at any point, like any writer, and what it left is
found by the next; when this process dies, it ends with the batch it is at. No password goes there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from migrator.copying.copier import Copier, Outcome
from migrator.message.body import LinesBody, Message, PiecedBody

if TYPE_CHECKING:
    from migrator.copying.offload_process import ChildCopier

OFFLOAD_FROM_MESSAGES = 4_000
"""Fewer messages are brought home before a process of their own has paid for its start."""

_SIDES = 2  # of a run: a machine with fewer cores has none to spare


class BatchCopier(Protocol):
    """Whoever brings batches to a destination: a ``Copier``, here or apart."""

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Make sure that the destination holds a proven copy of each message; see ``Copier.bring``."""


class ChildCopierPool:
    """Shares one porter among the runs of this process, as long as there are any with enough to do."""

    def __init__(self, worth_it: int = OFFLOAD_FROM_MESSAGES) -> None:
        """Start nothing yet; so many messages, of all runs together, are worth a porter."""
        self._worth_it = worth_it
        self._guard = threading.Lock()
        self._runs = 0
        self._messages = 0
        self._porter: ChildCopier | None = None
        self._at_work = threading.Lock()

    @contextmanager
    def lent(self, carrier: Copier, messages: int) -> Iterator[BatchCopier]:
        """Yield who is to bring so many messages to a destination: the carrier, and the porter whenever it is free."""
        if carrier.destination.kind == "imap" or (os.cpu_count() or 1) < _SIDES:
            yield carrier
            return
        self._begin(messages)
        try:
            yield _Shared(carrier, self)
        finally:
            self._end()

    def _begin(self, messages: int) -> None:
        with self._guard:
            self._runs += 1
            self._messages += messages
            if self._porter is None and self._messages >= self._worth_it:
                from migrator.copying.offload_process import ChildCopier  # few runs need one

                with suppress(OSError):  # the system gives no process: it is done here, then
                    self._porter = ChildCopier()

    def _end(self) -> None:
        with self._guard:
            self._runs -= 1
            if not self._runs:
                self._messages = 0
                self._dismiss()

    def _dismiss(self) -> None:
        if self._porter:
            self._porter.dismiss()
        self._porter = None

    def bring(self, carrier: Copier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Let the porter bring a batch if it has nothing else to do.

        What is not in memory is brought from here, and so is all the rest once the porter has died: what it left
        half done is found like that of any writer that died.
        """
        is_in_memory = all(isinstance(message.body, LinesBody | PiecedBody) for message in batch)
        if is_in_memory and self._at_work.acquire(blocking=False):
            try:
                if self._porter:
                    return self._porter.bring(carrier, batch)
            except (BrokenPipeError, EOFError):
                with self._guard:
                    self._dismiss()
            finally:
                self._at_work.release()
        return carrier.bring(batch)


class _Shared(NamedTuple):
    """Brings by the porter when it is free."""

    carrier: Copier
    porters: ChildCopierPool

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        return self.porters.bring(self.carrier, batch)
