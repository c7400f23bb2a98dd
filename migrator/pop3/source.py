"""Where a maildrop is and how to get in."""

from __future__ import annotations

from migrator.errors import Endpoint
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import TlsSettings, is_loopback


@dataclass(frozen=True, slots=True)
class Source:
    """Where a maildrop is and how to get in. ``timeout`` is for silence and lack of progress, in seconds.

    ``is_token``: the secret is an access token, which is never given as a password.
    """

    host: str
    port: int
    tls: TlsSettings
    username: str
    auth: str = "auto"
    allow_plaintext: bool = False
    timeout: float = 45.0
    is_token: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.host, self.port)

    def may_reveal(self, *, is_encrypted: bool) -> bool:
        """Tell whether a password may cross the line."""
        return is_encrypted or self.allow_plaintext or is_loopback(self.host)
