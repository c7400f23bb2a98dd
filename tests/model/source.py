"""The maildrop of a history: what arrives, under which unique-ids, and what is wrong with the server in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5

from tests.servers.maildrop import Maildrop, StoredMessage
from tests.servers.pop3_faults import (
    Answers,
    DropAfterBytes,
    DropBefore,
    DropInsideRetr,
    DropUnanswered,
    OnlyFirst,
    QuitRefused,
    ReplyStray,
    SeenEmpty,
    WrongSizes,
)
from tests.servers.pop3_session import Command, Fault, Session, Shown
from tests.servers.pop3_wire import Wire, one


def _stable(message: Shown, _: int) -> bytes:
    return message.unique_id


def _renumbered(message: Shown, _: int) -> bytes:
    return b"new-" + message.unique_id


def _by_content(message: Shown, _: int) -> bytes:
    return md5(message.content, usedforsecurity=False).hexdigest().encode()


def _by_header(message: Shown, _: int) -> bytes:
    header = message.content.partition(b"\r\n\r\n")[0]
    return md5(b"%d" % message.octets + header, usedforsecurity=False).hexdigest().encode()


def _by_number(_: Shown, number: int) -> bytes:
    return b"%d" % number


SCHEMES: dict[str, Callable[[Shown, int], bytes]] = {
    "stable": _stable,
    "renumbered": _renumbered,
    "content": _by_content,
    "header": _by_header,
    "numbers": _by_number,
    "none": _stable,
}
"""How servers make unique-ids. ``header`` is Dovecot's ``%m`` and popa3d's way; ``numbers`` are message numbers."""


@dataclass
class UniqueIds(Fault):
    """Shows unique-ids by the scheme named last, and watches what each session is shown."""

    scheme: str = "stable"

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        del session
        return [replace(message, unique_id=SCHEMES[self.scheme](message, n)) for n, message in enumerate(messages, 1)]

    def instead(self, session: Session, command: Command) -> Wire | None:
        is_unknown = self.scheme == "none" and command.verb == "UIDL" and session.login
        return one(b"-ERR what is UIDL?") if is_unknown else None


@dataclass
class Watch(Fault):
    """Notes what each session is shown in the end. It stands last among the faults."""

    seen: list[Shown] = field(default_factory=list)

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        del session
        self.seen += messages
        return messages


@dataclass
class StatMoves(Fault):
    """Counts octets anew at each STAT, as servers do that learn true sizes by reading."""

    asked: int = 0

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb != "STAT" or not session.login:
            return wire
        self.asked += 1
        left = [message.octets for _, message in session.remaining()]
        return one(b"+OK %d %d" % (len(left), sum(left) + self.asked))


@dataclass
class Offers(Fault):
    """Announces one more capability."""

    capability: bytes

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        del session
        return [*offered, self.capability]


@dataclass
class StatCountsDeleted(Fault):
    """Counts messages in STAT that are marked as deleted."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb != "STAT" or not session.login:
            return wire
        octets = [message.octets for message in session.messages]
        return one(b"+OK %d %d" % (len(octets), sum(octets)))


FAULTS: dict[str, Callable[[int], Sequence[Fault]]] = {
    "none": lambda _: [],
    "short sessions": lambda n: [DropAfterBytes(600 + 150 * n)],
    "cut inside RETR": lambda n: [DropInsideRetr(1 + n % 5, after=20 + n)],
    "drop at RETR": lambda n: [DropBefore("RETR", 1 + n % 5)],
    "drop at TOP": lambda n: [DropBefore("TOP", 1 + n % 5)],
    "drop at DELE": lambda n: [DropBefore("DELE", 1 + n % 5)],
    "nonsense at DELE": lambda n: [Answers("DELE", 1 + n % 5, words=b"+-?")],
    "refuses DELE": lambda n: [Answers("DELE", 1 + n % 5, words=b"-ERR not this one")],
    "refuses RETR": lambda n: [Answers("RETR", 1 + n % 5, words=b"-ERR cannot read it")],
    "QUIT refused": lambda n: [QuitRefused(times=1 + n % 2)],
    "QUIT unanswered": lambda _: [DropUnanswered("QUIT", times=1)],
    "stray line": lambda n: [ReplyStray("RETR", times=1, skip=n % 3)],
    "shows part": lambda n: [OnlyFirst(1 + n % 4)],
    "seen empty": lambda _: [SeenEmpty(1)],
    "wrong sizes": lambda n: [WrongSizes(n - 4)],
    "STAT moves": lambda _: [StatMoves()],
    "STAT counts deleted": lambda _: [StatCountsDeleted()],
    "no TOP": lambda _: [Answers("TOP", words=b"-ERR what is TOP?")],
    "EXPIRE 0": lambda _: [Offers(b"EXPIRE 0")],
}
"""What may be wrong with the server for the length of one run, by name; the number says where and how much."""

CALM = {"none", "no TOP", "EXPIRE 0"}
"""Faults that are no excuse for anything."""


@dataclass
class Post:
    """What arrives. Every message has words of its own, so that none is another with other line ends."""

    maildrops: dict[str, Maildrop] = field(default_factory=lambda: {"alice": Maildrop(), "bob": Maildrop()})
    sent: list[bytes] = field(default_factory=list)
    _count: int = 0

    def stored(self) -> list[tuple[Maildrop, StoredMessage]]:
        """Every message that is at the source, of either user."""
        return [(maildrop, message) for maildrop in self.maildrops.values() for message in maildrop.stored()]

    def deliver(self, kind: str, number: int, user: str = "alice") -> bytes:
        """Let a message arrive: ``new``, ``twin`` of one that came before, the same ``again``, or ``bare`` of an id."""
        if not self.sent and kind in {"twin", "again"}:
            kind = "new"
        content = self._content(kind, number)
        if content not in self.sent:
            self.sent.append(content)
        self.maildrops[user].add(content)
        return content

    def _content(self, kind: str, number: int) -> bytes:
        match kind:
            case "again":
                return self.sent[number % len(self.sent)]
            case "twin":
                return self.twin_of(self.sent[number % len(self.sent)])
            case "bare":
                return self._made(b"Subject: hello\r\n", b"")
            case "odd":
                return self._made(self._identity(), b"a bare \r return\r\nFrom the start of a line\r\n.\r\n")
            case _:
                return self._made(self._identity(), b"x" * (number % 3) + b"\r\n")

    def _identity(self) -> bytes:
        return b"Message-ID: <%05d@example.org>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n" % (self._count + 1)

    def _made(self, header: bytes, more: bytes) -> bytes:
        self._count += 1
        return header + b"Subject: a letter\r\n\r\nbody %05d\r\n" % self._count + more

    def twin_of(self, content: bytes) -> bytes:
        """Return a message with the same header and octets, and another body."""
        self._count += 1
        header, blank, body = content.partition(b"\r\n\r\n")
        return header + blank + b"body %05d" % self._count + body[len(b"body 00000") :]

    def reuse(self, maildrop: Maildrop, message: StoredMessage, *, is_twin: bool) -> bytes:
        """Let another message of as many octets take a message's place and unique-id, as another client's doing."""
        other = self.twin_of(message.content)
        if not is_twin:
            other = other.replace(b"Subject: ", b"subject: ", 1)
        self.sent.append(other)
        maildrop.replace(message, other)
        return other
