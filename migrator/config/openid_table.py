"""The table ``[web.oidc]`` as pydantic checks it."""

from __future__ import annotations

from pydantic import Field

from migrator.config.oauth import Https
from migrator.config.openid import OpenId
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

    def value(self) -> OpenId:
        """Return what the table says."""
        return OpenId(**self.told())
