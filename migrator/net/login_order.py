"""Which way to log in is tried first, and which next where the server refuses one that it offers. Pure.

The strongest challenge offered comes first. Servers that keep hashed passwords offer CRAM-MD5 and APOP all the same,
and can never accept them, so behind a refused challenge comes what sends the password itself, where the line allows it.
What worked for a user is remembered with the server, and so is what was refused although the password was right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from migrator.lazy_dataclasses import dataclass, replace
from migrator.net.sasl import REVEALING, SAFE_IN_CLEAR

MOST_REFUSED: Final = 3
"""Log-ins that may be refused in one run: servers lock out who goes on."""


@dataclass(frozen=True, slots=True)
class LoginMemory:
    """What is known of log-ins of one user at one server."""

    worked: str = ""
    """The mechanism of the last log-in."""
    refused: tuple[str, ...] = ()
    """Mechanisms that were offered and refused, though the password was right."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> LoginMemory:
        """Return what the ledger has kept."""
        return cls(str(stored.get("worked", "")), tuple(map(str, stored.get("refused", ()))))

    def to_stored(self) -> dict[str, object]:
        """Return what the ledger is to keep."""
        return {"worked": self.worked, "refused": list(self.refused)}

    def after(self, mechanism: str, refused: Sequence[str]) -> LoginMemory:
        """Return what is known once ``mechanism`` has worked, after these were refused."""
        return replace(self.without(refused), worked=mechanism).trusting(mechanism)

    def without(self, refused: Sequence[str]) -> LoginMemory:
        """Return what is known once these were refused, and the password was not at fault."""
        return replace(self, refused=tuple(dict.fromkeys((*self.refused, *refused))))

    def trusting(self, mechanism: str) -> LoginMemory:
        """Return what is known when nothing speaks against this mechanism any more."""
        return replace(self, refused=tuple(name for name in self.refused if name != mechanism))

    def makes_weaker(self, mechanism: str) -> bool:
        """Say whether this mechanism protects the password less than what worked the last time."""
        return _strength(mechanism) < _strength(self.worked)


class Says(Enum):
    """What a server says as it refuses a log-in."""

    PASSWORD = auto()
    """User or password are wrong."""
    MECHANISM = auto()
    """It does not know this way to log in."""
    NOTHING = auto()
    """No, and nothing more."""


def order(offered: Collection[str], memory: LoginMemory, *, may_reveal: bool) -> tuple[str, ...]:
    """Return the mechanisms that may be tried, in order. ``may_reveal``: whether the password may cross the line."""
    names = {name.lower() for name in offered}
    usable = [name for name in (*SAFE_IN_CLEAR, *(REVEALING if may_reveal else ())) if name in names]
    fresh = [name for name in usable if name not in memory.refused]
    challenges = [name for name in fresh if name in SAFE_IN_CLEAR]
    known = [memory.worked] if memory.worked in fresh else []
    revealing = [name for name in fresh if name in REVEALING]
    return tuple(dict.fromkeys((*challenges[:1], *known, *revealing, *challenges, *usable)))


def next_mechanism(ordered: Sequence[str], refused: Sequence[str], said: Says, memory: LoginMemory) -> str | None:
    """Return what to try after the last of ``refused`` was refused in this way, None if that is the end.

    A challenge that worked before fails for the password's sake, and so does a password that was sent as it is: only
    where the server does not know the mechanism, or says nothing, may another form of the same be tried.
    """
    last = refused[-1]
    if len(refused) >= MOST_REFUSED or (said is not Says.MECHANISM and last == memory.worked):
        return None
    if said is Says.PASSWORD and last in REVEALING:
        return None
    left = [name for name in ordered if name not in refused]
    if last in REVEALING:
        left = [name for name in left if name in REVEALING]
    if said is Says.MECHANISM and "user" in left:
        return "user"  # hMailServer knows no AUTH at all
    return next(iter(left), None)


def _strength(mechanism: str) -> int:
    """Return how well a mechanism protects a password from a listener: nothing at all, or by its place."""
    return len(SAFE_IN_CLEAR) - SAFE_IN_CLEAR.index(mechanism) if mechanism in SAFE_IN_CLEAR else 0
