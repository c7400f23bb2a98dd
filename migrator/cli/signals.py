"""Ctrl-C and SIGTERM while mail moves: the first lets the batch under way end, a second Ctrl-C ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from migrator.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from migrator.ui.console import Console

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(screen: Console, waits_for: Callable[[], str] = lambda: "") -> Iterator[threading.Event]:
    """Yield an event that is set when a person or the system wants an end; afterwards signals mean what they meant.

    ``waits_for`` says what there is to wait for at that moment, if more is known than that it is finished first.

    Ending at once is safe at any point: it is what a power cut does, and nothing is lost or doubled by one.
    """
    stop = threading.Event()

    def answer(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            try:
                screen.restore_terminal()
                screen.note("stopped at once; nothing is lost; run again to go on")
            finally:  # the first note may be half written, and a writer refuses to be entered twice
                os._exit(INTERRUPTED)
        if not stop.is_set():
            stop.set()
            reason = waits_for() or "what is under way is finished first"
            screen.note(f"stopping: {reason}; Ctrl-C once more ends at once")

    before = {number: signal.signal(number, answer) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
