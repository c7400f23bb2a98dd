"""Passwords of the people who use the page, as argon2id hashes.

One hash takes about 20 MB and a fifth of a second; two at most are made at one time, the others wait.
"""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's second choice for argon2id
_TWO = threading.Semaphore(2)


def hashed(password: str) -> str:
    """Return a new hash of a password."""
    with _TWO:
        return _HASHER.hash(_octets(password))


def is_right(known: str, password: str) -> bool:
    """Say whether a password is the one that was hashed."""
    with _TWO:
        try:
            return _HASHER.verify(known, _octets(password))
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(known: str) -> bool:
    """Say whether a hash was made at a lower price than one made now."""
    return _HASHER.check_needs_rehash(known)


def _octets(password: str) -> bytes:
    """Return a password's octets; a lone surrogate, which no browser sends, is no reason to fail."""
    return password.encode(errors="surrogatepass")


NOBODY = hashed("a name that nobody has")
"""What a password is compared with where no user has that name, so that the answer takes as long."""
