"""Which of the planned messages one session retrieves, in which order, and what it leaves to the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from migrator.model import MessageRow
from migrator.run.counters import RunCounters
from migrator.run.plan import Column, PlannedMessage
from migrator.run.portion import Portion, beginning
from migrator.run.suspects import Suspects

SLICE_SECONDS = 300.0
"""After so long a session that deletes comes to its QUIT, so that a dropped line undoes little."""


class Selection:
    """A portion of a plan. Messages over which a session ended come when nothing else is left."""

    def __init__(
        self, suspects: Suspects, counters: RunCounters, portion: Portion, *, idle: int, may_take_long: bool
    ) -> None:
        """Take at most a portion, after ``idle`` sessions in a row that achieved nothing."""
        self.tried: list[MessageRow] = []
        """The suspected messages that the session takes."""
        self.has_left_suspects = False
        self._suspects = suspects
        self._counters = counters
        self._portion = portion
        self._idle = idle
        self._may_take_long = may_take_long
        self._began = time.monotonic()
        self._has_taken_all = False
        self._has_put_off = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing but suspected messages is left to another session."""
        return self._has_taken_all and not self._has_put_off

    def for_headers(self, due: Column) -> tuple[Column, Column]:
        """Return what this session proves by headers, and what waits to be proven by content at the very end."""
        portion, held = Column(), Column()
        for message in due:
            into = portion if self._suspects.are_without(message.row) else held
            into.append(*message)
        self._has_put_off = portion.cut(self._portion.most) > 0
        return portion, held

    def messages(self, columns: Sequence[Column], taken: int) -> Iterator[PlannedMessage]:
        """Yield what to retrieve: a portion, of which the session has ``taken`` some, and not for too long.

        Suspected messages come only when nothing else is left: then a session may as well begin with them.
        """
        held: list[PlannedMessage] = []
        for message in self._in_turn(columns):
            if message.row in self._suspects:
                held.append(message)
            elif self._is_worth_trying(message.row):
                if self._is_long_enough(taken):
                    return
                taken += 1
                yield message
        self._has_taken_all = True
        if not taken and not self._has_put_off:
            self.tried = [message.row for message in held[: self._portion.most]]
        self.has_left_suspects = len(held) > len(self.tried)
        yield from held[: len(self.tried)]

    def _in_turn(self, columns: Sequence[Column]) -> Iterator[PlannedMessage]:
        """Yield all messages once, beginning where the last sessions did not begin in vain.

        After two in vain it is enough to come to a QUIT: then the first ones wait for the next session.
        """
        place = beginning(self._idle, sum(map(len, columns)))
        yield from islice(chain(*columns), place, None)
        if self._idle < 2:
            yield from islice(chain(*columns), place)
        elif place:
            self._has_put_off = True

    def _is_worth_trying(self, row: MessageRow) -> bool:
        """Say whether to retrieve a message: in a portion there is no room for what has failed in this run."""
        has_failed = self._portion.is_limited and self._counters.has_failed(row)
        return self._suspects.are_without(row) and not has_failed

    def _is_long_enough(self, taken: int) -> bool:
        """Say whether to come to QUIT now: for the time passed only where that confirms deletions."""
        if taken >= self._portion.most:
            return True
        return not self._may_take_long and time.monotonic() - self._began > SLICE_SECONDS
