"""What ends one run between two messages: for a person who wants that, or because the worker ends."""

from __future__ import annotations

import threading

from migrator.report import StoppedBy


class Stop(threading.Event):
    """Set once the run is to end; ``by`` says who was the first to want that."""

    def __init__(self) -> None:
        super().__init__()
        self.by = StoppedBy.SYSTEM

    def ask(self, by: StoppedBy) -> None:
        """Let the run end between two messages."""
        if not self.is_set():
            self.by = by
        self.set()
