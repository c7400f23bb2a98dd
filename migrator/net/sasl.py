"""SASL mechanisms for POP3 and IMAP alike, and the choice among them. Pure: challenges in, responses out.

PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195), SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677; arithmetic by
``scramp``), OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's). Base64 and line framing belong to the
protocol around them.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from migrator.errors import Correction, FerryError, Kind, Scope, printable
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from scramp import ScramClient

SAFE_IN_CLEAR = ("scram-sha-256", "scram-sha-1", "cram-md5", "apop")
"""What does not reveal the password to a listener, strongest first."""

REVEALING = ("plain", "login", "user")
"""What sends the password itself, in order of preference."""

TOKENS = ("oauthbearer", "xoauth2")
"""What sends an access token; only on request, for a password is no token."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in, and the secret: a password, or an access token for ``TOKENS``. Neither stands in a ``repr``."""

    username: str
    secret: bytes

    def __repr__(self) -> str:
        """Show the name alone."""
        return f"Credentials({self.username!r}, ***)"


class Exchange(Protocol):
    """One attempt to log in.

    ``initial`` is what the client says first (RFC 4422, section 3), None where the server speaks first.
    """

    name: str
    initial: bytes | None

    def respond(self, challenge: bytes) -> bytes:
        """Return the answer to a challenge. Raises ``auth`` or ``protocol`` if it makes no sense."""

    def finish(self) -> None:
        """Judge the server once it has said yes: raises ``auth`` if it did not prove itself where it must."""

    def explanation(self) -> str:
        """Return what the server gave as the reason of a refusal, ``""`` if nothing."""


def choose(offered: Collection[str], wanted: str, *, may_reveal: bool) -> str:
    """Return the mechanism to log in with, by its configuration name.

    ``offered`` holds names in any case, ``apop`` and ``user`` among them where the protocol has them. ``wanted`` is
    ``auto`` (the strongest offered; never a token mechanism) or a name, which is taken even if it is not offered:
    some servers offer nothing and accept it. ``may_reveal`` is whether a secret may cross this line: encrypted,
    loopback, or allowed by configuration. Raises ``auth`` if nothing is left.
    """
    names = {name.lower() for name in offered}
    if wanted != "auto":
        if wanted in SAFE_IN_CLEAR or may_reveal:
            return wanted
        raise _would_reveal(wanted)
    for name in SAFE_IN_CLEAR + (REVEALING if may_reveal else ()):
        if name in names:
            return name
    if not may_reveal and names.intersection(REVEALING + TOKENS):
        raise _would_reveal("every way to log in that the server offers")
    tokens = sorted(names.intersection(TOKENS))
    # Exchange and others that announce NTLM and GSSAPI alone take USER and PASS all the same.
    cure = (
        f'set auth = "{tokens[0]}" and give an access token as password'
        if tokens
        else 'many such servers take a name and a password all the same: set auth = "user"'
    )
    shown = ", ".join(sorted(names)) or "none at all"
    raise FerryError(
        Kind.AUTH,
        f"the server offers no way to log in that can be used here: {shown}",
        cure=cure,
        finding="auth-refused",
        settings=() if tokens else (Correction("auth", "user"),),
    )


def for_a_token(offered: Collection[str], wanted: str, *, may_reveal: bool) -> str:
    """Return the mechanism for an access token, which never travels as a password; arguments as for ``choose``."""
    if wanted == "auto":
        # Some servers announce neither before the log-in: XOAUTH2 is what nearly all of them know.
        is_offered = "oauthbearer" in {name.lower() for name in offered}
        return choose(offered, "oauthbearer" if is_offered else "xoauth2", may_reveal=may_reveal)
    if wanted in TOKENS:
        return choose(offered, wanted, may_reveal=may_reveal)
    raise FerryError(
        Kind.AUTH,
        f"an access token never travels as a password, as auth = {wanted} would have it",
        cure='set auth = "auto", "xoauth2" or "oauthbearer"',
        finding="auth-refused",
        settings=(Correction("auth", "auto"),),
    )


def _would_reveal(what: str) -> FerryError:
    return FerryError(
        Kind.AUTH,
        f"{what} would send the password over an unencrypted connection",
        cure='use tls = "implicit" or "starttls", or set allow_plaintext = true',
        finding="wrong-tls",
    )


def begin(name: str, credentials: Credentials, *, host: str, port: int) -> Exchange:
    """Return a new exchange of the mechanism with this configuration name."""
    match name:
        case "plain":
            return Plain(credentials)
        case "login":
            return Login(credentials)
        case "cram-md5":
            return CramMd5(credentials)
        case "scram-sha-1" | "scram-sha-256":
            return Scram(name.upper(), credentials)
        case "xoauth2":
            return XOAuth2(credentials)
        case "oauthbearer":
            return OAuthBearer(credentials, host, port)
        case _:
            raise FerryError(Kind.AUTH, f"{name} is not a mechanism that this program knows")


def secrets_of(credentials: Credentials, responses: Collection[bytes] = ()) -> tuple[bytes, ...]:
    """Return every form of the secret that a server could echo, longest first, for ``errors.printable``."""
    forms = {credentials.secret, b64encode(credentials.secret)}
    for response in responses:
        if response:
            forms.update((response, b64encode(response)))
    return tuple(sorted((form for form in forms if form), key=len, reverse=True))


class _Answers:
    """What most mechanisms do: say something first, answer no challenge, take the server's word for the rest."""

    name = ""

    def __init__(self, initial: bytes | None) -> None:
        self.initial = initial

    def respond(self, challenge: bytes) -> bytes:
        raise _unexpected(self.name, challenge)

    def finish(self) -> None:
        return

    def explanation(self) -> str:
        return ""


def _unexpected(name: str, challenge: bytes) -> FerryError:
    return FerryError(
        Kind.AUTH,
        f"the server asked something in the middle of {name} that makes no sense",
        server_words=printable(challenge, limit=80),
        scope=Scope.ACCOUNT,
    )


class Plain(_Answers):
    """PLAIN (RFC 4616): everything in one message."""

    name = "PLAIN"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(b"\0" + credentials.username.encode() + b"\0" + credentials.secret)


class Login(_Answers):
    """LOGIN (draft-murchison-sasl-login): the name, then the password, whatever the prompts say."""

    name = "LOGIN"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(None)
        self._answers = [credentials.username.encode(), credentials.secret]

    def respond(self, challenge: bytes) -> bytes:
        """Return the next of name and password."""
        del challenge  # servers word their prompts as they like
        if not self._answers:
            raise _unexpected(self.name, b"")  # the prompt may repeat the password
        return self._answers.pop(0)


class CramMd5(_Answers):
    """CRAM-MD5 (RFC 2195): a keyed hash of the server's challenge."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(None)
        self._credentials = credentials
        self._has_answered = False

    def respond(self, challenge: bytes) -> bytes:
        """Return name and keyed hash."""
        if self._has_answered or not challenge:
            raise _unexpected(self.name, challenge)
        self._has_answered = True
        digest = hmac.new(self._credentials.secret, challenge, "md5").hexdigest()
        return self._credentials.username.encode() + b" " + digest.encode()


class Scram:
    """SCRAM (RFC 5802) without channel binding; the server must prove that it knows the password too."""

    def __init__(self, name: str, credentials: Credentials, nonce: str | None = None) -> None:
        """Let ``nonce`` be chosen by test vectors only."""
        from scramp import ScramClient, ScramException

        self.name = name
        try:
            self._client: ScramClient = ScramClient(
                [name], credentials.username, credentials.secret.decode(), c_nonce=nonce
            )
            self.initial: bytes | None = str(self._client.get_client_first()).encode()
        except UnicodeDecodeError as error:
            raise FerryError(
                Kind.AUTH,
                f"{name} needs a password that is valid UTF-8, and this one has other bytes",
                cure='set auth = "plain" (or "user"), which sends it as it is, or change the password',
            ) from error
        except ScramException as error:
            raise self._failed() from error
        self._step = 0

    def respond(self, challenge: bytes) -> bytes:
        """Return client-final for server-first, and nothing for server-final, once it is proven right."""
        from scramp import ScramException

        self._step += 1
        try:
            text = challenge.decode()
            if self._step == 1:
                self._client.set_server_first(text)
                return str(self._client.get_client_final()).encode()
            if self._step == 2:
                self._client.set_server_final(text)
                return b""
        except (ScramException, ValueError) as error:
            raise self._failed() from error
        raise _unexpected(self.name, b"")

    def _failed(self) -> FerryError:
        return FerryError(Kind.AUTH, f"{self.name} failed: the server's part does not fit the password")

    def finish(self) -> None:
        """Raise ``auth`` unless the server's signature came and fitted."""
        if self._step < 2:
            raise FerryError(Kind.AUTH, f"the server broke off {self.name} without proving that it knows the password")

    def explanation(self) -> str:
        """Return nothing: SCRAM's own errors say no more than the reply."""
        return ""


class XOAuth2(_Answers):
    """XOAUTH2: name and bearer token; a refusal comes as a challenge with JSON, to be answered with nothing."""

    name = "XOAUTH2"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(
            b"user=" + credentials.username.encode() + b"\x01auth=Bearer " + credentials.secret + b"\x01\x01"
        )
        self._reason = ""

    def respond(self, challenge: bytes) -> bytes:
        """Remember why the server refuses and let it say so."""
        if self._reason:
            raise _unexpected(self.name, b"")
        self._reason = _oauth_reason(challenge)
        return self._last_response()

    def explanation(self) -> str:
        """Return the status in the refusal."""
        return self._reason

    def _last_response(self) -> bytes:
        return b""


class OAuthBearer(XOAuth2):
    """OAUTHBEARER (RFC 7628): as XOAUTH2, with a GS2 header; the refusal is answered with one ^A (section 3.2.3)."""

    name = "OAUTHBEARER"

    def __init__(self, credentials: Credentials, host: str, port: int) -> None:
        super().__init__(credentials)
        user = credentials.username.replace("=", "=3D").replace(",", "=2C").encode()
        where = f"\x01host={host}\x01port={port}\x01auth=Bearer ".encode()
        self.initial = b"n,a=" + user + b"," + where + credentials.secret + b"\x01\x01"

    def _last_response(self) -> bytes:
        return b"\x01"


def _oauth_reason(challenge: bytes) -> str:
    """Return the ``status`` (and ``error`` text) of a refusal's JSON, and nothing that it merely repeats."""
    try:
        document = json.loads(challenge)
        status = document.get("status") or document.get("error")
    except (ValueError, AttributeError, RecursionError):
        return "no reason that could be read"
    return f"status {printable(str(status).encode(), limit=80)}"
