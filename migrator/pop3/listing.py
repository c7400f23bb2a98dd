"""What the maildrop holds: STAT, LIST and UIDL (RFC 1939, sections 5 and 7), kept as the bytes that came.

A listing of a million messages is some tens of megabytes of text and no Python object more; it is understood line by
line when somebody iterates, and a poll that finds its fingerprint unchanged never does. Growth is bound to what STAT
announced, generously, because STAT is known to lie.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Final
from weakref import finalize

from migrator.errors import FerryError, Kind
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.pop3.conversation import Conversation
from migrator.pop3.protocol import BodyEnds, BodyPart, Reply, Verb, out_of_step
from migrator.pop3.replies import Stage, Stat, parse_stat, refusal

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

MAX_LINE = 4 * 1024
"""Octets of one line; RFC 1939 allows unique-ids of 70, the longest seen have some hundreds."""

_IN_MEMORY = 16 * 1024 * 1024
_BLOCK = 256 * 1024
_MISSING = (1 << 64) - 1


def entries_allowed(stat: Stat) -> int:
    """Return how many messages may be listed (and the highest number) when STAT announced ``stat``."""
    return 2 * stat.count + 10_000


class Text:
    """The content of one LIST or UIDL reply, in memory or, when large, in an unnamed file."""

    def __init__(self, allowed: int, spool_dir: Path | None) -> None:
        self.lines = 0
        self.octets = 0
        self._allowed = allowed
        self._allowed_octets = 512 * allowed + _IN_MEMORY
        self._open_line = 0
        self._has_begun = False
        folder = str(spool_dir) if spool_dir else None
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY, dir=folder)  # noqa: SIM115 - it lives with the listing
        finalize(self, self._file.close)  # so that a listing that is merely forgotten leaves nothing open

    def write(self, piece: bytes) -> None:
        """Append what came. Raises ``protocol`` if it grows beyond its bounds."""
        if not self._has_begun and (beginning := piece.lstrip(b" \t\r\n")):
            if not beginning[:1].isdigit():
                raise out_of_step("its listing does not begin with a message number", piece[:80])
            self._has_begun = True
        self.lines += piece.count(b"\n")
        self.octets += len(piece)
        if self.lines > self._allowed or self.octets > self._allowed_octets:
            raise FerryError(Kind.PROTOCOL, f"the server lists far more than it announced: {self.lines} messages")
        self._check_line_lengths(piece)
        self._file.write(piece)

    def _check_line_lengths(self, piece: bytes) -> None:
        """Walk in strides: some line end must stand within each."""
        begin = -self._open_line
        while begin + MAX_LINE < len(piece):
            end = piece.rfind(b"\n", max(begin, 0), begin + MAX_LINE)
            if end < 0:
                raise FerryError(Kind.PROTOCOL, f"the server's listing has a line of more than {MAX_LINE} octets")
            begin = end + 1
        last = piece.rfind(b"\n")
        self._open_line = len(piece) - last - 1 if last >= 0 else self._open_line + len(piece)

    def numbered_lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield offset, message number and the rest of every line. Raises ``protocol`` for a line without a number."""
        for offset, line in self._lines_from(0):
            number, _, rest = line.lstrip(b" \t").partition(b" ")
            if not (number.isdigit() and len(number) < 16):
                raise out_of_step("a line of its listing has no message number", line)
            yield offset, int(number), rest.lstrip(b" \t")

    def _lines_from(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield offset and content of every line that is not empty; other readers may move the file meanwhile."""
        rest = b""
        read_to = offset
        while block := self.read(read_to, _BLOCK):
            read_to += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if stripped := line.rstrip(b"\r"):
                    yield offset, stripped
                offset += len(line) + 1
        if rest:
            yield offset, rest

    def read(self, offset: int, octets: int) -> bytes:
        """Return up to ``octets`` bytes from ``offset`` on."""
        self._file.seek(offset)
        return self._file.read(octets)

    def close(self) -> None:
        """Let go of memory and file."""
        self._file.close()


@dataclass(slots=True)
class _Places:
    """Where each message's line stands in UIDL's text, by number, and whether the lines are in that order."""

    offsets: array[int]
    is_ordered: bool


class Listing:
    """What LIST and UIDL said, joined by message number; iterate as often as needed, also several at once.

    ``count`` is how many messages LIST names, ``octets`` what STAT announced for all. ``fingerprint`` (SHA-256 over
    both texts) is equal exactly if the server listed the same bytes again. Iterating raises ``protocol`` for numbers
    that repeat, are out of bounds, or are none.
    """

    def __init__(self, stat: Stat, sizes: Text, unique_ids: Text | None, fingerprint: bytes) -> None:
        self.stat = stat
        self.fingerprint = fingerprint
        self._size_text = sizes
        self._id_text = unique_ids
        self._sizes: array[int] | None = None
        self._places: _Places | None = None

    @property
    def count(self) -> int:
        """How many messages LIST names."""
        return self._size_text.lines

    @property
    def octets(self) -> int:
        """What STAT announced for all messages together."""
        return self.stat.octets

    @property
    def has_unique_ids(self) -> bool:
        """Whether the server answered UIDL."""
        return self._id_text is not None

    def __iter__(self) -> Iterator[ListedMessage]:
        sizes = self._known_sizes()
        unique_ids = self._unique_ids(len(sizes))
        number, unique_id = next(unique_ids, (0, b""))
        for listed, octets in enumerate(sizes, start=1):
            while number and number < listed:
                number, unique_id = next(unique_ids, (0, b""))
            if octets != _MISSING:
                found = unique_id if number == listed else b""
                yield ListedMessage(MessageNumber(listed), UniqueId(found), octets)

    def close(self) -> None:
        """Let go of memory and files; the listing cannot be iterated afterwards."""
        self._size_text.close()
        if self._id_text:
            self._id_text.close()

    def _known_sizes(self) -> array[int]:
        if self._sizes is None:
            self._sizes = _sizes_by_number(self._size_text, entries_allowed(self.stat))
        return self._sizes

    def _unique_ids(self, highest: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and unique-id in the order of numbers."""
        if self._id_text is None:
            return
        if self._places is None:
            self._places = _places_by_number(self._id_text, highest)
        if self._places.is_ordered:
            for _, number, unique_id in self._id_text.numbered_lines():
                yield number, unique_id
            return
        for index, offset in enumerate(self._places.offsets):
            if offset != _MISSING:
                line = self._id_text.read(offset, MAX_LINE + 2).partition(b"\n")[0].rstrip(b"\r")
                yield index + 1, line.lstrip(b" \t").partition(b" ")[2].lstrip(b" \t")


def _sizes_by_number(text: Text, highest: int) -> array[int]:
    sizes = array("Q")
    for _, number, rest in text.numbered_lines():
        octets = rest.partition(b" ")[0].rstrip()
        if not (octets.isdigit() and len(octets) < 19):
            raise out_of_step("LIST gives no size for a message", b"%d %s" % (number, rest))
        _put(sizes, number, int(octets), highest, Verb.LIST)
    return sizes


def _places_by_number(text: Text, highest: int) -> _Places:
    """Note where every unique-id stands; one for a message that LIST does not name is of no use."""
    places = _Places(array("Q"), is_ordered=True)
    before = 0
    for offset, number, _ in text.numbered_lines():
        places.is_ordered = places.is_ordered and before < number
        before = number
        if 0 < number <= highest:
            _put(places.offsets, number, offset, highest, Verb.UIDL)
    return places


def _put(values: array[int], number: int, value: int, highest: int, verb: Verb) -> None:
    if number == len(values) + 1 <= highest:
        values.append(value)
        return
    if not 0 < number <= highest:
        raise FerryError(Kind.PROTOCOL, f"{verb} names message {number}, which cannot be")
    while len(values) < number:
        values.append(_MISSING)
    if values[number - 1] != _MISSING:
        raise FerryError(Kind.PROTOCOL, f"{verb} names message {number} twice")
    values[number - 1] = value


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
        raise out_of_step("this is no reply to STAT", reply.text, line.protocol.secrets)
    return stat
