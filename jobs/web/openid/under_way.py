"""Sign-ins at the OpenID provider that a browser has begun here: each is answered once, by that browser, and soon.

In memory. The browser knows its own by a cookie that comes along when the provider sends it back; a state alone, which
stands in addresses, lets nobody in (RFC 6749, section 10.12). Safe to call from any thread.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from enum import Enum, auto
from hashlib import sha256

from migrator.config.openid import OpenId
from migrator.lazy_dataclasses import dataclass, field
from migrator.oauth.exchange import Authorization

LONGEST_SECONDS = 600.0
"""So long somebody may take at the provider."""
MOST_BEGUN = 5_000


class Purpose(Enum):
    """What the sign-in at the provider is for."""

    SIGN_IN = auto()
    CONNECT = auto()
    """A user who is signed in here connects the own account there."""
    AGAIN = auto()
    """A user who is signed in here shows again who they are, in place of the password."""


@dataclass(frozen=True, slots=True)
class Begun:
    """One sign-in. ``owner`` is the form token of the session that began it, empty for a stranger."""

    purpose: Purpose
    provider: OpenId
    authorization: Authorization
    nonce: str = field(repr=False)
    wanted: str = ""
    """The address of ours to go on to."""
    invitation: str = field(default="", repr=False)
    owner: str = field(default="", repr=False)
    user: str = ""


class UnderWay:
    """The sign-ins of all browsers; the oldest gives way where there are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[bytes, tuple[float, Begun]] = {}

    def keep(self, begun: Begun) -> str:
        """Remember a sign-in; returns what the browser's cookie is to hold."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._begun) >= MOST_BEGUN:
                self._begun.pop(next(iter(self._begun)))
            self._begun[_hash(secret)] = (self._clock() + LONGEST_SECONDS, begun)
        return secret

    def take(self, secret: str) -> Begun | None:
        """Return the sign-in of a browser, once; None where it has none, or it took too long."""
        with self._lock:
            until, begun = self._begun.pop(_hash(secret), (0.0, None))
        return begun if self._clock() < until else None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()
