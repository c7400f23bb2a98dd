"""What is configured about an IMAP mailbox."""

from __future__ import annotations

from collections.abc import Callable

from migrator.errors import Endpoint
from migrator.imap.upload_limits import Allowances
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import Proof
from migrator.net.tls import TlsSettings
from migrator.policy import WhenCopyIsGone


@dataclass(frozen=True, slots=True)
class ImapSettings:
    r"""A folder of one user on one server, and how copies are to look there.

    ``flags`` are system flags (``\Seen``) and ``keywords`` words; both only where the folder keeps them for good.
    ``timeout`` is how many seconds of silence, or of a reply that does not end, are borne. ``allowances`` None means
    what is known of the provider by its host. ``setting_place`` tells where in the configuration a setting of this
    mailbox belongs, in words. ``is_token``: the secret is an access token, which is never given as a password.
    """

    host: str
    port: int
    username: str
    tls: TlsSettings = field(default_factory=TlsSettings)
    auth: str = "auto"
    allow_plaintext: bool = False
    folder: str = "INBOX"
    proof: Proof = Proof.EXACT
    timeout: float = 45.0
    flags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    seen: bool = False
    allowances: Allowances | None = None
    when_copy_is_gone: WhenCopyIsGone = WhenCopyIsGone.KEEP
    setting_place: Callable[[], str] = str
    is_token: bool = False

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.host, self.port)

    @property
    def wanted_flags(self) -> tuple[str, ...]:
        """All flags and keywords that copies are to have, each once."""
        seen = ("\\Seen",) if self.seen else ()
        return tuple(dict.fromkeys((*seen, *self.flags, *self.keywords)))
