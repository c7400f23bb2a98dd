"""An access token to log in with, in place of a password: renewed once where a server refuses it, and never twice.

A server that does not accept a token says so in many ways: Dovecot, for one, answers ``[SYS/TEMP]`` where the provider
that it asks does not know the token.
"""

from __future__ import annotations

from collections.abc import Callable

from migrator.errors import Advice, FerryError, Kind

_MAY_BE_THE_TOKEN = frozenset({Kind.AUTH, Kind.TEMPORARY})


class AccessToken:
    """What a log-in calls for its secret, and tells of a refusal. Not shared between threads."""

    def __init__(
        self,
        fetch: Callable[[], str],
        renewed: Callable[[str], str | None],
        give_up: Callable[[str], None],
        account: str = "",
    ) -> None:
        """``renewed`` returns another token in place of one, None where there is none; ``give_up`` hears of the end."""
        self._fetch = fetch
        self._renewed = renewed
        self._give_up = give_up
        self._account = account or "ACCOUNT"
        self._token = ""
        self._is_renewed = False

    def __call__(self) -> str:
        """Return a token for a log-in: to be called before the line is opened, for it may take a while."""
        self._is_renewed = False
        self._token = self._fetch()
        return self._token

    def other(self, error: FerryError) -> str | None:
        """Return another token to try once more with after a log-in was refused by ``error``; None if that is the end.

        Then ``error`` says that a person must sign in, unless the server says that it will pass. Raises what keeps the
        token from being renewed.
        """
        if error.kind not in _MAY_BE_THE_TOKEN:
            return None
        if not self._is_renewed:
            self._is_renewed = True
            if (token := self._renewed(self._token)) is not None:
                self._token = token
                return token
        else:
            self._give_up(self._token)
        if error.kind is Kind.AUTH:
            self._explain(error)
        return None

    def _explain(self, error: FerryError) -> None:
        error.advice = Advice.NEVER
        error.finding = "sign-in-needed"
        error.settings = ()
        error.cure = (
            f"sign in again: mailferry sign-in {self._account}; if that was done just now, look whether the provider"
            " lets programs fetch this user's mail, and whether it was this user who signed in"
        )
