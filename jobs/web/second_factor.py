"""The second factor of a user: one-time codes (RFC 6238), each good once, and recovery codes for a lost device.

A proposal (secret and recovery codes) is the user's only once a code of it was given; until then nothing is kept of it.
It is signed, so that nobody can have a user take a secret that somebody else knows.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

import pyotp

from migrator.lazy_dataclasses import dataclass

STEP_SECONDS = 30
RECOVERY_CODES = 10
TICKET_SECONDS = 300.0
"""How long a user may take from the password to the code."""

_KEY = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A secret that a user may take, with its recovery codes. ``written`` is the form in which a page keeps it."""

    secret: str
    recovery: Sequence[str]
    written: str

    def address(self, name: str) -> str:
        """Return what an authenticator takes the secret from."""
        return pyotp.TOTP(self.secret).provisioning_uri(name=name, issuer_name="mailferry")


def proposed() -> Proposal:
    """Return a new proposal."""
    return _proposal(pyotp.random_base32())


def proposal_from(written: str) -> Proposal | None:
    """Return a proposal that this process has made, None for anything else."""
    secret, _, signature = written.partition(".")
    return _proposal(secret) if _is_signed("proposal", secret, signature) else None


def _proposal(secret: str) -> Proposal:
    codes = [_recovery_code(secret, number) for number in range(RECOVERY_CODES)]
    return Proposal(secret, codes, f"{secret}.{_signed('proposal', secret)}")


def _recovery_code(secret: str, number: int) -> str:
    """Return one code: 60 bits in groups of four, which nobody derives without this process."""
    octets = hmac.new(_KEY, f"recovery {number} {secret}".encode(), "sha256").digest()
    letters = base64.b32encode(octets).decode().lower()[:12]
    return "-".join(letters[start : start + 4] for start in range(0, 12, 4))


def step_of(secret: str, code: str, now: float, last_step: int) -> int | None:
    """Return the time step that a code belongs to, None where it is wrong or its step was used before.

    A clock may be off by one step.
    """
    given = "".join(code.split()).encode(errors="replace")
    current = int(now // STEP_SECONDS)
    codes = pyotp.TOTP(secret)
    for step in (current, current - 1, current + 1):
        if step > last_step and hmac.compare_digest(codes.at(step * STEP_SECONDS).encode(), given):
            return step
    return None


def recovery_hash(code: str) -> str:
    """Return the form in which a recovery code is kept; blanks, dashes and case are no part of it."""
    letters = "".join(letter for letter in code.lower() if letter.isalnum())
    return sha256(letters.encode(errors="replace")).hexdigest()


def ticket(name: str, now: float) -> str:
    """Return what says that a user has given the password, for some minutes."""
    said = f"{int(now + TICKET_SECONDS)}|{name}"
    return f"{_signed('ticket', said)}|{said}"


def name_on(written: str, now: float) -> str:
    """Return whose ticket this is; empty for one that is over or none."""
    signature, _, said = written.partition("|")
    until, _, name = said.partition("|")
    is_good = _is_signed("ticket", said, signature) and until.isdecimal() and now < int(until)
    return name if is_good else ""


def _signed(purpose: str, said: str) -> str:
    return hmac.new(_KEY, f"{purpose} {said}".encode(errors="replace"), "sha256").hexdigest()


def _is_signed(purpose: str, said: str, signature: str) -> bool:
    return hmac.compare_digest(_signed(purpose, said).encode(), signature.encode(errors="replace"))
