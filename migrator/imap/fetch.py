"""UID FETCH: sizes of many messages, and bodies byte for byte, in bounded memory.

RFC 9051 section 6.4.5. Only ``BODY.PEEK`` is asked for, so nothing is marked as read. A reply is taken as it comes:
in any order, with items that nobody asked for, and with other clients' news between.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from migrator.errors import FerryError, Kind
from migrator.imap.find_copies import Candidate, Glance, message_key
from migrator.imap.refusals import judge_fetch
from migrator.imap.replies import (
    ReplyStatus,
    StatusReply,
    fetch_items_begin,
    literal_octets,
    parse_fetch_items,
    uid_set_of,
)
from migrator.imap.wire import Wire
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, MemoryBody
from migrator.message.digest import header_facts

MEMORY_FOR_BODIES = 8 * 1024 * 1024
"""Octets of bodies held in memory at once; what goes beyond waits in a nameless file."""
CHUNK = 256 * 1024
SET_SIZE = 500
"""UIDs named in one command: servers bound the length of a line (Dovecot at 64 KiB)."""


@dataclass(frozen=True, slots=True)
class HeldBody:
    """A message in memory, in the pieces in which it arrived."""

    pieces: tuple[bytes, ...]
    octets: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the pieces."""
        return iter(self.pieces)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SpooledBody:
    """A message in a file that has no name: it is gone as soon as nobody holds it."""

    file: IO[bytes]
    octets: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the start."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk


@dataclass(frozen=True, slots=True)
class Shown:
    """One FETCH response: what it says of a message. ``body`` is None where the server did not give one."""

    uid: int
    size: int | None
    body: Body | None


class BodyFetcher:
    """Reads from the folder that is selected on ``wire``."""

    def __init__(self, wire: Wire, spool: Path | None, *, secrets: tuple[bytes, ...] = ()) -> None:
        self._wire = wire
        self._spool = spool
        self._secrets = secrets
        self._held = 0

    def bodies(self, uids: Sequence[int]) -> dict[int, Body]:
        """Return the bodies of those of the messages that are there. Raises ``refused`` if the server says no."""
        self._held = 0
        found: dict[int, Body] = {}
        wanted = set(uids)
        refusal = self._fetch(
            uid_set_of(sorted(wanted)),
            b"(UID BODY.PEEK[])",
            lambda shown: self._keep(found, wanted, shown),
        )
        if refusal is not None:
            raise self._refused(refusal)
        return found

    @staticmethod
    def _keep(found: dict[int, Body], wanted: set[int], shown: Shown) -> None:
        if shown.body is not None and shown.uid in wanted:
            found[shown.uid] = shown.body

    def headers(self, uids: Sequence[int], field: bytes) -> dict[int, bytes]:
        """Return one header field, with its name, of those of the messages that are there."""
        found: dict[int, bytes] = {}

        def keep(shown: Shown) -> None:
            if shown.body is not None:
                found[shown.uid] = b"".join(shown.body.chunks())

        for start in range(0, len(uids), SET_SIZE):
            self._held = 0
            uid_set = uid_set_of(sorted(uids[start : start + SET_SIZE]))
            refusal = self._fetch(uid_set, b"(UID BODY.PEEK[HEADER.FIELDS (" + field + b")])", keep)
            if refusal is not None:
                raise self._refused(refusal)
        return found

    def sizes(self, first: int) -> list[Candidate]:
        """Return UID and RFC822.SIZE of every message from UID ``first`` on, ascending."""
        found: dict[int, Candidate] = {}

        def keep(shown: Shown) -> bool:
            if shown.size is not None:
                found[shown.uid] = Candidate(shown.uid, shown.size)
            return shown.size is not None

        self._list(first, b"(UID RFC822.SIZE)", keep)
        return [found[uid] for uid in sorted(found)]

    def glance(self, first: int, take: Callable[[Glance], None]) -> None:
        """Hand over UID, size and Message-ID of every message from UID ``first`` on, as they come.

        Raises ``refused`` if the server does not tell of all of them; ``take`` has heard of some then.
        """

        def keep(shown: Shown) -> bool:
            self._held = 0
            if shown.size is not None:
                take(Glance(shown.uid, shown.size, _message_key(shown.body)))
            return shown.size is not None

        self._list(first, b"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", keep)

    def uids(self, among: Sequence[int]) -> set[int]:
        """Return the UIDs of the messages that are there: of all, unless what they are looked for ``among`` is short.

        No SEARCH is sent for it: what servers make of ESEARCH differs (iCloud's answers nonsense).
        """
        found: set[int] = set()

        def keep(shown: Shown) -> bool:
            found.add(shown.uid)
            return True

        if len(among) > SET_SIZE or self._fetch(uid_set_of(sorted(among)), b"(UID)", keep) is not None:
            self._list(1, b"(UID)", keep)
        return found

    def _list(self, first: int, items: bytes, keep: Callable[[Shown], bool]) -> None:
        """Hand every message from UID ``first`` on to ``keep``, which says whether that was an answer."""
        last = b"*"
        while True:
            shown: list[int] = []
            refusal = self._fetch(b"%d:%s" % (first, last), items, _noting(first, keep, shown))
            if refusal is None:
                return
            if refusal.code != b"MESSAGELIMIT" or not shown:
                raise self._refused(refusal)
            if shown[0] == first:
                return
            last = b"%d" % (shown[0] - 1)  # RFC 9738: it told the newest ones; ask for those below

    def _fetch(self, uid_set: bytes, items: bytes, keep: Callable[[Shown], object]) -> StatusReply | None:
        """Hand every FETCH response to ``keep``; return the tagged reply if it is not a plain OK."""
        with self._wire.conversation():
            tag = self._wire.new_tag()
            self._wire.send(tag + b" UID FETCH " + uid_set + b" " + items + b"\r\n")
            reply = self._answer(tag, keep)
        is_plain = reply.verdict is ReplyStatus.OK and reply.code != b"MESSAGELIMIT"
        return None if is_plain else reply

    def _answer(self, tag: bytes, keep: Callable[[Shown], object]) -> StatusReply:
        wire = self._wire
        while True:
            line = wire.next_line()
            start = fetch_items_begin(line)
            if start is not None:
                shown = self._shown(line, start)
                if shown is not None:
                    keep(shown)
                continue
            reply = wire.passed_over(line)
            if reply is not None:
                if reply.tag != tag:
                    raise wire.abort("an answer came to a command that was not sent")
                return reply

    def _shown(self, line: bytes, start: int) -> Shown | None:
        """Read one response to its end, literals included; None if it says no UID."""
        uid = size = None
        body: Body | None = None
        while True:
            items, is_complete = parse_fetch_items(line, start)
            for item in items:
                if item.name == b"UID" and item.value:
                    uid = int(item.value)
                elif item.name == b"RFC822.SIZE" and item.value:
                    size = int(item.value)
                elif item.name.startswith(b"BODY[") and body is None:
                    body = self._literal(item.literal) if item.literal is not None else _short_body(item.value)
                elif item.literal is not None:
                    self._drop(item.literal)
            if is_complete:
                return None if uid is None else Shown(uid, size, body)
            if not items or items[-1].literal is None:
                self._drop(literal_octets(line) or 0)
            line, start = self._wire.next_line(), 0

    def _literal(self, octets: int) -> Body:
        if self._held + octets <= MEMORY_FOR_BODIES:
            self._held += octets
            pieces = tuple(self._wire.next_octets(octets))
            return MemoryBody(b"".join(pieces)) if octets <= CHUNK else HeldBody(pieces, octets)
        with _local_trouble():
            file = tempfile.TemporaryFile(dir=self._spool)  # noqa: SIM115  # it is closed with the last reference
        body = SpooledBody(file, octets)
        weakref.finalize(body, file.close)
        for piece in self._wire.next_octets(octets):
            with _local_trouble():
                file.write(piece)
        return body

    def _drop(self, octets: int) -> None:
        for _ in self._wire.next_octets(octets):
            pass

    def _refused(self, reply: StatusReply) -> FerryError:
        return judge_fetch(reply.words, secrets=self._secrets)


@contextmanager
def _local_trouble() -> Iterator[None]:
    """Tell trouble with our own disk from trouble with the line."""
    try:
        yield
    except OSError as error:
        raise FerryError(
            Kind.DISK_FULL, f"a copy that is read back cannot be held on disk: {error.strerror}", cure="make room"
        ) from error


def _noting(first: int, keep: Callable[[Shown], bool], least: list[int]) -> Callable[[Shown], None]:
    """Hand on what is not below ``first`` (``n:*`` names the last message even then); note the least UID of it."""

    def note(shown: Shown) -> None:
        if shown.uid >= first and keep(shown):
            least[:] = [min(shown.uid, *least)] if least else [shown.uid]

    return note


def _message_key(field: Body | None) -> bytes:
    return b"" if field is None else message_key(header_facts(b"".join(field.chunks())).message_id)


def _short_body(value: bytes | None) -> Body | None:
    """Return a body that came as a quoted string, as an empty one may; NIL means that there is none."""
    return None if value is None else MemoryBody(value)
