"""What the maildrop holds: STAT, LIST and UIDL (RFC 1939, sections 5 and 7), kept as the bytes that came.

A listing of a million messages is some tens of megabytes of text and no Python object more; it is understood line by
line when somebody iterates, and a poll that finds its fingerprint unchanged never does. Growth is bound to what STAT
announced, generously, because STAT is known to lie.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import sha256
from operator import lt
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

    def columns(self) -> Iterator[tuple[list[int], list[bytes]]]:
        """Yield message numbers and what stands behind each, thousands at a time.

        Raises ``protocol`` for a line without a number.
        """
        for block in self.whole_lines():
            yield _two_words_each(block) or _whatever_words(block)

    def whole_lines(self) -> Iterator[bytes]:
        """Yield the text in blocks that end with a line end; other readers may move the file meanwhile."""
        rest = b""
        read_to = 0
        while block := self.read(read_to, _BLOCK):
            read_to += len(block)
            lines, line_end, rest = (rest + block).rpartition(b"\n")
            if line_end:
                yield lines + line_end
        if rest:
            yield rest + b"\n"

    def read(self, offset: int, octets: int) -> bytes:
        """Return up to ``octets`` bytes from ``offset`` on."""
        self._file.seek(offset)
        return self._file.read(octets)

    def close(self) -> None:
        """Let go of memory and file."""
        self._file.close()


def _two_words_each(block: bytes) -> tuple[list[int], list[bytes]] | None:
    """Split lines that are a number and a word, as nearly all are; None if one is not, or has other white space.

    Splitting all at once and putting it together again takes a third of the time of splitting line by line.
    """
    words = block.split()
    lines = block.count(b"\n")
    if len(words) != 2 * lines or b"%b %b\r\n" * lines % tuple(words) != block:
        return None
    numbers = _as_numbers(words[::2])
    return (numbers, words[1::2]) if numbers else None


def _whatever_words(block: bytes) -> tuple[list[int], list[bytes]]:
    found = [_entry_of(line) for line in block.split(b"\n") if line.rstrip(b"\r")]
    return [int(number) for number, _ in found], [behind for _, behind in found]


def _as_numbers(words: list[bytes]) -> list[int] | None:
    """Return what these decimal numbers are, None if one is none or may not fit 64 bits."""
    return list(map(int, words)) if b"".join(words).isdigit() and max(map(len, words)) < 19 else None


def _entry_of(line: bytes) -> tuple[bytes, bytes]:
    """Return a line's message number, in digits, and what stands behind it. Raises ``protocol`` if it has none."""
    number, _, behind = line.rstrip(b"\r").lstrip(b" \t").partition(b" ")
    if not (number.isdigit() and len(number) < 16):
        raise out_of_step("a line of its listing has no message number", line)
    return number, behind.lstrip(b" \t")


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
        self._id_offsets: array[int] | None = None

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
        if self._id_offsets is None:
            is_ordered = _is_ordered(self._id_text)
            self._id_offsets = array("Q") if is_ordered else _offsets_by_number(self._id_text, highest)
        if not self._id_offsets:
            for numbers, unique_ids in self._id_text.columns():
                yield from zip(numbers, unique_ids, strict=True)
        for index, offset in enumerate(self._id_offsets):
            if offset != _MISSING:
                line = self._id_text.read(offset, MAX_LINE + 2).partition(b"\n")[0]
                yield index + 1, _entry_of(line)[1]


def _sizes_by_number(text: Text, highest: int) -> array[int]:
    sizes = array("Q")
    for numbers, behind in text.columns():
        octets = _as_numbers(behind) or [_octets_of(words) for words in behind]
        following = range(len(sizes) + 1, len(sizes) + 1 + len(numbers))
        if numbers == list(following) and following.stop <= highest + 1:
            sizes.extend(octets)
            continue
        for number, size in zip(numbers, octets, strict=True):
            _put(sizes, number, size, highest, Verb.LIST)
    return sizes


def _octets_of(words: bytes) -> int:
    octets = words.partition(b" ")[0].rstrip()
    if not (octets.isdigit() and len(octets) < 19):
        raise out_of_step("LIST gives no size for a message", words)
    return int(octets)


def _is_ordered(text: Text) -> bool:
    before = 0
    for numbers, _ in text.columns():
        if not all(map(lt, [before, *numbers], numbers)):
            return False
        before = numbers[-1] if numbers else before
    return True


def _offsets_by_number(text: Text, highest: int) -> array[int]:
    """Note where every unique-id stands; one for a message that LIST does not name is of no use."""
    offsets = array("Q")
    offset = 0
    for block in text.whole_lines():
        for line in block.split(b"\n")[:-1]:
            if line.rstrip(b"\r") and 0 < (number := int(_entry_of(line)[0])) <= highest:
                _put(offsets, number, offset, highest, Verb.UIDL)
            offset += len(line) + 1
    return offsets


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
