"""Where a maildrop is, how to get in, and what sessions have learned of the server."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.errors import Endpoint
from migrator.net.tls import TlsSettings, is_loopback


@dataclass(frozen=True, slots=True)
class Source:
    """Where a maildrop is and how to get in. ``timeout`` is for silence and lack of progress, in seconds."""

    host: str
    port: int
    tls: TlsSettings
    username: str
    auth: str = "auto"
    allow_plaintext: bool = False
    timeout: float = 45.0

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.host, self.port)

    def may_reveal(self, *, is_encrypted: bool) -> bool:
        """Tell whether a password may cross the line."""
        return is_encrypted or self.allow_plaintext or is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What sessions learned of a server; kept by the ledger per host and port."""

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


NOTHING_KNOWN = ServerFacts()
