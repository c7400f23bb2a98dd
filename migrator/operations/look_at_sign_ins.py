"""What is kept of an account's sign-ins, as facts; no provider is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from migrator.errors import FerryError
from migrator.findings.facts import SignInFacts

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.config.oauth_secret import OAuthSecret


def look_at_sign_ins(account: Account) -> tuple[SignInFacts, ...]:
    """Return what is kept for each access token that the account logs in with."""
    secrets = [secret for secret in account.secrets() if secret.is_token]
    if not secrets:
        return ()
    from migrator.config.oauth_secret import OAuthSecret

    return tuple(dict.fromkeys(_look(secret) for secret in secrets if isinstance(secret, OAuthSecret)))


def _look(secret: OAuthSecret) -> SignInFacts:
    label = f"{secret.user} at {secret.provider.name}"
    signed_in = secret.signed_in()
    trouble = signed_in.trouble()
    try:
        known = signed_in.known()
    except FerryError:
        known = None
    if known is None:
        return SignInFacts(label, trouble)
    return SignInFacts(label, trouble, known.ending(time.time()), known.signed_in_at)
