"""What of a retrieval is in flight, and when the next barrier is due; its octets and messages are bounded.

A barrier is a STAT that goes along with the RETRs: behind the first message, then at distances that double.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from migrator.pop3.retrieved import ToRetrieve

WINDOW_COMMANDS: Final = 4000
"""RETRs in flight: fewer cost up to three times the wall time at 100 ms (docs/performance.md)."""

WINDOW_OCTETS: Final = 32 * 1024 * 1024
BARRIER_MESSAGES: Final = 256
BARRIER_OCTETS: Final = 4 * 1024 * 1024
LOCK_STEP_BARRIER_MESSAGES: Final = 16
"""A server that is asked one command at a time may have lost step before: little is to be taken back then."""


class Unsaid:
    """The messages that are still to be asked for; the next one may be looked at before it is taken."""

    def __init__(self, wanted: Iterator[ToRetrieve]) -> None:
        self.is_exhausted = False
        self._wanted = wanted
        self._next: ToRetrieve | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, and nothing is held back."""
        return self._next is None and self.is_exhausted

    def peek(self) -> ToRetrieve | None:
        """Return the next message, None when there is none."""
        if self._next is None:
            self._next = next(self._wanted, None)
            self.is_exhausted = self._next is None
        return self._next

    def take(self) -> None:
        """Be done with the message that was looked at."""
        self._next = None

    def end(self) -> None:
        """Ask for nothing more."""
        self._wanted, self._next, self.is_exhausted = iter(()), None, True


class Window:
    """RETRs that were said and not answered, and what no barrier stands behind yet."""

    def __init__(self, *, is_pipelined: bool) -> None:
        self.unconfirmed = 0
        """How many RETRs were said behind the last barrier."""
        self.has_flown = False
        """Whether commands were, or might have been, sent before the one before them was answered."""
        self._messages: deque[ToRetrieve] = deque()
        self._octets = 0
        self._unconfirmed_octets = 0
        self._distance = 1
        self._longest_distance = BARRIER_MESSAGES if is_pipelined else LOCK_STEP_BARRIER_MESSAGES

    @property
    def next(self) -> ToRetrieve:
        """The message whose reply comes next."""
        return self._messages[0]

    @property
    def is_barrier_due(self) -> bool:
        """Whether a barrier is to be said before the next RETR."""
        return self.unconfirmed >= self._distance or self._unconfirmed_octets >= BARRIER_OCTETS

    def has_room_for(self, octets: int) -> bool:
        """Say whether a message fits; any does when nothing is in flight."""
        return not self._octets or self._octets + octets <= WINDOW_OCTETS

    def add(self, wanted: ToRetrieve) -> None:
        """Note that a RETR is said."""
        self._messages.append(wanted)
        self._octets += wanted.octets
        self.unconfirmed += 1
        self._unconfirmed_octets += wanted.octets

    def landed(self) -> ToRetrieve:
        """Note that the next message was answered, in full."""
        wanted = self._messages.popleft()
        self._octets -= wanted.octets
        return wanted

    def barrier_said(self) -> None:
        """Note that a barrier is said; the next one stands twice as far behind it as this one did."""
        if self.unconfirmed >= self._distance:
            self._distance = min(2 * self._distance, self._longest_distance)
        self.unconfirmed = 0
        self._unconfirmed_octets = 0
