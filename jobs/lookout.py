"""Looks at everything now and then, in a thread of its own, and tells people what has changed.

A look goes through all accounts: with many of them, or a ledger or a folder that answers slowly, it takes minutes.
Nothing waits for it; what must be answered at once is done by the main thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

from jobs.background_thread import BackgroundThread, Rest
from jobs.log import say
from jobs.schedule.workers import Liveness
from migrator.config import Account, Config
from migrator.config.many_accounts import ManyAccounts
from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import replace

SECONDS = 10.0
NAME = "look at the accounts"

IsOver = Callable[[], bool]


class LookEndedError(Exception):
    """A look had to end before it was through; nobody hears anything from it."""


class Lookout(BackgroundThread):
    """The thread; ``look(is_over)`` is to end soon after ``is_over()`` is true, with ``LookEndedError``."""

    def __init__(self, look: Callable[[IsOver], None], liveness: Liveness) -> None:
        super().__init__("lookout")
        self._look = look
        self._liveness = liveness

    def work_once(self) -> Rest:
        """Look, but for the first time: the runs that begin with the process are to say something first."""
        if self.takes_news():
            return SECONDS
        self._liveness.beat(NAME)
        try:
            with contained(), suppress(LookEndedError):
                self._look(self._stop.is_set)
        except FerryError as error:  # the ledger cannot be read now; the runs say so, each for itself
            say("worker.look.failed", level=logging.ERROR, kind=str(error.kind), problem=str(error))
        finally:
            self._liveness.rest(NAME)
        return SECONDS


def until(is_over: IsOver, config: Config) -> Config:
    """Return the configuration, whose accounts can be gone through until it is over; then ``LookEndedError``."""
    return replace(config, accounts=_UntilOver(config, is_over))


class _UntilOver(ManyAccounts):
    def __init__(self, config: Config, is_over: IsOver) -> None:
        self._config = config
        self._is_over = is_over

    def __len__(self) -> int:
        return len(self._config.accounts)

    def __iter__(self) -> Iterator[Account]:
        for account in self._config.accounts:
            if self._is_over():
                raise LookEndedError
            yield account

    def names(self) -> Iterator[str]:
        return self._config.names()

    def named(self, name: str) -> Account | None:
        return self._config.named(name)

    def _at(self, number: int) -> Account:
        return self._config.accounts[number]
