"""A server that was found, and by whom. Pure data."""

from __future__ import annotations

from enum import StrEnum

from migrator.discovery.presets import Provider
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import TlsMode


class Origin(StrEnum):
    """Who named a server; the contract's words."""

    PRESET = "preset"
    AUTOCONFIG = "autoconfig"
    MX = "mx"
    SRV = "srv"
    GUESS = "guess"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Found:
    """A server and the name to log in with. ``where`` says in words who named it.

    ``is_trusted``: it may be taken without asking a person. ``has_proven_name``: TLS has shown that it is who it says.
    """

    host: str
    port: int
    tls: TlsMode
    username: str
    origin: Origin
    where: str
    is_trusted: bool = False
    provider: Provider | None = None
    auth: str = "auto"
    has_proven_name: bool = False

    def is_same_server(self, other: Found) -> bool:
        """Say whether both name one server, reached in one way."""
        return (self.host, self.port, self.tls) == (other.host, other.port, other.tls)

    def as_json(self) -> dict[str, object]:
        """Return the contract's object."""
        return {
            "host": self.host,
            "port": self.port,
            "tls": str(self.tls),
            "username": self.username,
            "auth": self.auth,
            "source": str(self.origin),
            "trusted": self.is_trusted,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one source has to say: servers, the best first, and remarks for a person who looks for the reason."""

    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
