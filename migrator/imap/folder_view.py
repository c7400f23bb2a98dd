"""What is known of the folder that a connection has open: as it was shown, and what we have stored since. Pure.

UIDs only ascend (RFC 9051, section 2.3.1.1). So a folder that ended where our batch began, and gave it UIDs without a
gap, ends behind it: nothing can stand below that end which was not seen, and an intent may name it.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrator.lazy_dataclasses import dataclass, replace
from migrator.model import ImapLocator

A_MOMENT = 5.0
"""Seconds after which a folder is looked at again in any case: others write to it, too, and take away."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox as EXAMINE or SELECT shows it now. ``kept_flags`` is PERMANENTFLAGS (RFC 9051, section 7.1)."""

    uid_validity: int
    uid_next: int
    exists: int
    kept_flags: frozenset[bytes]


class FolderView:
    """The folder over one connection after another; ``clock`` values are in seconds."""

    def __init__(self) -> None:
        self.now: Folder | None = None
        """The folder, as long as it need not be looked at before it is read."""
        self._left: Folder | None = None
        self._looked_at = 0.0

    def looked(self, folder: Folder, clock: float) -> None:
        """Note how the folder was shown just now."""
        self.now, self._left, self._looked_at = folder, None, clock

    def stale(self) -> None:
        """Note that the next reading is to see what is there then."""
        self.now = None

    def closed(self) -> None:
        """Note that no connection has the folder open."""
        self.now = self._left = None

    def stored(self, places: Sequence[ImapLocator]) -> None:
        """Note where the messages of a batch stand that was begun at the end of the folder as it was last shown."""
        seen, uids = self.now, {place.uid for place in places}
        if seen is None or not uids or any(place.uid_validity != seen.uid_validity for place in places):
            return
        if min(uids) == seen.uid_next and max(uids) - seen.uid_next + 1 == len(uids):
            self._left = replace(seen, uid_next=max(uids) + 1, exists=seen.exists + len(uids))

    def as_left(self, clock: float) -> Folder | None:
        """Return the folder as our last batch has left it; None where it must be looked at. It counts once."""
        left, self._left = self._left, None
        if left is None or not self._looked_at <= clock <= self._looked_at + A_MOMENT:
            return None
        self.now = left
        return left
