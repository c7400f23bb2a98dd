"""Access tokens as the secret of an account: ``password = { oauth = … }``.

What fetches them is imported at the place of use: most configurations have none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config.secrets import Secret
from migrator.lazy_dataclasses import dataclass
from migrator.oauth.provider import Provider

if TYPE_CHECKING:
    from migrator.oauth.signed_in import SignedIn


@dataclass(frozen=True, slots=True, repr=False)
class OAuthSecret(Secret):
    """An access token of one user, fetched with a sign-in below ``state_dir``."""

    provider: Provider
    user: str
    folder: Path
    account: str = ""

    @property
    def source(self) -> str:
        """Name the provider and the user."""
        return f"the sign-in at {self.provider.name} as {self.user}"

    @property
    def is_token(self) -> bool:
        """Say that it never travels as a password."""
        return True

    def signed_in(self) -> SignedIn:
        """Return what fetches the tokens and keeps the sign-in."""
        from migrator.oauth.signed_in import SignedIn

        return SignedIn(self.provider, self.user, self.folder, self.account)

    def for_login(self) -> Callable[[], str]:
        """Return what a log-in calls for a token, and tells of a refusal."""
        from migrator.net.access_token import AccessToken

        signed_in = self.signed_in()
        return AccessToken(self.reveal, signed_in.renewed, signed_in.give_up, self.account)

    def identity(self, *, is_fresh_each_time: bool = False) -> str:  # noqa: ARG002  # it always is
        """Return what changes when somebody signs in, or changes the client's own secret. Asks nobody."""
        client = self.provider.client_secret
        own = client.identity() if isinstance(client, Secret) else ""
        return f"{self.signed_in().identity()} {own}"

    def _fetch(self) -> str:
        return self.signed_in().access_token()
