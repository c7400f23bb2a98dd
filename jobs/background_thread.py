"""A thread beside the runs: it works off what is news, rests in between, and ends when asked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

Rest = float | None
"""Seconds to wait for news before working again; None: as long as there is none."""


class BackgroundThread(ABC):
    """Calls ``work_once`` again and again, whenever there is news, or the rest it asked for is over."""

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._is_news = threading.Event()
        self._is_news.set()  # what an earlier start left
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @abstractmethod
    def work_once(self) -> Rest:
        """Do what there is to do, and say how long to rest."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def has_news(self) -> None:
        """End the rest."""
        self._is_news.set()

    def takes_news(self) -> bool:
        """Tell whether there is news, which is none any more from now on."""
        if not self._is_news.is_set():
            return False  # and nothing is cleared: what comes just now is for the next turn
        self._is_news.clear()
        return True

    def stop(self, seconds: float) -> bool:
        """End after the work under way; returns whether that took less than so long."""
        self._stop.set()
        self._is_news.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Tell whether the thread lives."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._is_news.wait(self.work_once())
