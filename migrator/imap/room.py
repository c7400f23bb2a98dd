"""What a mailbox's quota leaves, asked as seldom as may be."""

from __future__ import annotations

from collections.abc import Callable


class Room:
    """Octets that may still be stored, counted down by what was announced since the server said so."""

    def __init__(self) -> None:
        self._octets: int | None = None
        self._has_asked = False

    def take(self, octets: int, quota: Callable[[], tuple[int, int] | None]) -> int | None:
        """Return how many octets are left before ``octets`` are stored; None where there is no quota.

        ``quota`` gives octets used and allowed. It is asked once, and again when what was stored since then may have
        used it up.
        """
        if not self._has_asked or (self._octets is not None and octets > self._octets):
            used_and_allowed = quota()
            self._octets = None if used_and_allowed is None else max(used_and_allowed[1] - used_and_allowed[0], 0)
            self._has_asked = True
        left = self._octets
        if left is not None:
            self._octets = left - octets
        return left
