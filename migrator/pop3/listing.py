"""What the maildrop holds: STAT, LIST and UIDL (RFC 1939, sections 5 and 7), kept as the bytes that came.

A listing of a million messages is some tens of megabytes of text and no Python object more; it is understood line by
line when somebody iterates, and a poll that finds its fingerprint unchanged never does. Growth is bound to what STAT
announced, generously, because STAT is known to lie.

One odd line costs one message at most what the line should have told. Without a readable size a message is announced
with 0 octets; with no unique-id, two, or one that is far too long, it has none, and its content tells what it is. Only
a line of LIST without a message number hides a message: the listing's ``doubt`` names it. Where most lines are odd the
reply is that to another command.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from enum import Enum, auto
from hashlib import sha256
from operator import lt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from migrator.errors import FerryError
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.pop3.columns import MAX_LINE, OddLines, Text, as_numbers, entry_of
from migrator.pop3.connection import Conversation
from migrator.pop3.protocol import BodyEnds, BodyPart, Reply, Verb, out_of_step
from migrator.pop3.refusals import Stage, refusal
from migrator.pop3.replies import Stat, parse_stat

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

_MISSING = (1 << 64) - 1
_AMBIGUOUS = _MISSING - 1
"""UIDL gives a message two unique-ids: it has none then."""


def entries_allowed(stat: Stat) -> int:
    """Return how many messages may be listed (and the highest number) when STAT announced ``stat``."""
    return 2 * stat.count + 10_000


class Listing:
    """What LIST and UIDL said, joined by message number; iterate as often as needed, also several at once.

    ``octets`` is what STAT announced for all. ``fingerprint`` (SHA-256 over both texts) is equal exactly if the server
    listed the same bytes again. Iterating raises ``protocol`` where a reply makes no sense as a whole.
    """

    def __init__(self, stat: Stat, sizes: Text, unique_ids: Text | None, fingerprint: bytes) -> None:
        self.stat = stat
        self.fingerprint = fingerprint
        self._size_text = sizes
        self._id_text = unique_ids
        self._odd = OddLines(Verb.LIST)
        self._sizes: array[int] | None = None
        self._id_offsets: array[int] | None = None

    @property
    def count(self) -> int:
        """How many messages LIST names; a number that it names twice is one message."""
        sizes = self._known_sizes()
        return len(sizes) - sizes.count(_MISSING)

    @property
    def octets(self) -> int:
        """What STAT announced for all messages together."""
        return self.stat.octets

    @property
    def has_unique_ids(self) -> bool:
        """Whether the server answered UIDL."""
        return self._id_text is not None

    @property
    def doubt(self) -> FerryError | None:
        """The lines of LIST that name no message, if there are any: what this listing does not show."""
        self._known_sizes()
        return self._odd.doubt()

    def __iter__(self) -> Iterator[ListedMessage]:
        unique_ids = self._unique_ids(len(self._known_sizes()))
        number, unique_id = next(unique_ids, (0, b""))
        for listed, octets in self._named():
            while number and number < listed:
                number, unique_id = next(unique_ids, (0, b""))
            found = unique_id if number == listed else b""
            yield ListedMessage(MessageNumber(listed), UniqueId(found), octets)

    def shows(self, now: Listing, marked: set[MessageNumber]) -> Marked:
        """Say what a listing that was taken later in the session shows of the messages ``marked`` for deletion.

        Raises ``protocol`` unless it names every message that is not marked, and all of those that are or none.
        """
        still = {number for number, _ in now._named()}
        kept = {number for number, _ in self._named()} - marked
        if not kept <= still:
            raise out_of_step(f"messages that were not deleted are no longer listed: {len(kept - still)}", b"")
        match len(marked & still):
            case 0:
                return Marked.GONE
            case count if count == len(marked):
                return Marked.SHOWN
            case count:
                raise out_of_step(f"deleted messages are still listed: {count} of {len(marked)}", b"")

    def close(self) -> None:
        """Let go of memory and files; the listing cannot be iterated afterwards."""
        self._size_text.close()
        if self._id_text:
            self._id_text.close()

    def _named(self) -> Iterator[tuple[MessageNumber, int]]:
        """Yield number and octets of every message that LIST names."""
        for number, octets in enumerate(self._known_sizes(), start=1):
            if octets != _MISSING:
                yield MessageNumber(number), octets

    def _known_sizes(self) -> array[int]:
        if self._sizes is None:
            self._sizes = _sizes_by_number(self._size_text, entries_allowed(self.stat), self._odd)
        return self._sizes

    def _unique_ids(self, highest: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and unique-id in the order of numbers."""
        if self._id_text is None:
            return
        if self._id_offsets is None:
            self._id_offsets = array("Q") if _is_ordered(self._id_text) else _offsets_by_number(self._id_text, highest)
        if not self._id_offsets:
            for numbers, unique_ids in self._id_text.columns(OddLines(Verb.UIDL)):
                yield from zip(numbers, unique_ids, strict=True)
        for index, offset in enumerate(self._id_offsets):
            if offset < _AMBIGUOUS:
                line = self._id_text.read(offset, MAX_LINE + 2).partition(b"\n")[0]
                entry = entry_of(line, OddLines(Verb.UIDL))
                yield index + 1, entry[1] if entry else b""


class Marked(Enum):
    """What a server shows of messages that are marked for deletion, before QUIT."""

    GONE = auto()
    """Neither STAT nor LIST counts them any more (RFC 1939, section 5)."""
    SHOWN = auto()
    """It shows them all as if nothing had been said; only the next session can tell."""


def _sizes_by_number(text: Text, highest: int, odd: OddLines) -> array[int]:
    sizes = array("Q")
    garbled = OddLines(Verb.LIST)
    for numbers, behind in text.columns(odd):
        octets = as_numbers(behind) or [_octets_of(words, garbled) for words in behind]
        following = range(len(sizes) + 1, len(sizes) + 1 + len(numbers))
        if numbers == list(following) and following.stop <= highest + 1:
            sizes.extend(octets)
            continue
        for number, size in zip(numbers, octets, strict=True):
            _put(sizes, number, size, highest, odd)
    named = len(sizes) - sizes.count(_MISSING)
    odd.check(named)
    garbled.check(named - garbled.count)
    return sizes


def _octets_of(words: bytes, garbled: OddLines) -> int:
    """Return the size that a line gives, 0 if it gives none: then nothing is announced, and two reads must agree."""
    octets = words.split(maxsplit=1)[:1]
    if octets and octets[0].isdigit() and len(octets[0]) < 19:
        return int(octets[0])
    if octets:
        garbled.add(words)
    return 0


def _put(sizes: array[int], number: int, octets: int, highest: int, odd: OddLines) -> None:
    if not 0 < number <= highest:
        odd.add(b"%d %d" % (number, octets))
        return
    while len(sizes) < number:
        sizes.append(_MISSING)
    is_other = sizes[number - 1] not in {_MISSING, octets}
    sizes[number - 1] = 0 if is_other else octets  # named twice, with two sizes: none is believed


def _is_ordered(text: Text) -> bool:
    """Say whether numbers rise, so that LIST and UIDL can be read side by side; UIDL's lines must mostly have some."""
    odd, sensible, before, is_rising = OddLines(Verb.UIDL), 0, 0, True
    for numbers, _ in text.columns(odd):
        is_rising = is_rising and all(map(lt, [before, *numbers], numbers))
        before = numbers[-1] if numbers else before
        sensible += len(numbers)
    odd.check(sensible)
    return is_rising


def _offsets_by_number(text: Text, highest: int) -> array[int]:
    """Note where every unique-id stands; one for a message that LIST does not name is of no use."""
    offsets = array("Q", [_MISSING]) * highest
    for number, offset in _placed_entries(text):
        if 0 < number <= highest:
            offsets[number - 1] = offset if offsets[number - 1] == _MISSING else _AMBIGUOUS
    return offsets


def _placed_entries(text: Text) -> Iterator[tuple[int, int]]:
    offset = 0
    for block in text.whole_lines():
        for line in block.split(b"\n")[:-1]:
            if entry := entry_of(line, OddLines(Verb.UIDL)):
                yield entry[0], offset
            offset += len(line) + 1


LISTING: Final = (Verb.STAT, Verb.LIST, Verb.UIDL)
"""What ``take_listing`` asks, in this order."""


def take_listing(line: Conversation, *, is_asked: bool, spool_dir: Path | None) -> Listing:
    """Hear what the server lists, asking one by one unless all is asked. One that refuses UIDL has no unique-ids.

    Raises ``protocol`` for a listing beyond its bounds; then the session is over.
    """
    digest = sha256()
    stat = Stat(0, 0)
    texts: dict[Verb, Text] = {}
    for verb in LISTING:
        if not is_asked:
            line.expect_silence()
            line.send(verb)
        if verb is Verb.STAT:
            stat = stat_of(line.short_reply(), line)
            continue
        text = Text(entries_allowed(stat), spool_dir)
        refused = _read_text(line, text, digest)
        if refused is None:
            texts[verb] = text
        elif verb is Verb.LIST and stat.count:
            raise refusal(Stage.MAILDROP, refused, secrets=line.protocol.secrets, about="LIST")
    return Listing(stat, texts.get(Verb.LIST) or Text(0, spool_dir), texts.get(Verb.UIDL), digest.digest())


def take_list(line: Conversation, stat: Stat, spool_dir: Path | None) -> Listing:
    """Ask LIST alone, with nothing else in flight. Raises the refusal, or ``protocol`` as ``take_listing`` does."""
    line.expect_silence()
    line.send(Verb.LIST)
    text = Text(entries_allowed(stat), spool_dir)
    if (refused := _read_text(line, text, sha256())) is not None:
        raise refusal(Stage.MAILDROP, refused, secrets=line.protocol.secrets, about="LIST")
    return Listing(stat, text, None, b"")


def _read_text(line: Conversation, text: Text, digest: HASH) -> bytes | None:
    """Read one reply into ``text``; return the words of a refusal, None if there was none."""
    digest.update(b"\0")
    event = line.next_event()
    while not isinstance(event, BodyEnds):
        if isinstance(event, Reply) and not event.is_ok:
            return event.text
        if isinstance(event, Reply | BodyPart):
            digest.update(event.content)
            text.write(event.content)
        if isinstance(event, Reply):
            break
        event = line.next_event()
    return None


def stat_of(reply: Reply, line: Conversation) -> Stat:
    """Return what a reply to STAT says. Raises the refusal, or ``protocol`` if it is no such reply."""
    if not reply.is_ok:
        raise refusal(Stage.MAILDROP, reply.text, secrets=line.protocol.secrets, about="STAT")
    stat = parse_stat(reply.text)
    if stat is None:
        raise out_of_step("this is not a reply to STAT", reply.text, line.protocol.secrets)
    return stat
