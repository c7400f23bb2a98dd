"""Access tokens of one user at one provider, fetched with a sign-in that is kept.

A token that is handed out is good for five more minutes. It is fetched by one process at a time: behind the lock the
file is read again, since another process may have been quicker. What a provider has answered is durable before it is
used. Where a provider that never accepts a refresh token twice has answered, and this process dies before the answer is
durable, the sign-in is lost, and a person is asked to sign in again: that window cannot be closed from this side.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.errors import FerryError
from migrator.events import event
from migrator.files import LockTimeout, Step, no_step
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.oauth import exchange, web
from migrator.oauth.exchange import Tokens
from migrator.oauth.failures import GrantRefusedError, TimedOutError, sign_in_needed, unreachable
from migrator.oauth.metadata import endpoints_of
from migrator.oauth.provider import Provider
from migrator.oauth.store import SignIn, Store, digest, is_locked

_LOG = logging.getLogger(__name__)
_LOCK = LockTimeout(60.0)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One user's way to tokens. ``account`` is what a person signs in again by."""

    provider: Provider
    user: str
    folder: Path
    account: str = ""
    clock: Callable[[], float] = time.time
    ask: web.Ask = field(default=web.ask, repr=False)
    step: Step = no_step

    def access_token(self) -> str:
        """Return a token that is good for five more minutes (of a short-lived one: for half its life).

        Raises ``auth`` with the finding ``sign-in-needed`` where only a person can help, ``temporary`` where the
        provider cannot be asked and the last token is dead.
        """
        known = self._usable(self._known())
        if known is not None and known.is_good(self.clock()):
            return known.access
        with self._locked():
            known = self._usable(self._known())
            if known is not None and known.is_good(self.clock()):
                return known.access  # another process has fetched it
            try:
                return self._fetched(known).access
            except GrantRefusedError as error:
                raise self._broken(known, error) from None
            except FerryError:
                if known is not None and known.is_alive(self.clock()):
                    return known.access  # the provider is away; this one still lives
                raise

    def renewed(self, refused: str) -> str | None:
        """Return another token in place of one that was refused at a log-in; None where there is none to be had.

        One that was fetched in place of another and was refused (``give_up``) is not renewed again.
        """
        with self._locked():
            known = self._usable(self._known())
            if known is not None and known.access != refused and known.is_good(self.clock()):
                return known.access
            if known is not None and known.given_up == digest(refused):
                return None
            try:
                return self._fetched(known).access
            except GrantRefusedError as error:
                raise self._broken(known, error) from None

    def give_up(self, refused: str) -> None:
        """Note that a fresh token was refused, too: no other is fetched in its place."""
        with self._locked():
            known = self._known()
            if known is not None and known.access == refused:
                self._store.write(self._key, replace(known, given_up=digest(refused)))

    def keep(self, tokens: Tokens, asked_at: float) -> SignIn:
        """Keep what a sign-in has given, in place of an earlier one; durable on return."""
        with self._locked():
            fresh = SignIn(
                self.provider.name, self.user, self.provider.client_id, secrets.token_hex(8), signed_in_at=asked_at
            )
            return self._kept(fresh, tokens, asked_at)

    def known(self) -> SignIn | None:
        """Return what is kept, None for nothing. Asks nobody."""
        return self._known()

    def trouble(self) -> str:
        """Say why a person must sign in, as far as it is known here; ``""`` if nothing speaks for it. Asks nobody."""
        try:
            self._usable(self._known())
        except FerryError as error:
            return error.message + (f' (the server said: "{error.server_words}")' if error.server_words else "")
        return ""

    def identity(self) -> str:
        """Return what changes when, and only when, somebody signs in. Asks nobody, and tells no token."""
        try:
            known = self._known()
        except FerryError:
            known = None
        return known.serial if known is not None and self.provider.needs_person else "nobody"

    def forget(self) -> None:
        """Remove the sign-in."""
        self._store.forget(self._key)

    @property
    def _key(self) -> str:
        return self.provider.key_for(self.user)

    @property
    def _store(self) -> Store:
        return Store(self.folder)

    def _known(self) -> SignIn | None:
        return self._store.read(self._key)

    def _usable(self, known: SignIn | None) -> SignIn | None:
        """Return what is known if tokens can be fetched with it; raises ``sign-in-needed``."""
        if not self.provider.needs_person:
            return known
        if known is None:
            raise sign_in_needed(f"nobody has signed in as {self.user} at {self.provider.name} yet", self.account)
        if known.broken:
            raise self._ended(known.broken)
        if not known.refresh and not known.is_good(self.clock()):
            reason = f"the sign-in as {self.user} at {self.provider.name} was for a short time only, and is over"
            raise sign_in_needed(reason, self.account)
        return known

    def _ended(self, words: str) -> FerryError:
        reason = f"{self.provider.name} does not accept the sign-in as {self.user} any more"
        return sign_in_needed(reason, self.account, server_words=words)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._store.lock(self._key, _LOCK):
                yield
        except FerryError as error:
            if not is_locked(error):
                raise
            raise unreachable(self.provider.host, "is asked by another mailferry, which gets no answer") from error

    def _fetched(self, known: SignIn | None) -> SignIn:
        """Fetch a token and keep it; the lock is held."""
        asked_at = self.clock()
        tokens = self._asked(known)
        self.step("answered")
        if known is None:
            known = SignIn(self.provider.name, self.user, self.provider.client_id, "client", signed_in_at=asked_at)
        return self._kept(known, tokens, asked_at)

    def _asked(self, known: SignIn | None) -> Tokens:
        endpoints = endpoints_of(self.provider, self.ask)
        if known is None or not self.provider.needs_person:
            return exchange.client_credentials(self.provider, endpoints, self.ask)
        self.step("asking")
        try:
            return exchange.refresh(self.provider, endpoints, known.refresh, self.ask)
        except TimedOutError:  # it may have answered all the same, and may have changed the refresh token by it
            return exchange.refresh(self.provider, endpoints, known.refresh, self.ask)

    def _kept(self, known: SignIn, tokens: Tokens, asked_at: float) -> SignIn:
        fresh = replace(
            known,
            access=tokens.access,
            refresh=tokens.refresh or known.refresh,
            fetched_at=asked_at,
            lifetime=tokens.lifetime,
            scopes=tokens.scopes or known.scopes,
            ends_at=asked_at + tokens.refresh_lifetime if tokens.refresh_lifetime else known.ends_at,
            ends_after=tokens.refresh_lifetime or known.ends_after,
            broken="",
            given_up="",
        )
        self._store.write(self._key, fresh)
        self.step("kept")
        event(_LOG, "oauth.token.fetched", account=self.account, provider=self.provider.name, seconds=tokens.lifetime)
        return fresh

    def _broken(self, known: SignIn | None, error: GrantRefusedError) -> FerryError:
        """Note that the provider does not accept the sign-in any more; it is kept all the same. The lock is held."""
        words = error.server_words or error.message
        if known is not None:
            self._store.write(self._key, replace(known, broken=words))
        event(_LOG, "oauth.sign_in.refused", level=logging.WARNING, account=self.account, problem=words)
        return self._ended(words)
