"""What sessions and runs have learned of one server: one value, kept by the ledger per host and port. Pure.

It lies beside the session because the session is its first reader and writer: what a server cannot do must be known
before the next command is sent. What only whole runs can find out (whether a listing shows all there is) stands in the
same value, so that nobody asks two memories about one server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrator.lazy_dataclasses import asdict, dataclass, field, replace
from migrator.net.login_order import LoginMemory

SIZE_TRUST_BOUND = 20

LONGEST_PART = 5_000
"""A longer listing is taken to be the whole maildrop: Gmail shows some 250 messages at a time, and nobody thousands."""

MOST_LOOKS = 3
"""Sessions of a run after which nobody looks for more, on a server that is not known to show parts."""

_RUN_TRAITS = ("shows_part", "complete_up_to", "size_trust")
"""What the ledger keeps under ``habits``; all else stands under ``session`` (both names are older than this class)."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """One server as it was seen by now; a new one is taken to do what RFC 1939 and its own CAPA say.

    Sizes are known in two ways that must not be mixed: ``sizes_differ`` was proven by barriers within a session and
    lets pipelining go on; ``size_trust`` counts message by message over all runs and tells whether missing octets mean
    a message cut short.
    """

    lock_step: bool = False
    """It lost step when commands were sent ahead, though it offers pipelining."""
    no_capa: bool = False
    """CAPA makes it hang or drop the line."""
    sizes_differ: bool = False
    """LIST announces other sizes than RETR sends."""
    stat_moves: bool = False
    """STAT gives other octets within a session, though nothing happens to the messages."""
    no_top: bool = False
    """TOP gives whole messages."""
    status_form: str | None = None
    """What it says behind +OK to RETR, with 0 for each number; None while that is not known."""
    shows_part: bool = False
    """Gmail, for one, lists a few hundred messages and more of them once these are gone."""
    complete_up_to: int = 0
    """The longest listing after which a second session showed nothing new."""
    size_trust: int = 0
    """Rises with every message that came with the octets announced and falls with every other one, within bounds."""
    login: LoginMemory = field(default_factory=LoginMemory, compare=False)
    """How the user in question has logged in; kept apart from the rest, which is the same for all users."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Mapping[str, Any]], login: LoginMemory | None = None) -> ServerProfile:
        """Return what the ledger has kept of a server, and of one user's log-ins there."""
        return cls(**stored.get("session", {}), **stored.get("habits", {}), login=login or LoginMemory())

    def to_stored(self) -> dict[str, dict[str, object]]:
        """Return what the ledger is to keep of the server."""
        traits = asdict(self)
        del traits["login"]
        habits = {name: traits.pop(name) for name in _RUN_TRAITS}
        return {"session": traits, "habits": habits}

    def after_sizes(self, *, fitting: int = 0, differing: int = 0) -> ServerProfile:
        """Return what is known after more messages with the octets announced, or with others."""
        if fitting and self.size_trust == SIZE_TRUST_BOUND:
            return self  # the usual case, once a message
        trust = self.size_trust + fitting - differing
        return replace(self, size_trust=max(-SIZE_TRUST_BOUND, min(trust, SIZE_TRUST_BOUND)))

    @property
    def announces_any_size(self) -> bool:
        """Whether too few octets mean nothing here; until two messages more have differed than fitted, they do."""
        return self.size_trust <= -2

    def wants_another_session(self, listed: int, logins: int) -> bool:
        """Say whether more may show up after the session number ``logins``, which listed and retrieved new mail."""
        if self.shows_part:
            return True
        return logins < MOST_LOOKS and 2 * self.complete_up_to < listed <= LONGEST_PART

    def after_another_session(self, listed_before: int, *, showed_new: bool) -> ServerProfile:
        """Return what is known after looking again."""
        if showed_new:
            return replace(self, shows_part=True)
        return replace(self, complete_up_to=max(self.complete_up_to, listed_before))

    def joined_with(self, other: ServerProfile) -> ServerProfile:
        """Return what is known together with what other runs found out about the same server meanwhile."""
        return replace(
            self,
            shows_part=self.shows_part or other.shows_part,
            complete_up_to=max(self.complete_up_to, other.complete_up_to),
        )


NOTHING_KNOWN: Final = ServerProfile()
