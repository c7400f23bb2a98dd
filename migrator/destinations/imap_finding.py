"""What stands in a mailbox and is not known as a copy, and whose message it is: looking before storing.

The mailbox is listed once (UID, RFC822.SIZE and Message-ID), from then on only what is new in it; the ledger remembers
the strangers. Bodies are read only of candidates: those of the same Message-ID and of a size that a copy can have. What
has no Message-ID must have just the size, unless such candidates are few. Each stranger stands for one message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from migrator.copy_records import Found, KnownPlaces, Lost, Moved, Relocated, Stranger
from migrator.imap.find_copies import Glance, Portrait, SoughtCopy, copy_key_of, message_key, pair
from migrator.imap.folder_view import Folder
from migrator.imap.mailbox import MANY, Mailbox
from migrator.message.body import Message
from migrator.model import CopyState, ImapLocator, Proof

_LISTED_AT_ONCE = 5_000
_MOVED_AT_ONCE = 200
_PORTRAITS = 20_000
"""How many candidates that turned out to be nobody's copy are remembered by their looks (some 500 bytes each)."""


class Finder:
    """Looks through one mailbox in one run; ``known`` is what the ledger knows of it."""

    def __init__(self, mailbox: Mailbox, *, is_rebuilding: bool) -> None:
        """Look through ``mailbox``; a server that ``is_rebuilding`` messages may show copies of any size."""
        self._mailbox = mailbox
        self.is_rebuilding = is_rebuilding
        self._seen = ImapLocator(0, 0)
        """Below this UID nothing is left to look at."""
        self._portraits: dict[int, Portrait] = {}

    def look_through(self, folder: Folder, known: KnownPlaces) -> None:
        """Have ``known`` remember what stands in the folder, which was just looked at, and is no copy."""
        validity = folder.uid_validity
        if self._seen.uid_validity != validity:
            self._seen = ImapLocator(validity, known.seen_up_to(validity))
            self._portraits = {}
        if self._seen.uid >= folder.uid_next:
            return
        if folder.exists:
            self._list(known)
        known.seen(validity, folder.uid_next, ())
        self._seen = ImapLocator(validity, folder.uid_next)

    def _list(self, known: KnownPlaces) -> None:
        validity, first = self._seen
        pending: list[Stranger] = []

        def take(glance: Glance) -> None:
            pending.append(Stranger(glance.uid, glance.size, glance.key))
            if len(pending) >= _LISTED_AT_ONCE:
                known.seen(validity, first, pending)
                pending.clear()

        self._mailbox.glance(first, take)
        known.seen(validity, first, pending)

    def stored(self, places: Iterable[ImapLocator]) -> None:
        """Note what this run itself has stored: where nothing came in between, nothing of it is left to look at."""
        validity, first = self._seen
        uids = {place.uid for place in places if place.uid_validity == validity}
        if uids and min(uids) == first and max(uids) - first + 1 == len(uids):
            self._seen = ImapLocator(validity, max(uids) + 1)

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> list[Found]:
        """Tell which of the messages stand in the folder that was looked through, each at its own place."""
        of_key = _by_key(
            known.strangers(
                {message_key(message.message_id) for message in messages},
                {(message.octets, message.octets) for message in messages},
            )
        )
        chances = {message.digest: _chances(message, of_key) for message in messages}
        search = _Search(self, known)
        search.want([message for message in messages if chances[message.digest]])
        if not self.is_rebuilding:
            search.among(lambda one: [each.uid for each in chances[one.digest] if each.octets == one.octets])
        search.among(lambda one: [each.uid for each in chances[one.digest] if self._is_possible(one, each.octets)])
        nameless = [message for message in messages if not message.message_id]
        few = known.strangers((), {_altered_sizes(message.octets) for message in nameless})
        if 0 < len(few) < MANY:
            search.want(nameless)
            search.among(lambda one: [each.uid for each in few if self._is_possible(one, each.octets)])
        return search.found

    def _is_possible(self, wanted: SoughtCopy, size: int) -> bool:
        least, most = wanted.size_range
        return self.is_rebuilding or least <= size <= most

    def portraits(self, uids: Collection[int], known: KnownPlaces) -> dict[int, Portrait]:
        """Return what these messages look like; what is not there any more is forgotten."""
        unread = sorted(set(uids) - self._portraits.keys())
        read, gone = self._mailbox.portraits(self._seen.uid_validity, unread)
        if gone:
            known.strangers_gone(gone)
        looks = self._portraits | read
        self._portraits = looks if len(looks) <= _PORTRAITS else read
        return {uid: looks[uid] for uid in uids if uid in looks}

    def place(self, uid: int) -> ImapLocator:
        """Return where a message stands that no other message may have now."""
        self._portraits.pop(uid, None)
        return ImapLocator(self._seen.uid_validity, uid)

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        """Tell where copies stand now that were stored under another UIDVALIDITY.

        First what has equal bytes, then what the server had altered from the start; what is left is lost. Each group
        must be noted before the next is asked for.
        """
        validity = self._seen.uid_validity
        for group in _groups(known.moved(validity)):
            yield self._equal(group, known)
        for group in _groups(known.moved(validity)):
            found = self._altered([copy for copy in group if _may_be_altered(copy)], known)
            again = {one.copy_id for one in found}
            yield [*found, *(lost(copy) for copy in group if copy.copy_id not in again)]

    def _equal(self, moved: Sequence[Moved], known: KnownPlaces) -> list[Relocated]:
        wanted = [SoughtCopy(copy.digest, copy.octets, None) for copy in moved]
        keys = {message_key(copy.message_id) for copy in moved}
        sizes = {copy.octets for copy in moved}
        strangers = known.strangers(keys, {(size, size) for size in sizes})
        likely = [one.uid for one in strangers if self.is_rebuilding or one.octets in sizes]
        pairs = pair(wanted, self.portraits(likely, known), is_rebuilding=False)
        return [Relocated(moved[at].copy_id, self.place(uid)) for at, uid in pairs.items()]

    def _altered(self, moved: Sequence[Moved], known: KnownPlaces) -> list[Relocated]:
        named = known.strangers({message_key(copy.message_id) for copy in moved}, ())
        nameless = known.strangers((), {_altered_sizes(copy.octets) for copy in moved})
        strangers = [*named, *nameless] if len(nameless) < MANY else named
        portraits = self.portraits([one.uid for one in strangers], known)
        pairs = pair_altered(moved, portraits)
        return [Relocated(moved[at].copy_id, self.place(uid)) for at, uid in pairs.items()]


class _Search:
    """A search for the copies of some messages, in steps: what one step has found the next does not look for."""

    def __init__(self, finder: Finder, known: KnownPlaces) -> None:
        self.found: list[Found] = []
        self.left: list[SoughtCopy] = []
        self._finder = finder
        self._known = known
        self._messages: dict[bytes, Message] = {}
        self._taken: set[int] = set()

    def want(self, messages: Iterable[Message]) -> None:
        """Look for these from now on, as far as they were not found yet."""
        known = {one.digest for one in self.found}
        self._messages = {message.digest: message for message in messages if message.digest not in known}
        self.left = [SoughtCopy(one.digest, one.octets, copy_key_of(one)) for one in self._messages.values()]

    def among(self, candidates: Callable[[SoughtCopy], Iterable[int]]) -> None:
        """Look among the candidates that each of the messages has."""
        uids = {uid for one in self.left for uid in candidates(one)} - self._taken
        if not uids:
            return
        finder = self._finder
        pairs = pair(self.left, finder.portraits(uids, self._known), is_rebuilding=finder.is_rebuilding)
        for at, uid in pairs.items():
            message = self._messages[self.left[at].digest]
            place = finder.place(uid)
            self.found.append(Found(message.digest, message.header_digest, message.message_id, message.octets, place))
        self._taken.update(pairs.values())
        self.left = [one for at, one in enumerate(self.left) if at not in pairs]


def pair_altered(moved: Sequence[Moved], portraits: dict[int, Portrait]) -> dict[int, int]:
    """Pair copies that their server had altered (by their places in ``moved``) with UIDs, without any original.

    An equal header digest counts first, then an equal Message-ID; either only where just one copy and just one
    candidate have it, for nothing else tells them apart.
    """
    pairs = _only_pairs(
        {at: copy.header_digest for at, copy in enumerate(moved)},
        {uid: look.header.digest for uid, look in portraits.items()},
    )
    return pairs | _only_pairs(
        {at: message_key(copy.message_id) for at, copy in enumerate(moved) if at not in pairs},
        {uid: message_key(portraits[uid].header.message_id) for uid in portraits.keys() - set(pairs.values())},
    )


def _only_pairs(ours: dict[int, bytes], theirs: dict[int, bytes]) -> dict[int, int]:
    copies, candidates = _by_look(ours), _by_look(theirs)
    return {
        places[0]: candidates[look][0]
        for look, places in copies.items()
        if look and len(places) == len(candidates.get(look, ())) == 1
    }


def _by_look(looks: dict[int, bytes]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for one, look in looks.items():
        found.setdefault(look, []).append(one)
    return found


def _altered_sizes(octets: int) -> tuple[int, int]:
    """Return between which sizes a copy stays whose server altered it: carriage returns go, a final line end comes."""
    return octets // 2, octets + 2


def _may_be_altered(copy: Moved) -> bool:
    """Say whether a copy's bytes are not, or may not be, those of its digest."""
    return copy.proof in (Proof.CANONICAL, Proof.SEMANTIC) or copy.state in (CopyState.UNPROVEN, CopyState.STORED)


def lost(copy: Moved) -> Lost:
    """Return the finding that a copy is nowhere in its mailbox."""
    return Lost(copy.copy_id, copy.locator, copy.state is CopyState.VERIFIED)


def _groups(copies: Iterator[Moved]) -> Iterator[list[Moved]]:
    while group := list(islice(copies, _MOVED_AT_ONCE)):
        yield group


def _by_key(strangers: Iterable[Stranger]) -> dict[bytes, list[Stranger]]:
    found: dict[bytes, list[Stranger]] = {}
    for one in strangers:
        found.setdefault(one.message_id, []).append(one)
    return found


def _chances(message: Message, strangers: dict[bytes, list[Stranger]]) -> list[Stranger]:
    """Return the strangers that may be a copy: of its Message-ID, or of its very size and without one."""
    key = message_key(message.message_id)
    nameless = [one for one in strangers.get(b"", ()) if one.octets == message.octets]
    return [*strangers.get(key, ()), *nameless] if key else nameless
