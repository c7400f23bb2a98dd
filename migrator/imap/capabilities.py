"""What a server can do for an upload, read from its capabilities."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from migrator.lazy_dataclasses import dataclass

UNASKED_LIMIT = 1024 * 1024
"""Octets of the longest literal that is sent without asking: where it is refused after all, that is what it has cost.

isync asks from 100 KiB on, Thunderbird never; each question is a round trip, and waits for all that was sent before.
"""


class Literals(Enum):
    """Which literals may be sent without waiting for the server's go-ahead (RFC 7888)."""

    PLUS = UNASKED_LIMIT
    MINUS = 4096
    SYNCHRONISING = -1


@dataclass(frozen=True, slots=True)
class UploadCapabilities:
    """MULTIAPPEND (RFC 3502), literals (RFC 7888), APPENDLIMIT (RFC 7889), MESSAGELIMIT (RFC 9738)."""

    has_multiappend: bool
    literals: Literals
    append_limit: int | None
    message_limit: int | None

    @classmethod
    def of(cls, capabilities: Collection[bytes]) -> UploadCapabilities:
        """Read what a logged-in server announces; names are in upper case."""
        if b"LITERAL+" in capabilities:
            literals = Literals.PLUS
        elif b"LITERAL-" in capabilities or b"IMAP4REV2" in capabilities:
            literals = Literals.MINUS
        else:
            literals = Literals.SYNCHRONISING
        return cls(
            has_multiappend=b"MULTIAPPEND" in capabilities,
            literals=literals,
            append_limit=_number(capabilities, b"APPENDLIMIT="),
            message_limit=_number(capabilities, b"MESSAGELIMIT="),
        )

    def is_sent_unasked(self, octets: int) -> bool:
        """Say whether a literal of this many octets goes out without waiting for the server's go-ahead."""
        return octets <= self.literals.value


def _number(capabilities: Collection[bytes], prefix: bytes) -> int | None:
    for capability in capabilities:
        number = capability.removeprefix(prefix)
        if number != capability and number.isdigit() and len(number) < 20:
            return int(number)
    return None
