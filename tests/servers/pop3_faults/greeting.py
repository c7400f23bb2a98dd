"""What goes wrong before a client sees its maildrop: connecting, TLS, capabilities, log-in."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.servers.pop3_session import Command, Fault, Host, Session
from tests.servers.pop3_wire import HangUp, Wire, one


@dataclass
class ConnectionsRefused(Fault):
    """Accepts so many connections, then refuses all others; ``abruptly`` accepts those and hangs up at once."""

    after: int
    abruptly: bool = False
    accepted: int = field(default=0, init=False)

    def connected(self, server: Host) -> None:
        self.accepted += 1
        if self.accepted > self.after:
            raise HangUp
        if self.accepted == self.after and not self.abruptly:
            server.stop_listening()


@dataclass
class AtMostAtOnce(Fault):
    """Serves so many connections at one time, and hangs up on all others before a word, as Courier does."""

    most: int

    def connected(self, server: Host) -> None:
        if server.open_sessions() >= self.most:
            raise HangUp


@dataclass
class HandshakeStalls(Fault):
    """Falls silent where TLS should begin."""

    def handshake(self, session: Session) -> None:
        session.stall()


@dataclass
class HandshakeBroken(Fault):
    """Says something else where TLS should begin."""

    words: bytes = b"-ERR no TLS on this port, sorry\r\n"

    def handshake(self, session: Session) -> None:
        session.send(self.words)
        raise HangUp


@dataclass
class HandshakeHangsUp(Fault):
    """Hangs up where TLS should begin: always, or the first so many times."""

    times: int | None = None
    hung_up: int = field(default=0, init=False)

    def handshake(self, session: Session) -> None:
        self.hung_up += 1
        if self.times is None or self.hung_up <= self.times:
            raise HangUp


class Unsupported(Fault):
    """Knows nothing of some commands, and offers none of them."""

    def __init__(self, *verbs: str, still_offered: bool = False) -> None:
        self._verbs = set(verbs)
        self._still_offered = still_offered

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        if self._still_offered:
            return offered
        return [line for line in offered if line.split(b" ")[0].decode() not in self._verbs]

    def instead(self, session: Session, command: Command) -> Wire | None:
        return one(b"-ERR unknown command") if command.verb in self._verbs else None


@dataclass
class CapabilitiesAfterLogin(Fault):
    """Offers some capabilities only after log-in, as Gmail does with TOP and PIPELINING."""

    names: Iterable[bytes] = (b"TOP", b"PIPELINING")

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return offered if session.login else [line for line in offered if line not in set(self.names)]


@dataclass
class StlsStripped(Fault):
    """Someone on the line hides that the server has TLS."""

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return [line for line in offered if line != b"STLS"]

    def instead(self, session: Session, command: Command) -> Wire | None:
        return one(b"-ERR unknown command") if command.verb == "STLS" else None


@dataclass
class StlsInjected(Fault):
    """Someone on the line sends replies in the clear ahead of TLS, to be taken for the server's (CVE-2011-0411)."""

    replies: bytes = b"+OK injected\r\n"

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return self._inject(session, wire) if command.verb == "STLS" and not session.encrypted else wire

    def _inject(self, session: Session, wire: Wire) -> Wire:
        yield next(wire) + self.replies
        yield from wire


class LoginRefused(Fault):
    """Refuses log-ins although the password is right: with a response code, always or the first so many times."""

    def __init__(self, words: str = "[IN-USE] maildrop is locked", *, times: int | None = None) -> None:
        self._words = words.encode()
        self._left = times

    def refusal(self, session: Session) -> bytes | None:
        if self._left is not None:
            self._left -= 1
        return self._words if self._left is None or self._left >= 0 else None


@dataclass
class PasswordEchoed(Fault):
    """Refuses every log-in and repeats the password in its words."""

    def refusal(self, session: Session) -> bytes | None:
        return f"[AUTH] {session.user} with password {session.server.secrets.password} unknown".encode()


@dataclass
class LoginDelay(Fault):
    """Refuses a log-in less than so many seconds after the last one, by the server's clock (RFC 2449, section 6.5)."""

    seconds: float
    announced: bool = True
    last: float | None = field(default=None, init=False)

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return [*offered, b"LOGIN-DELAY %d" % self.seconds] if self.announced else offered

    def refusal(self, session: Session) -> bytes | None:
        now = session.server.time()
        if self.last is not None and now - self.last < self.seconds:
            return b"[LOGIN-DELAY] minimum time between mail checks violation"
        self.last = now
        return None


@dataclass
class ExclusiveAccess(Fault):
    """Locks the maildrop while a session is logged in, as RFC 1939, section 4 asks."""

    def refusal(self, session: Session) -> bytes | None:
        return b"[IN-USE] another session has the maildrop" if session.server.has_others_in(session) else None


@dataclass
class DemandsIterations(Fault):
    """Asks for so many iterations in SCRAM that an honest client would compute for hours."""

    count: int = 10**9

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return (_in_base64(piece, rb",i=\d+", b",i=%d" % self.count) for piece in wire)


@dataclass
class ForgedServerSignature(Fault):
    """Does not know the password itself: SCRAM's last word proves nothing."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return (_in_base64(piece, rb"^v=.*", b"v=" + b64encode(b"forged")) for piece in wire)


def _in_base64(piece: bytes, pattern: bytes, replacement: bytes) -> bytes:
    if not piece.startswith(b"+ "):
        return piece
    return b"+ " + b64encode(re.sub(pattern, replacement, b64decode(piece[2:]))) + b"\r\n"
