"""Sign in for an account: a person says yes to its provider once, and access tokens are fetched with that from then on.

What the provider gave is tried at the mailbox before it is kept: the commonest mistake is to sign in as somebody else.
An earlier sign-in stays until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from migrator.config import Source
from migrator.errors import ConfigError, FerryError, Kind
from migrator.lazy_dataclasses import dataclass, replace
from migrator.wiring.account import log_in_with

if TYPE_CHECKING:
    from migrator.config import Account, Server
    from migrator.config.oauth_secret import OAuthSecret
    from migrator.oauth.flows import Effects, Method, Person
    from migrator.oauth.web import Answer

ENDS = ("source", "imap")


@dataclass(frozen=True, slots=True)
class ToSignIn:
    """One sign-in, and the ends of the account that log in by it."""

    secret: OAuthSecret
    servers: tuple[Server, ...]

    @property
    def label(self) -> str:
        """Name user and provider."""
        return f"{self.secret.user} at {self.secret.provider.name}"


@dataclass(frozen=True, slots=True)
class DoneSignIn:
    """A sign-in that is kept. ``untried`` says why a mailbox could not be asked whether it accepts it."""

    label: str
    tried: tuple[str, ...]
    untried: tuple[FerryError, ...]


def to_sign_in(account: Account, end: str | None = None) -> list[ToSignIn]:
    """Return the sign-ins that an account, or one kind of its ends, needs.

    Raises ``ConfigError`` where there is none: for a person, that is; a client's own tokens need nobody.
    """
    found: dict[str, ToSignIn] = {}
    for server in _servers(account, end):
        secret = _oauth(server)
        if secret is None or not secret.provider.needs_person:
            continue
        key = secret.provider.key_for(secret.user)
        known = found.get(key, ToSignIn(secret, ()))
        found[key] = replace(known, servers=(*known.servers, server))
    if not found:
        raise ConfigError([_nothing(account, end)])
    return list(found.values())


def still_to_sign_in(account: Account) -> list[ToSignIn]:
    """Return the sign-ins that an account needs and nobody has made; none for one that needs none."""
    own = (_oauth(server) for server in account.servers())
    if not any(secret is not None and secret.provider.needs_person for secret in own):
        return []
    return [wanted for wanted in to_sign_in(account) if wanted.secret.signed_in().trouble()]


def _servers(account: Account, end: str | None) -> Sequence[Server]:
    servers = account.servers()
    return servers if end is None else [one for one in servers if (one is account.source) == (end == "source")]


def _oauth(server: Server) -> OAuthSecret | None:
    from migrator.config.oauth_secret import OAuthSecret

    return server.password if isinstance(server.password, OAuthSecret) else None


def _nothing(account: Account, end: str | None) -> str:
    own = [secret for server in _servers(account, end) if (secret := _oauth(server)) is not None]
    where = f'account "{account.name}"' if end is None else f'the {end} end of account "{account.name}"'
    if own:
        return f'{where} has tokens of the client itself (grant = "client-credentials"): nobody has to sign in'
    return f'{where} has no password = {{ oauth = "…" }}: there is nothing to sign in to (docs/oauth.md)'


def sign_in(
    wanted: ToSignIn,
    method: Method,
    person: Person,
    *,
    effects: Effects | None = None,
    log_in: Callable[[Server, str], None] = log_in_with,
    clock: Callable[[], float] = time.time,
) -> DoneSignIn:
    """Have a person sign in, try the token at each mailbox, and keep the sign-in; durable on return.

    Raises ``FerryError`` where the provider or a mailbox says no; then nothing has changed. A mailbox that cannot be
    asked now says so later.
    """
    from migrator.oauth import flows

    effects = effects or flows.Effects()
    asked_at = clock()

    def ask(url: str, form: str | None) -> Answer:
        nonlocal asked_at
        asked_at = clock()
        return effects.ask(url, form)

    secret = wanted.secret
    tokens = flows.sign_in(secret.provider, secret.user, method, person, replace(effects, ask=ask))
    tried, untried = [], []
    for server in wanted.servers:
        try:
            log_in(server, tokens.access)
            protocol = "POP3" if isinstance(server, Source) else "IMAP"
            tried.append(f"{server.username} at {server.host} ({protocol})")
        except FerryError as error:
            if error.kind is Kind.AUTH:
                raise _not_theirs(error, secret) from error
            untried.append(error)
    secret.signed_in().keep(tokens, asked_at)
    return DoneSignIn(wanted.label, tuple(tried), tuple(untried))


def _not_theirs(error: FerryError, secret: OAuthSecret) -> FerryError:
    return FerryError(
        Kind.AUTH,
        f"the mailbox of {secret.user} does not accept this sign-in, so it is not kept: {error.message}",
        server_words=error.server_words,
        cure=f"was it {secret.user} who signed in? If so, look whether the provider lets programs fetch this mail",
        finding="sign-in-needed",
    )
