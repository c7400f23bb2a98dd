"""The tables ``[oauth.NAME]``, and what stands in their place in ``password = { oauth = … }``.

Endpoints are reached by https only. An issuer is named by the owner of the configuration and by nobody else: it is
asked where its endpoints are when somebody signs in, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from migrator.config.oauth_secret import OAuthSecret
from migrator.config.passwords import Tokens
from migrator.config.problems import Place, described, nearest
from migrator.config.table import Context, SecretValue, Table, Text, Written
from migrator.oauth.provider import Endpoints, Grant, Provider, google, microsoft

BUILT_IN = ("google", "microsoft")
FOLDER = "secrets"
"""Where sign-ins are kept, below ``state_dir``; never in a backup."""


def _https(written: object) -> str:
    if not isinstance(written, str) or any(character <= " " or character > "~" for character in written):
        raise ValueError("must be an https URL")
    parts = urlsplit(written)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("must be an https URL")
    return written


Https = Annotated[str, BeforeValidator(_https), Written("https URL")]
Scopes = Annotated[tuple[Text, ...], Written("list of texts")]


class OAuthTable(Table):
    """A client of a provider of access tokens; `google` and `microsoft` know everything but the client."""

    client_id: Text = Field(description="the client that you have registered with the provider ([how](oauth.md))")
    client_secret: SecretValue | None = Field(
        None, description="its secret, written as passwords are; only where the provider wants one"
    )
    tenant: Text | None = Field(None, description="for `microsoft`: whose mailboxes; default: `common`")
    authorize: Https | None = Field(None, description="where people sign in")
    token: Https | None = Field(None, description="where tokens are issued")
    device: Https | None = Field(None, description="where codes for other devices are issued")
    issuer: Https | None = Field(
        None, description="in place of these three: the issuer, which publishes them (RFC 8414)"
    )
    scopes: Scopes = Field((), description="what is asked for")
    grant: Grant = Field(
        Grant.PERSON,
        description="`person`: somebody signs in; `client-credentials`: the client itself may read the mailboxes",
    )

    @model_validator(mode="after")
    def _has_a_secret(self) -> Self:
        if self.grant is Grant.CLIENT and self.client_secret is None:
            raise ValueError('client_secret is missing: grant = "client-credentials" needs one')
        return self

    def value(self) -> Self:
        """Return the table itself: what it means depends on its name."""
        return self

    def provider(self, name: str) -> Provider:
        """Return what the table means under a name; raises ``ValueError``."""
        endpoints = self._endpoints()
        if name in BUILT_IN and endpoints is None and not self.issuer:
            return self._built_in(name)
        if self.tenant:
            raise ValueError("tenant is for the built-in microsoft only")
        if endpoints is None and not self.issuer:
            known = " and ".join(BUILT_IN)
            raise ValueError(f"token and authorize are missing, or issuer; only {known} are known by name")
        if not self.scopes:
            raise ValueError("scopes is missing: what is to be asked for")
        return Provider(
            name,
            self.client_id,
            endpoints,
            self.issuer or "",
            self.scopes,
            self.client_secret,
            self.grant,
        )

    def _endpoints(self) -> Endpoints | None:
        if not (self.token or self.authorize or self.device):
            return None
        if self.issuer:
            raise ValueError("issuer stands beside the endpoints that it publishes; keep one of them")
        if not self.token:
            raise ValueError("token is missing")
        if not (self.authorize or self.device) and self.grant is Grant.PERSON:
            raise ValueError("authorize is missing, or device: nobody could sign in")
        return Endpoints(self.token, self.authorize or "", self.device or "")

    def _built_in(self, name: str) -> Provider:
        if name == "google":
            if self.tenant:
                raise ValueError("tenant is for microsoft only")
            if self.grant is Grant.CLIENT:
                raise ValueError('google has no grant = "client-credentials" for mail')
            return google(self.client_id, self.client_secret, self.scopes)
        tenant = self.tenant or "common"
        if self.grant is Grant.CLIENT and tenant in {"common", "consumers", "organizations"}:
            raise ValueError('tenant is missing: grant = "client-credentials" is for the mailboxes of one tenant')
        if any(not (character.isalnum() or character in "-.") for character in tenant):
            raise ValueError("tenant must be a name or an id")
        return microsoft(self.client_id, self.client_secret, tenant, self.scopes, self.grant)


class TokenSources:
    """What ``{ oauth = … }`` may name, and where the sign-ins are kept."""

    def __init__(self, context: Context, state_dir: Path) -> None:
        self._context = context
        self._folder = state_dir / FOLDER
        self._known: dict[str, Provider] = {}
        self._is_wrong: set[str] = set()

    def add(self, name: str, table: OAuthTable | None) -> list[str]:
        """Take a table under its name, None where it could not be read; returns what is wrong with it."""
        if table is None:
            self._is_wrong.add(name)
            return []
        try:
            self._known[name] = table.provider(name)
        except ValueError as error:
            self._is_wrong.add(name)
            return [str(error)]
        return []

    def of_account(self, account: str) -> Tokens:
        """Return what makes the secrets of one account."""
        return partial(self.secret, account=account)

    def secret(self, written: object, user: str, account: str = "") -> OAuthSecret:
        """Return the access tokens of a user; raises ``ValueError`` with words for a person."""
        return OAuthSecret(self._provider(written), user, self._folder, account)

    def _provider(self, written: object) -> Provider:
        if isinstance(written, Mapping):
            return _described(written, self._context)
        if not isinstance(written, str):
            raise ValueError("oauth must be a name or a table")  # noqa: TRY004  # pydantic collects ValueError only
        if written in self._known:
            return self._known[written]
        if written in self._is_wrong:
            raise ValueError(f"[oauth.{written}] is not right")
        if written in BUILT_IN:
            raise ValueError(f"there is no [oauth.{written}] with a client_id; docs/oauth.md says how to get one")
        raise ValueError(f"there is no [oauth.{written}]{nearest(written, {*self._known, *BUILT_IN})}")


def _described(written: Mapping[str, object], context: Context) -> Provider:
    try:
        table = OAuthTable.model_validate(written, context=context)
    except ValidationError as error:
        told = described(error.errors(), OAuthTable.key_names(), Place(file="oauth"))
        raise ValueError("; ".join(told)) from None
    return table.provider(urlsplit(table.issuer or table.token or "").hostname or "oauth")
