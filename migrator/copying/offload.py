"""Copy in a child process when a run is large, so that storing has a core to itself.

What a ``Copier`` does to a message is mostly Python, of which one process runs one thread at a time. The child
(``offload_process``) has the same copier, of the same destination and ledger: it is handed batches and returns their
outcomes. It may die at any point, like any writer; the batch is then copied here, after the recovery that precedes
every batch. When this process dies, the child ends with the batch it is at. It is given no password.
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
"""Fewer messages are copied before a process of their own has paid for its start."""

_HANDED_OVER = ("mbox", "maildir")
"""What the child can write to: it is given no password, and no connection."""

_SIDES = 2  # of a run: a machine with fewer cores has none to spare


class BatchCopier(Protocol):
    """What copies batches to a destination: a ``Copier``, in this process or in a child."""

    def copy(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Make sure that the destination holds a proven copy of each message; see ``Copier.copy_batch``."""


class ChildCopierPool:
    """Shares one child process among the runs of this process, as long as there are any with enough to do."""

    def __init__(self, worth_it: int = OFFLOAD_FROM_MESSAGES) -> None:
        """Start nothing yet; from ``worth_it`` messages on, of all runs together, a child is worth its start."""
        self._worth_it = worth_it
        self._guard = threading.Lock()
        self._runs = 0
        self._messages = 0
        self._child: ChildCopier | None = None
        self._at_work = threading.Lock()

    @contextmanager
    def lent(self, copier: Copier, messages: int) -> Iterator[BatchCopier]:
        """Yield what copies that many messages to a destination: the copier, and the child whenever it is free."""
        if copier.destination.kind not in _HANDED_OVER or (os.cpu_count() or 1) < _SIDES:
            yield copier
            return
        self._begin(messages)
        try:
            yield _Shared(copier, self)
        finally:
            self._end()

    def _begin(self, messages: int) -> None:
        with self._guard:
            self._runs += 1
            self._messages += messages
            if self._child is None and self._messages >= self._worth_it:
                from migrator.copying.offload_process import ChildCopier  # few runs need one

                with suppress(OSError):  # the system gives no process: it is done here, then
                    self._child = ChildCopier()

    def _end(self) -> None:
        with self._guard:
            self._runs -= 1
            if not self._runs:
                self._messages = 0
                self._dismiss()

    def _dismiss(self) -> None:
        if self._child:
            self._child.dismiss()
        self._child = None

    def copy(self, copier: Copier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Let the child copy a batch if it has nothing else to do.

        What is not in memory is copied from here, and so is all the rest once the child has died: what it left
        half done is found like that of any writer that died.
        """
        is_in_memory = all(isinstance(message.body, LinesBody | PiecedBody) for message in batch)
        if is_in_memory and self._at_work.acquire(blocking=False):
            try:
                if self._child and self._child.has_room_for(batch):
                    return self._child.copy(copier, batch)
            except (BrokenPipeError, EOFError):
                with self._guard:
                    self._dismiss()
            finally:
                self._at_work.release()
        return copier.copy(batch)


class _Shared(NamedTuple):
    """Copies by the child when it is free."""

    copier: Copier
    child_copiers: ChildCopierPool

    def copy(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        return self.child_copiers.copy(self.copier, batch)
