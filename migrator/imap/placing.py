"""Where the messages of one batch stand, as far as that is known: a place or an error for each.

Pure. A server's word for a UID is taken only where it can be true: under the folder's UIDVALIDITY, not below the UID
that came next before the batch was sent, and not given to another message (DavMail swapped the numbers of APPENDUID).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from migrator.errors import FerryError
from migrator.imap.replies import StatusReply, parse_append_uid
from migrator.model import ImapLocator


class BatchPlaces:
    """The outcome of each message, by its place in the batch. ``anchor`` is where the first copy can stand at best."""

    def __init__(self, anchor: ImapLocator) -> None:
        self.anchor = anchor
        self.outcomes: dict[int, ImapLocator | FerryError] = {}
        self.unlocated: list[int] = []
        """What the server said to have stored without a place that can be believed."""
        self._claimed: set[int] = set()

    def take(self, reply: StatusReply, places: Sequence[int]) -> None:
        """Note where the copies of these messages stand, if the server's OK tells it and it can be."""
        append_uid = parse_append_uid(reply, count=len(places))
        if (
            append_uid is None
            or append_uid.uid_validity != self.anchor.uid_validity
            or min(append_uid.uids) < self.anchor.uid
            or not self._claimed.isdisjoint(append_uid.uids)
        ):
            self.unlocated.extend(places)
            return
        for place, uid in zip(places, append_uid.uids, strict=True):
            self.stand(place, uid)

    def stand(self, place: int, uid: int) -> None:
        """Note that the copy of a message has this UID."""
        self.outcomes[place] = ImapLocator(self.anchor.uid_validity, uid)
        self._claimed.add(uid)

    def refuse(self, places: Iterable[int], error: FerryError) -> None:
        """Note why these messages are not stored, as far as nothing is known of them."""
        for place in places:
            self.outcomes.setdefault(place, error)

    def folder_is(self, uid_validity: int) -> None:
        """Note the folder's UIDVALIDITY; with another one than before, copies may stand anywhere in it."""
        if uid_validity != self.anchor.uid_validity:
            self._claimed.clear()
            self.anchor = ImapLocator(uid_validity, 1)

    def is_free(self, uid: int) -> bool:
        """Say whether no message of this batch is known to stand under this UID."""
        return uid not in self._claimed

    @property
    def has_success(self) -> bool:
        """Whether any message stands in the folder."""
        return any(isinstance(outcome, ImapLocator) for outcome in self.outcomes.values())
