"""The log-ins of one opening: which mechanism is tried, which next, and what is learned of it.

Every attempt has a connection of its own, because servers that have refused one treat what follows on the same line in
many ways. A configured mechanism is tried once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migrator.errors import Advice, FerryError, Kind
from migrator.net.access_token import AccessToken
from migrator.net.login_order import LoginMemory, next_mechanism, order
from migrator.net.sasl import REVEALING, SAFE_IN_CLEAR, Credentials, choose, for_a_token
from migrator.pop3.auth import LoginRefusedError
from migrator.pop3.login_advice import Circumstances, cure_of, settings_of
from migrator.pop3.source import Source


class LoginAttempts:
    """What was tried so far, and what is known of this user's log-ins."""

    def __init__(self, source: Source, memory: LoginMemory, password: Callable[[], str | bytes]) -> None:
        self.memory = memory
        self._source = source
        self._password = password
        self._credentials: Credentials | None = None
        self._refused: list[str] = []
        self._last: LoginRefusedError | None = None
        self._offered: frozenset[str] = frozenset()
        self._tried = ""

    @property
    def credentials(self) -> Credentials:
        """Who logs in; the password is asked for once, however many attempts there are."""
        if self._credentials is None:
            secret = self._password()
            if isinstance(secret, str):
                secret = secret.encode(errors="surrogateescape")  # what the environment holds need not be UTF-8
            self._credentials = Credentials(self._source.username, secret)
        return self._credentials

    def prepare(self) -> None:
        """Fetch an access token, which may take a while: nobody is to wait on an open line for it."""
        if self._source.is_token:
            _ = self.credentials

    def has_other_token(self, error: FerryError) -> bool:
        """Hear how an opening ended; True where another access token is to be tried, on a new connection."""
        if not isinstance(self._password, AccessToken) or not self._tried:
            return False
        self._tried = ""
        token = self._password.other(error)
        if token is None:
            return False
        self._credentials = Credentials(self._source.username, token.encode())
        self._refused, self._last = [], None
        return True

    @property
    def is_automatic(self) -> bool:
        """Whether the mechanism follows from what the server offers, and another may be tried."""
        return self._source.auth == "auto" and not self._source.is_token

    def mechanism(self, seen: Circumstances) -> str:
        """Choose what to try on this connection. Raises ``auth`` if nothing is left that may be tried."""
        if self._source.is_token:
            return for_a_token(seen.offered, self._source.auth, may_reveal=seen.may_reveal)
        if not self.is_automatic:
            return choose(seen.offered, self._source.auth, may_reveal=seen.may_reveal)
        ordered = order(self._usable(seen), self.memory, may_reveal=seen.may_reveal)
        if self._last is not None:
            following = next_mechanism(ordered, self._refused, self._last.says, self.memory)
            if following is None:
                raise self._last
            return self._not_weaker(following, seen)
        return self._not_weaker(
            ordered[0] if ordered else choose(seen.offered, "auto", may_reveal=seen.may_reveal), seen
        )

    def name(self, mechanism: str) -> str:
        """Return how an attempt is called in an error, with those before it; it is about to begin."""
        self._tried = mechanism
        return ", then ".join([*self._refused, mechanism])

    def refused(self, mechanism: str, error: LoginRefusedError, seen: Circumstances) -> bool:
        """Note a refusal and say whether another mechanism is to be tried, on a new connection."""
        self._refused.append(mechanism)
        self.advise(error, seen)
        self._offered = seen.offered
        self._last = error
        if not self.is_automatic:
            return False
        ordered = order(self._usable(seen), self.memory, may_reveal=seen.may_reveal)
        return next_mechanism(ordered, self._refused, error.says, self.memory) is not None

    def advise(self, error: FerryError, seen: Circumstances) -> None:
        """Say what to do about a refused log-in, by all that is known of this connection."""
        tried = self._refused or [self._tried]
        error.settings = settings_of(error.cure, error.finding, tried, seen)
        error.cure = cure_of(error.cure, error.finding, tried, seen)

    def succeeded(self, mechanism: str) -> None:
        """Note what worked."""
        if self.is_automatic:
            self.memory = self.memory.after(mechanism, self._of_no_use(mechanism))

    def failed(self, error: FerryError) -> None:
        """Note what is no matter of the password: then what was refused before it is not tried first again."""
        if self._refused and error.kind in {Kind.IN_USE, Kind.LOGIN_DELAY, Kind.TEMPORARY, Kind.QUOTA, Kind.REFUSED}:
            self.memory = self.memory.without(self._of_no_use(self._tried))

    def _of_no_use(self, mechanism: str) -> list[str]:
        """Return what need not be tried the next time, once the password was taken as it is, or another way was.

        A server that has refused one challenge and takes the password itself keeps no secret for the others either.
        """
        if mechanism in REVEALING and any(name in SAFE_IN_CLEAR for name in self._refused):
            return [*self._refused, *(name for name in SAFE_IN_CLEAR if name in self._offered)]
        return self._refused

    def _usable(self, seen: Circumstances) -> Sequence[str]:
        """Return what this password can be used with: SCRAM wants text (RFC 5802, section 5.1)."""
        try:
            self.credentials.secret.decode()
        except UnicodeDecodeError:
            return [name for name in seen.offered if not name.startswith("scram-")]
        return list(seen.offered)

    def _not_weaker(self, mechanism: str, seen: Circumstances) -> str:
        """Refuse to show more of the password than last time to somebody who may listen on an open line."""
        if seen.is_encrypted or not self.memory.makes_weaker(mechanism):
            return mechanism
        raise FerryError(
            Kind.AUTH,
            f"the server took {self.memory.worked} before, and now only {mechanism}, which protects the password less",
            cure="somebody may alter what the server offers, to learn the password: set tls,"
            f' or auth = "{mechanism}" if that is meant',
            advice=Advice.NEVER,
            finding="auth-refused",
        )
