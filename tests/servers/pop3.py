"""A POP3 server that does what a test says: correct without faults, and wrong in exactly the ways it is told.

    with Pop3Server(Maildrop(messages), faults=[DropInsideRetr(number=3, after=100)]) as server:
        ...
    assert server.maildrop.left() == [...]

It logs every command with its time, and what it really removed, and it judges: a session that sends DELE for what it
has not read (``tests.servers.pop3_rule``) fails the test at the end of the ``with`` block. The faults are in ``tests.servers.pop3_faults``.
As a process of its own (for benchmarks), ``python -m tests.servers.pop3`` prints its port as one line of JSON and
serves generated messages until its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import ssl
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from threading import Lock, Thread
from typing import Literal, Self

from tests.servers.certificates import Authority, Certificate, Identity, authority, identity
from tests.servers.maildrop import Maildrop
from tests.servers.pop3_auth import MECHANISMS, Secrets
from tests.servers.pop3_commands import obey
from tests.servers.pop3_rule import Judge, unpunished
from tests.servers.pop3_session import Command, Fault, Session, Shown
from tests.servers.pop3_wire import HangUp
from tests.servers.process import LOOPBACK

__all__ = ["Command", "Fault", "Login", "Maildrop", "Pop3Server", "Removal"]

Tls = Literal["none", "starttls", "implicit"]
ALL_AUTH = ("USER", "APOP", *MECHANISMS)


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in that succeeded."""

    time: float
    session: int
    user: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A message that is gone from the maildrop because a session removed it."""

    time: float
    session: int
    unique_id: bytes
    content: bytes


class Pop3Server:
    """Serves one maildrop to any user name, or each user's own; stops at the end of its ``with`` block.

    ``tls_at_most`` limits TLS to that very version; ``auth`` names what it accepts: USER, APOP and SASL mechanisms. ``clock`` is what LOGIN-DELAY goes by.
    ``shows`` is its certificate where it is to be one of a test's own, ``at`` where it listens.
    ``allows_top_proof``: the account's proof is by headers. ``judges``: False only where the server itself is what is tested.
    """

    host = LOOPBACK

    def __init__(
        self,
        maildrop: Maildrop | Mapping[str, Maildrop],
        *,
        faults: Iterable[Fault] = (),
        tls: Tls = "none",
        certificate: Certificate = Certificate.GOOD,
        tls_at_most: ssl.TLSVersion | None = None,
        auth: Iterable[str] = ALL_AUTH,
        clock: Callable[[], float] = time.monotonic,
        allows_top_proof: bool = False,
        judges: bool = True,
        shows: Identity | None = None,
        at: tuple[str, int] = (LOOPBACK, 0),
    ) -> None:
        self.maildrops = maildrop if isinstance(maildrop, Mapping) else None
        self.maildrop = maildrop if isinstance(maildrop, Maildrop) else Maildrop()
        self.faults = tuple(faults)
        self.tls: str = tls
        self._certificate = certificate
        self._shows = shows
        self._tls_at_most = tls_at_most
        self.auth = tuple(auth)
        self.secrets = Secrets()
        self.time = clock
        self.commands: list[Command] = []
        self.logins: list[Login] = []
        self.removed: list[Removal] = []
        self.allows_top_proof = allows_top_proof
        self.violations: list[str] = []
        self._judges = judges
        self.connections = 0
        self._lock = Lock()
        self._numbers = count(1)
        self._sessions: dict[Session, Thread] = {}
        self._listener = socket.create_server(at, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = Thread(target=self._accept, name="pop3-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if kind is None and self.violations:
            unpunished[:] = [how for how in unpunished if how not in self.violations]
            raise AssertionError("\n".join(["deleted without having been read:", *self.violations]))

    @property
    def authority(self) -> Authority:
        """Who signed the certificate, where it is a good one."""
        return authority()

    @property
    def certificate(self) -> Identity:
        """What the server shows of itself under TLS."""
        return self._shows or identity(self._certificate)

    @cached_property
    def tls_context(self) -> ssl.SSLContext:
        """How the server speaks TLS."""
        context = self.certificate.server_context()
        if self._tls_at_most is not None:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL 3 refuses the versions that this is for
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = self._tls_at_most
        return context

    @property
    def password(self) -> str:
        """The password of every user."""
        return self.secrets.password

    @property
    def token(self) -> str:
        """The OAuth token of every user."""
        return self.secrets.token

    def stop(self) -> None:
        """Refuse new connections, cut the open ones, and wait until all is quiet."""
        self.stop_listening()
        self._accepting.join()
        with self._lock:
            sessions = dict(self._sessions)
        for session in sessions:
            session.cut()
        for thread in sessions.values():
            thread.join()

    def verbs(self, session: int | None = None) -> list[str]:
        """The commands in the order they came: of one connection, or of all."""
        return [command.verb for command in self.commands if session in {None, command.session}]

    def counts(self) -> Counter[str]:
        """How often each command came."""
        return Counter(self.verbs())

    def stop_listening(self) -> None:
        """Refuse connections from now on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()

    def maildrop_of(self, user: str) -> Maildrop:
        """The maildrop that a user sees; an unknown one's is empty."""
        return self.maildrop if self.maildrops is None else self.maildrops.get(user, Maildrop())

    def heard(self, command: Command) -> None:
        """Note a command."""
        self.commands.append(command)

    def judge_of(self, session: Session) -> Judge:
        """Who holds a session that has just logged in to the rule on the wire."""
        return Judge(self.maildrop_of(session.user), session.number, allows_top_proof=self.allows_top_proof)

    def broke_the_rule(self, how: str) -> None:
        """Note that a session deletes what it has not read."""
        if self._judges:
            self.violations.append(how)
            unpunished.append(how)

    def logged_in(self, session: Session, mechanism: str) -> int:
        """Note a log-in and return how many there were."""
        with self._lock:
            self.logins.append(Login(self.time(), session.number, session.user, mechanism))
            return len(self.logins)

    def remove(self, session: Session, message: Shown) -> None:
        """Remove a message for good, and note it."""
        self.maildrop_of(session.user).remove(message.stored)
        stored = message.stored
        self.removed.append(Removal(self.time(), session.number, stored.unique_id, stored.content))

    def open_sessions(self) -> int:
        """How many connections are being served."""
        with self._lock:
            return len(self._sessions)

    def has_others_in(self, session: Session) -> bool:
        """Whether another session is logged in to the same maildrop."""
        mine = self.maildrop_of(session.user)
        with self._lock:
            others = [other for other in self._sessions if other is not session and other.login]
        return any(self.maildrop_of(other.user) is mine for other in others)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        try:
            for fault in self.faults:
                fault.connected(self)
        except HangUp:
            line.close()
            return
        session = Session(self, next(self._numbers), line, obey)
        thread = Thread(target=self._run, args=[session], name=f"pop3-session-{session.number}", daemon=True)
        with self._lock:
            self._sessions[session] = thread
        thread.start()

    def _run(self, session: Session) -> None:
        try:
            session.run()
        finally:
            with self._lock:
                del self._sessions[session]


def main() -> None:
    """Serve generated messages until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(description="Serve generated messages by POP3 until standard input closes.")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--octets", type=int, default=4000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    body = (b"x" * 70 + b"\r\n") * (options.octets // 72)
    maildrop = Maildrop(b"Subject: message %d\r\n\r\n%b" % (number, body) for number in range(options.messages))
    with Pop3Server(maildrop) as server:
        print(json.dumps({"port": server.port, "password": server.password}), flush=True)  # noqa: T201  its answer
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
