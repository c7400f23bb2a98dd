"""Messages that are cut, changed, gone, or sent in the wrong clothes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.servers.pop3_faults.at import At
from tests.servers.pop3_session import Command, Fault, Session, Shown
from tests.servers.pop3_wire import Wire, content, one, sent_form, top_of


class _AtRetr(At):
    def __init__(self, number: int | None = None, *, times: int | None = None, skip: int = 0) -> None:
        super().__init__("RETR", number, times=times, skip=skip)

    def struck(self, session: Session, command: Command) -> Shown | None:
        message = session.existing(command.number) if command.verb == "RETR" else None
        return message if message and self.strikes(command) else None


class CutShort(_AtRetr):
    """Sends only the first so many lines of a message, and ends it properly."""

    def __init__(self, number: int | None = None, *, lines: int = 1, times: int | None = None) -> None:
        super().__init__(number, times=times)
        self._lines = lines

    def instead(self, session: Session, command: Command) -> Wire | None:
        if (message := self.struck(session, command)) is None:
            return None
        lines = sent_form(message.content).split(b"\r\n")[: self._lines]
        return content(b"+OK %d octets" % message.octets, b"".join(line + b"\r\n" for line in lines))


class Unstuffed(_AtRetr):
    """Forgets to double leading dots."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        if (message := self.struck(session, command)) is None:
            return None
        return iter([b"+OK\r\n", sent_form(message.content), b".\r\n"])


class DotGlued(_AtRetr):
    """Ends a message with a dot that has no line end before it, as Exchange 2000 did."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        if (message := self.struck(session, command)) is None:
            return None
        *pieces, dot = content(b"+OK", message.content)
        return iter([pieces[0], b"".join(pieces[1:]).removesuffix(b"\r\n"), dot])


class DeletesOnRetr(Fault):
    """Removes each message as soon as it was sent, whatever the client says (allowed by RFC 1939, section 8)."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        message = session.existing(command.number) if command.verb == "RETR" else None
        return self._remove_after(session, message, wire) if message else wire

    def _remove_after(self, session: Session, message: Shown, wire: Wire) -> Wire:
        yield from wire
        session.server.remove(session, message)


class Vanishes(_AtRetr):
    """Has lost a message since it was listed: RETR says -ERR, and later sessions do not list it."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        if (message := self.struck(session, command)) is None:
            return None
        session.server.maildrop_of(session.user).remove(message.stored)
        return one(b"-ERR no such message")


class Changes(_AtRetr):
    """Gives one content after the other at each RETR of a message, and the last one from then on."""

    def __init__(self, number: int, contents: Sequence[bytes]) -> None:
        super().__init__(number)
        self._contents = contents

    def instead(self, session: Session, command: Command) -> Wire | None:
        if self.struck(session, command) is None:
            return None
        return content(b"+OK", self._contents[min(self.matched, len(self._contents)) - 1])


@dataclass
class AddedHeaders(Fault):
    """Adds headers of its own to every message from the second log-in on, as GNU mailutils does."""

    headers: bytes = b"Status: RO\r\nX-UID: 1\r\n"

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        if session.login == 1:
            return messages
        return [self._with_headers(message) for message in messages]

    def _with_headers(self, message: Shown) -> Shown:
        header, blank, body = message.content.partition(b"\r\n\r\n")
        added = header + b"\r\n" + self.headers.removesuffix(b"\r\n") + blank + body
        return replace(message, content=added, octets=message.octets + len(added) - len(message.content))


class TopGivesAll(Fault):
    """Gives whole messages by TOP, whatever number of lines is asked for."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        message = session.existing(command.number) if command.verb == "TOP" else None
        return content(b"+OK", message.content) if message else None


class TopDiffers(Fault):
    """Shows another header by TOP than by RETR."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        message = session.existing(command.number) if command.verb == "TOP" else None
        if message is None:
            return None
        return content(b"+OK", b"X-Top: only\r\n" + top_of(message.content, 0))
