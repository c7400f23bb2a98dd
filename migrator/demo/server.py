"""A small POP3 server on loopback for the demo: exact to the byte, one maildrop, one user.

RFC 1939 with UIDL and TOP, RFC 2449's CAPA and PIPELINING; DELE becomes real at QUIT and only there. Whatever a message
holds is sent as it is: NUL, bare CR, long lines, nothing at all. No TLS: it binds to loopback only, and its
password is a new one for each demo.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import ClassVar

from migrator.lazy_dataclasses import dataclass, field

_COMMAND_LIMIT = 512
"""Octets of a command line (RFC 2449, section 4, allows 255)."""

_CAPABILITIES = b"USER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\n"


class RefusedError(Exception):
    """The server says -ERR, with these words."""


@dataclass(slots=True)
class Maildrop:
    """What the server holds. A message is in canonical form: each line ends in CRLF, or there is none.

    Unique-ids are made of ``epoch``, place and content, as a server makes them that gives new ones to mail it has
    restored.
    """

    username: str
    password: str
    messages: dict[bytes, bytes] = field(default_factory=dict)
    """Contents by unique-id, in the order of arrival."""
    in_use: threading.Lock = field(default_factory=threading.Lock)

    def fill(self, contents: Sequence[bytes], *, epoch: int = 1) -> None:
        """Let these messages arrive."""
        for place, content in enumerate(contents):
            name = sha256(b"%d %d " % (epoch, place) + content).hexdigest()[:24]
            self.messages[name.encode()] = content


@dataclass(frozen=True, slots=True)
class Listed:
    """One message as a session numbers it."""

    unique_id: bytes
    content: bytes


@contextmanager
def serving(maildrop: Maildrop) -> Iterator[int]:
    """Serve a maildrop on a free port of 127.0.0.1, which is yielded; afterwards nothing listens any more."""
    with _Server(maildrop) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    # A session of a run that was interrupted may still wait for its client.
    block_on_close = False

    def __init__(self, maildrop: Maildrop) -> None:
        super().__init__(("127.0.0.1", 0), DemoSession)
        self.maildrop = maildrop

    def handle_error(self, _request: object, _client_address: object) -> None:
        """Say nothing: the client has gone, which is its right at any time."""


class DemoSession(StreamRequestHandler):
    """One connection, from the greeting to QUIT or to the client's hanging up."""

    disable_nagle_algorithm = True
    wbufsize = 256 * 1024
    server: _Server

    def setup(self) -> None:
        """Prepare a session in which nobody has logged in."""
        super().setup()
        self._maildrop = self.server.maildrop
        self._user = b""
        self._is_logged_in = False
        self._listing: list[Listed] = []
        self._deleted: set[int] = set()

    def handle(self) -> None:
        """Answer commands in the order they come, however many are sent ahead (RFC 2449, section 6.8)."""
        self._say(b"+OK the demo's mail server is ready")
        while line := self.rfile.readline(_COMMAND_LIMIT + 1):
            verb, _, argument = line.rstrip(b"\r\n").partition(b" ")
            try:
                is_over = self._answer(verb.upper(), argument)
            except RefusedError as refusal:
                is_over = False
                self._say(b"-ERR " + str(refusal).encode())
            if is_over or len(line) > _COMMAND_LIMIT:
                return

    def finish(self) -> None:
        """Let the maildrop go; without a QUIT nothing was deleted."""
        self._let_go()
        super().finish()

    def _answer(self, verb: bytes, argument: bytes) -> bool:
        """Do what one command asks; true when it was the last."""
        if verb == b"QUIT":
            self._quit()
            return True
        legal = self._AFTER_LOGIN if self._is_logged_in else self._BEFORE_LOGIN
        if verb not in legal:
            raise RefusedError("this command is unknown, or not for now")
        legal[verb](self, argument)
        return False

    def _capa(self, _argument: bytes) -> None:
        self._say_lines(b"this is what I can do", [_CAPABILITIES])

    def _user_name(self, argument: bytes) -> None:
        self._user = argument
        self._say(b"+OK and the password?")

    def _password(self, argument: bytes) -> None:
        expected = self._maildrop.username.encode(), self._maildrop.password.encode()
        if self._user != expected[0] or not hmac.compare_digest(argument, expected[1]):
            raise RefusedError("[AUTH] user or password is wrong")
        if not self._maildrop.in_use.acquire(blocking=False):
            raise RefusedError("[IN-USE] another session has this maildrop")
        self._is_logged_in = True
        self._listing = [Listed(*message) for message in self._maildrop.messages.items()]
        self._say(b"+OK %d messages" % len(self._listing))

    def _stat(self, _argument: bytes) -> None:
        left = [message for _, message in self._left()]
        self._say(b"+OK %d %d" % (len(left), sum(len(message.content) for message in left)))

    def _list(self, argument: bytes) -> None:
        self._scan(argument, lambda message: b"%d" % len(message.content))

    def _uidl(self, argument: bytes) -> None:
        self._scan(argument, lambda message: message.unique_id)

    def _scan(self, argument: bytes, tell: Callable[[Listed], bytes]) -> None:
        if argument:
            number = self._number(argument)
            self._say(b"+OK %d %b" % (number, tell(self._listing[number - 1])))
        else:
            self._say_lines(b"", [b"%d %b\r\n" % (number, tell(message)) for number, message in self._left()])

    def _retrieve(self, argument: bytes) -> None:
        content = self._listing[self._number(argument) - 1].content
        self._say_lines(b"%d octets" % len(content), [stuffed(content)])

    def _top(self, argument: bytes) -> None:
        number, _, lines = argument.partition(b" ")
        content = self._listing[self._number(number) - 1].content
        if not lines.isdigit():
            raise RefusedError("TOP takes a message number and a number of lines")
        self._say_lines(b"", [stuffed(top(content, int(lines)))])

    def _delete(self, argument: bytes) -> None:
        self._deleted.add(self._number(argument))
        self._say(b"+OK it goes at QUIT")

    def _reset(self, _argument: bytes) -> None:
        self._deleted.clear()
        self._say(b"+OK")

    def _no_operation(self, _argument: bytes) -> None:
        self._say(b"+OK")

    def _quit(self) -> None:
        for number in self._deleted:
            del self._maildrop.messages[self._listing[number - 1].unique_id]
        self._let_go()  # before the reply: the client may come back as soon as it has read it
        self._say(b"+OK %d messages deleted" % len(self._deleted))

    def _let_go(self) -> None:
        if self._is_logged_in:
            self._is_logged_in = False
            self._maildrop.in_use.release()

    def _left(self) -> Iterator[tuple[int, Listed]]:
        """Yield number and message of what is not marked as deleted (RFC 1939, section 5)."""
        numbered = enumerate(self._listing, 1)
        return ((number, message) for number, message in numbered if number not in self._deleted)

    def _number(self, argument: bytes) -> int:
        number = int(argument) if argument.isdigit() and len(argument) < 10 else 0
        if not 1 <= number <= len(self._listing) or number in self._deleted:
            raise RefusedError("there is no such message")
        return number

    def _say_lines(self, words: bytes, lines: Sequence[bytes]) -> None:
        self.wfile.write(b"+OK %b\r\n" % words)
        self.wfile.writelines(lines)
        self._say(b".")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
        self.wfile.flush()

    _BEFORE_LOGIN: ClassVar[dict[bytes, Callable[[DemoSession, bytes], None]]] = {
        b"CAPA": _capa,
        b"USER": _user_name,
        b"PASS": _password,
    }
    _AFTER_LOGIN: ClassVar[dict[bytes, Callable[[DemoSession, bytes], None]]] = {
        b"CAPA": _capa,
        b"STAT": _stat,
        b"LIST": _list,
        b"UIDL": _uidl,
        b"RETR": _retrieve,
        b"TOP": _top,
        b"DELE": _delete,
        b"RSET": _reset,
        b"NOOP": _no_operation,
    }


def stuffed(content: bytes) -> bytes:
    """Return a message as it goes over the line: one more dot before each line that begins with one."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


def top(content: bytes, lines: int) -> bytes:
    """Return the header block, the empty line and some lines of the body (RFC 1939, section 7)."""
    end = 2 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n") + 4
    if end < 4 and not content.startswith(b"\r\n"):
        return content  # there is no empty line: all of it is header
    for _ in range(lines):
        end = content.find(b"\r\n", end) + 2
        if end < 2:
            return content
    return content[:end]
