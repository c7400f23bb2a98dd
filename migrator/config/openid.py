"""The OpenID provider at which users sign in to the page: ``[web.oidc]``."""

from __future__ import annotations

from urllib.parse import urlsplit

from migrator.config.secrets import Secret
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId:
    """The OpenID provider at which users may sign in."""

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    name: str | None = None

    @property
    def label(self) -> str:
        """What people call the provider."""
        return self.name or urlsplit(self.issuer).hostname or self.issuer
