"""What a refused log-in means: ``temporary`` where the server only wants time, else ``auth``, with what to do. Pure.

A response code decides (RFC 5530), else the words, which are known for POP3 and IMAP alike
(``migrator.net.refusal_words``). What names the password counts as that whatever else it names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from migrator.errors import Advice, Correction, FerryError, Kind, Scope, decoded, printable, without_secrets
from migrator.imap.refusal_words import PASSES, Meaning, meaning_of
from migrator.imap.refusals import LATER, backoff, full, unknown_program
from migrator.net.app_passwords import password_advice
from migrator.net.login_order import Says
from migrator.net.refusal_words import Cause, cause_of, duration_in, names_credentials, says_why
from migrator.net.sasl import TOKENS

USUAL_CURE: Final = "check username, password and auth"

_OF_THE_USER: Final = {
    Cause.PASSWORD: USUAL_CURE,
    Cause.APP_PASSWORD: "make an app password in the account's security settings, and use that",
    Cause.WEB_LOGIN: "sign in there with a browser, confirm what it asks, then try again",
    Cause.SERVICE_OFF: "switch IMAP on in the settings of the mailbox, at its provider",
    Cause.BLOCKED: "have the account unlocked by its provider",
    Cause.ENCRYPTION: 'set tls = "starttls", or tls = "implicit" with port 993',
    Cause.MECHANISM: "set auth to another one",
}
"""Causes that only a person can mend, with how."""

_LIMITS: Final = frozenset(
    {Cause.LOCKED_OUT, Cause.TOO_SOON, Cause.TOO_MANY, Cause.IN_USE, Cause.READING_LIMIT, Cause.LIMIT}
)
_SAID: Final = frozenset({b"AUTHENTICATIONFAILED", b"AUTHORIZATIONFAILED", b"EXPIRED", b"PRIVACYREQUIRED"})
_PASSING_CODES: Final = frozenset({b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG"})
_CODE: Final = re.compile(rb"\s*\[([A-Z0-9.=-]+)", re.I)


class LoginRefusedError(FerryError):
    """The server does not take this user, this password or this mechanism.

    ``says`` is what it says of the way that was tried; None where another way cannot help.
    """

    def __init__(self, message: str, *, server_words: str, cure: str, says: Says | None, finding: str) -> None:
        super().__init__(Kind.AUTH, message, server_words=server_words, cure=cure, finding=finding)
        self.says = says


def judge_login(words: bytes, user: str, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a refused login is: ``LoginRefusedError``, unless the server only wants time or room."""
    shown = printable(words, secrets=secrets)
    text = decoded(without_secrets(words, secrets))
    meaning = meaning_of(words)
    if meaning is Meaning.UNKNOWN_PROGRAM:
        return unknown_program("the server", shown)
    cause = cause_of(text)
    code = _code_of(words)
    if code not in _SAID:
        if backoff(words) is not None or code in _PASSING_CODES:
            return _not_now(user, shown, cause, meaning, backoff(words))
        if meaning is Meaning.FULL or cause is Cause.MAILBOX_FULL:
            return full(shown)
        if cause is Cause.BARRED:
            return _barred(user, shown)
        if cause not in _OF_THE_USER and (cause is not None or meaning in PASSES or _is_reasoned(text)):
            return _not_now(user, shown, cause, meaning, duration_in(text))
    cure = USUAL_CURE if cause is None else _OF_THE_USER.get(cause, USUAL_CURE)
    return LoginRefusedError(
        f"the server refuses to log {user} in",
        server_words=shown,
        cure=cure,
        says=_says(cause, code, text),
        finding="wrong-tls" if cause is Cause.ENCRYPTION else "auth-refused",
    )


def _code_of(words: bytes) -> bytes:
    found = _CODE.match(words)
    return found[1].upper() if found else b""


def _is_reasoned(text: str) -> bool:
    """Say whether the server gives a reason, and it is not who logs in."""
    return says_why(text) and not names_credentials(text)


def _says(cause: Cause | None, code: bytes, text: str) -> Says | None:
    match cause:
        case Cause.MECHANISM:
            return Says.MECHANISM
        case Cause.PASSWORD:
            return Says.PASSWORD
        case None:
            return Says.PASSWORD if code in _SAID or names_credentials(text) else Says.NOTHING
        case _:
            return None


def _not_now(user: str, shown: str, cause: Cause | None, meaning: Meaning | None, wait: float | None) -> FerryError:
    is_limit = cause in _LIMITS or meaning is Meaning.LIMITED
    return FerryError(
        Kind.TEMPORARY,
        f"the server lets {user} not log in just now",
        server_words=shown,
        cure="close other mail programs of this user, or log in less often" if is_limit else LATER,
        advice=Advice.LATER,
        wait=wait,
        finding="limited" if is_limit else "",
    )


def _barred(user: str, shown: str) -> FerryError:
    return FerryError(
        Kind.REFUSED,
        f"the server lets {user} not log in from this address",
        server_words=shown,
        scope=Scope.ACCOUNT,
        cure="ask its operator to let it in",
        finding="refused",
    )


def starttls_refused(host: str, words: bytes, *, may_be_open: bool) -> FerryError:
    """Return the error of a server that does not encrypt; ``may_be_open``: the line need not be encrypted."""
    return FerryError(
        Kind.TLS,
        f"{host} refuses STARTTLS",
        server_words=printable(words),
        cure='try tls = "implicit" with port 993',
        finding="wrong-tls",
        settings=(Correction("tls", "none"),) if may_be_open else (),
    )


def cure_of(cure: str, tried: str, offered: Collection[str], *, host: str, has_starttls: bool) -> str:
    """Return the cure where ``tried`` was refused; ``cure`` is what the words of the refusal alone suggest.

    ``has_starttls``: the line is open, and could be encrypted.
    """
    if tried in TOKENS:
        return "the token may be old, or made for another user or service: give a fresh one"
    parts = [cure]
    if provider := password_advice(host):
        parts = [provider] if cure == USUAL_CURE else [cure, provider]
    elif tokens := sorted({name.lower() for name in offered}.intersection(TOKENS)):
        parts.append(f"the server also offers {' and '.join(tokens)}; many such providers take no passwords any more")
    if has_starttls:
        parts.append('the server offers STARTTLS and may want it: set tls = "starttls"')
    return "; ".join(parts)
