"""The log-ins of one mailbox in one run: which mechanism is tried, which next, and what is learned of it.

Every attempt has a connection of its own, because servers that have refused one treat what follows on the same line in
many ways. A configured mechanism is tried once; with ``auto`` at most three are refused, and none after an answer that
means in use, delayed or locked.
"""

from __future__ import annotations

from collections.abc import Collection

from migrator.errors import Correction
from migrator.imap.login_refusals import LoginRefusedError, cure_of
from migrator.net.login_order import LoginMemory, next_mechanism, order
from migrator.net.sasl import choose, for_a_token


class LoggingIn:
    """What was tried so far with one user at one server."""

    def __init__(self, auth: str, host: str, *, is_token: bool = False) -> None:
        """Try the mechanism ``auth``, or what the server offers if that is ``auto``; ``is_token``: for a token."""
        self._auth = auth
        self._is_token = is_token
        self._host = host
        self._memory = LoginMemory()
        self._refused: list[str] = []
        self._last: LoginRefusedError | None = None

    def mechanism(self, offered: Collection[str], *, may_reveal: bool) -> str:
        """Choose what to try on this connection. Raises ``auth`` if nothing is left that may be tried."""
        if self._is_token:
            return for_a_token(offered, self._auth, may_reveal=may_reveal)
        if self._auth != "auto":
            return choose(offered, self._auth, may_reveal=may_reveal)
        ordered = order(offered, self._memory, may_reveal=may_reveal)
        if not ordered:
            return choose(offered, "auto", may_reveal=may_reveal)
        if self._last is None:
            return ordered[0]
        following = next_mechanism(ordered, self._refused, self._last.says, self._memory) if self._last.says else None
        if following is None:
            raise self._last
        return following

    def refused(
        self,
        mechanism: str,
        error: LoginRefusedError,
        offered: Collection[str],
        *,
        may_reveal: bool,
        has_starttls: bool,
    ) -> bool:
        """Note a refusal, let its cure name what the connection knew, and say whether to try another mechanism."""
        self._refused.append(mechanism)
        self._last = error
        if error.finding == "wrong-tls" and has_starttls:
            error.settings = (Correction("tls", "starttls"),)
        error.cure = cure_of(error.cure, mechanism, offered, host=self._host, has_starttls=has_starttls)
        if self._auth != "auto" or self._is_token or error.says is None:
            return False
        ordered = order(offered, self._memory, may_reveal=may_reveal)
        return next_mechanism(ordered, self._refused, error.says, self._memory) is not None

    def succeeded(self, mechanism: str) -> None:
        """Note what worked: the next connection begins with it."""
        self._memory = self._memory.after(mechanism, self._refused)
        self._refused, self._last = [], None
