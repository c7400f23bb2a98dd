"""The server's side of SASL over POP3 (RFC 5034), each mechanism a dialogue: challenges out, responses in.

A dialogue yields a challenge (``None`` to ask for the initial response), takes the response, and ends by returning the
user name, or by raising ``RefusedError`` with the words that follow -ERR.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Generator
from dataclasses import dataclass

from scramp import ScramException, ScramMechanism

Dialogue = Generator[bytes, bytes | None, tuple[str, str]]
_Exchange = Generator[bytes, bytes, str]

WRONG = b"[AUTH] wrong user or password"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER")


class RefusedError(Exception):
    """The log-in fails; ``words`` follow -ERR."""

    def __init__(self, words: bytes = WRONG) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Secrets:
    """What every user of a test server knows."""

    password: str = "open-sesame"
    token: str = "ya29.token"


def apop(stamp: bytes, secrets: Secrets) -> bytes:
    """The digest that APOP sends (RFC 1939, section 7)."""
    return hashlib.md5(stamp + secrets.password.encode(), usedforsecurity=False).hexdigest().encode()


def challenge(dialogue: Dialogue, response: bytes | None) -> bytes:
    """Go on with a dialogue: the next challenge, in base64; StopIteration holds (user, mechanism) at its end."""
    return b64encode(next(dialogue) if response is None else dialogue.send(response))


def respond(mechanism: str, secrets: Secrets, initial: bytes | None) -> Dialogue:
    """Begin a mechanism with the initial response (in base64, ``=`` for an empty one) that came with AUTH, if any."""
    exchange = _EXCHANGES[mechanism](secrets)
    said = next(exchange)
    if initial is not None:
        said, initial = b"", b"" if initial == b"=" else initial
        try:
            said = exchange.send(_decoded(initial))
        except StopIteration as end:
            return str(end.value), mechanism
    while True:
        response = yield said
        try:
            said = exchange.send(_decoded(response or b""))
        except StopIteration as end:
            return str(end.value), mechanism


def _decoded(response: bytes) -> bytes:
    if response == b"*":
        raise RefusedError(b"cancelled")
    try:
        return b64decode(response, validate=True)
    except Base64Error as error:
        raise RefusedError(b"no base64") from error


def _require(holds: bool) -> None:
    if not holds:
        raise RefusedError


def _plain(secrets: Secrets) -> _Exchange:
    _, _, rest = (yield b"").partition(b"\0")
    user, _, password = rest.partition(b"\0")
    _require(password == secrets.password.encode())
    return user.decode()


def _login(secrets: Secrets) -> _Exchange:
    user = yield b"Username:"
    password = yield b"Password:"
    _require(password == secrets.password.encode())
    return user.decode()


def _cram_md5(secrets: Secrets) -> _Exchange:
    stamp = b"<1896.697170952@localhost>"
    user, _, digest = (yield stamp).rpartition(b" ")
    _require(digest == hmac.new(secrets.password.encode(), stamp, "md5").hexdigest().encode())
    return user.decode()


def _scram(name: str) -> Callable[[Secrets], _Exchange]:
    def exchange(secrets: Secrets) -> _Exchange:
        mechanism = ScramMechanism(name)
        users: list[str] = []

        def look_up(user: str) -> object:
            users.append(user)
            return mechanism.make_auth_info(secrets.password, iteration_count=4096)

        server = mechanism.make_server(look_up)
        try:
            server.set_client_first((yield b"").decode())
            server.set_client_final((yield server.get_server_first().encode()).decode())
        except (ScramException, UnicodeDecodeError) as error:
            raise RefusedError from error
        yield server.get_server_final().encode()
        return users[0]

    return exchange


def _xoauth2(secrets: Secrets) -> _Exchange:
    fields = _oauth_fields((yield b"").split(b"\x01"))
    if fields.get(b"auth") != b"Bearer " + secrets.token.encode():
        yield b'{"status":"401","schemes":"bearer","scope":"https://mail.example.org/"}'
        raise RefusedError
    return fields.get(b"user", b"").decode()


def _oauthbearer(secrets: Secrets) -> _Exchange:
    header, *rest = (yield b"").split(b"\x01")
    if _oauth_fields(rest).get(b"auth") != b"Bearer " + secrets.token.encode():
        yield b'{"status":"invalid_token"}'  # RFC 7628, section 3.2.3: the client answers %x01
        raise RefusedError
    return header.removeprefix(b"n,a=").removesuffix(b",").decode()


def _oauth_fields(parts: list[bytes]) -> dict[bytes, bytes]:
    return {name: value for name, _, value in (part.partition(b"=") for part in parts)}


_EXCHANGES: dict[str, Callable[[Secrets], _Exchange]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "SCRAM-SHA-1": _scram("SCRAM-SHA-1"),
    "SCRAM-SHA-256": _scram("SCRAM-SHA-256"),
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
