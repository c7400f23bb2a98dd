"""Which messages of a maildrop are those of which a copy was found: by what both ends show, never by a list alone.

A message is known if its program has noted its unique-id, and a copy, restored to what the server sent, has its octets
and its header digest, a Message-ID, and the unique-id where the program wrote that into the copy. All copies that it
could be have one content, and no more messages are like it than there are copies. A unique-id that is only the
message's number tells nothing. Anything else is retrieved, and its digest tells. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from migrator.adopting.restoring import RestoredMessage
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.digest import HeaderFacts
from migrator.model import Digest, HeaderDigest, ListedMessage, MessageNumber

Key = tuple[int, HeaderDigest]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a maildrop showed in one session: its listing, and the headers of what had been fetched by the program."""

    listing: tuple[ListedMessage, ...] = ()
    headers: Mapping[MessageNumber, HeaderFacts] = field(default_factory=dict)

    def keys(self) -> dict[MessageNumber, Key]:
        """Return octets and header digest of each message whose header was shown."""
        octets = {message.number: message.octets for message in self.listing}
        return {number: (octets[number], facts.digest) for number, facts in self.headers.items()}


@dataclass(slots=True)
class _Alike:
    """Copies of the same octets and headers: their contents, their unique-ids, how many stand in each place."""

    digests: set[Digest] = field(default_factory=set)
    unique_ids: set[bytes] = field(default_factory=set)
    in_place: Counter[str] = field(default_factory=Counter)


class Copies:
    """The copies of one account that were found."""

    def __init__(self) -> None:
        """Begin with none."""
        self._alike: defaultdict[Key, _Alike] = defaultdict(_Alike)

    def add(self, copy: RestoredMessage, place: str) -> None:
        """Add one that stands at a place; the same copy may stand at several."""
        message = copy.message
        if not message.message_id:
            return
        alike = self._alike[message.octets, message.header_digest]
        alike.digests.add(message.digest)
        alike.in_place[place] += 1
        if copy.unique_id:
            alike.unique_ids.add(copy.unique_id)

    def recognised(
        self, shown: Shown, fetched: Collection[bytes], noted: Callable[[bytes], bytes]
    ) -> list[tuple[MessageNumber, Digest]]:
        """Return which listed messages need not be retrieved, each with its content."""
        unique_ids = {message.number: noted(message.unique_id) for message in shown.listing if is_telling(message)}
        numbers: defaultdict[Key, list[MessageNumber]] = defaultdict(list)
        for number, key in shown.keys().items():
            if key in self._alike:
                numbers[key].append(number)
        found = (pair for key, alike in numbers.items() for pair in self._pairs(key, alike, unique_ids))
        return [(number, digest) for number, digest in found if unique_ids[number] in fetched]

    def _pairs(
        self, key: Key, numbers: Sequence[MessageNumber], unique_ids: Mapping[MessageNumber, bytes]
    ) -> Iterator[tuple[MessageNumber, Digest]]:
        alike = self._alike[key]
        if len(alike.digests) != 1 or len(numbers) > max(alike.in_place.values()):
            return
        [digest] = alike.digests
        for number in numbers:
            unique_id = unique_ids.get(number)
            if unique_id is not None and (not alike.unique_ids or unique_id in alike.unique_ids):
                yield number, digest


def is_telling(message: ListedMessage) -> bool:
    """Say whether a unique-id is more than nothing, or the message's number."""
    return message.unique_id not in (b"", str(message.number).encode())


@dataclass(frozen=True, slots=True)
class Owner:
    """An account as far as it matters to whose mail a copy is: its name, its marks, what its maildrop shows."""

    name: str
    marks: frozenset[str]
    keys: frozenset[Key]


def owners_of(copy: RestoredMessage, owners: Sequence[Owner]) -> frozenset[str]:
    """Return whose a copy in a place is that these accounts share: the first of them where nothing tells.

    What their maildrops show tells most, then the program's mark in the copy.
    """
    key = (copy.message.octets, copy.message.header_digest)
    if shown := frozenset(owner.name for owner in owners if key in owner.keys):
        return shown
    marked = [owner.name for owner in owners if copy.mark and copy.mark in owner.marks]
    return frozenset(marked[:1] or [owner.name for owner in owners[:1]])
