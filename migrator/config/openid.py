"""The table ``[web.oidc]``: the OpenID provider at which users sign in to the page."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field

from migrator.config.oauth import Https
from migrator.config.table import SecretValue, Table, Text


class OpenIdTable(Table):
    """The OpenID provider at which users may sign in; needs `mailferry[oidc]` ([web](web.md))."""

    issuer: Https = Field(description="the provider; it publishes its endpoints and keys below this address")
    client_id: Text = Field(description="the client that you have registered there for this page")
    client_secret: SecretValue | None = Field(
        None, description="its secret, written as passwords are; a public client has none"
    )
    name: Text | None = Field(
        None, description="what the page calls it: “Sign in with NAME”; by default the host of `issuer`"
    )

    @property
    def label(self) -> str:
        """What people call the provider."""
        return self.name or urlsplit(self.issuer).hostname or self.issuer
