"""What the words after ``-ERR`` mean, for every command: an error with kind, scope, advice, cure and finding. Pure.

A response code decides (RFC 2449 section 8, RFC 3206); without one, the words do (``migrator.net.refusal_words``); and
where these are not known, the stage does. A password is called wrong only where the server names it, or the user, or
the log-in; what else it says behind an accepted USER is a condition of the moment.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from migrator.errors import Advice, FerryError, Kind, Scope, decoded, printable, without_secrets
from migrator.lazy_dataclasses import dataclass
from migrator.net.login_order import Says
from migrator.net.refusal_words import Cause, cause_of, duration_in, names_credentials, says_why


class Stage(Enum):
    """Where in the conversation a server said no."""

    GREETING = "the server does not take connections"
    USER_NAME = "the server refused the username"
    LOGIN = "the server refused the log-in"
    MAILDROP = "the server refused a command"
    MESSAGE = "the server does not give this message"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal comes to. ``said`` and ``cure`` are for a person; without ``said`` the stage says it."""

    kind: Kind
    finding: str = "refused"
    said: str = ""
    cure: str = ""
    advice: Advice = Advice.LATER
    wait: float | None = None


def _credentials(
    said: str = "", cure: str = "check username, password and auth", finding: str = "auth-refused"
) -> Meaning:
    return Meaning(Kind.AUTH, finding, said, cure, Advice.NEVER)


TLS_CURE: Final = 'set tls = "starttls", or tls = "implicit" with port 995'

MEANINGS: Final[dict[Cause, Meaning]] = {
    Cause.PASSWORD: _credentials(),
    Cause.APP_PASSWORD: _credentials(
        "the server takes a password made for mail programs, not that of the account",
        "make an app password in the account's security settings, and use that",
    ),
    Cause.WEB_LOGIN: _credentials(
        "the server wants its user to sign in with a browser first",
        "sign in there, confirm what it asks, then try again",
    ),
    Cause.SERVICE_OFF: _credentials(
        "POP3 is switched off for this mailbox", "switch POP3 on in the settings of the mailbox, at its provider"
    ),
    Cause.BLOCKED: _credentials("the server has locked this account", "have it unlocked by its provider"),
    Cause.ENCRYPTION: _credentials(
        "the server takes no password over an unencrypted connection", TLS_CURE, "wrong-tls"
    ),
    Cause.MECHANISM: _credentials("the server does not know this way to log in", "set auth to another one"),
    Cause.LOCKED_OUT: Meaning(
        Kind.LOGIN_DELAY,
        "limited",
        "the server does not let this user in for a while",
        "too many log-ins have failed: check the password before the next one",
        wait=900.0,
    ),
    Cause.TOO_SOON: Meaning(Kind.LOGIN_DELAY, "limited", "the server wants more time between two log-ins"),
    Cause.TOO_MANY: Meaning(
        Kind.TEMPORARY,
        "limited",
        "the server accepts no more connections from here at present",
        "others hold connections to it, perhaps of other accounts or programs: it goes on when these are done",
    ),
    Cause.IN_USE: Meaning(
        Kind.IN_USE,
        "limited",
        "the mailbox is in use by another session",
        "another session holds it, perhaps one that broke off: the server frees it after some minutes",
    ),
    Cause.READING_LIMIT: Meaning(
        Kind.QUOTA,
        "limited",
        "the provider's limit for reading is reached",
        "the provider limits how much may be read per day: it goes on after that",
    ),
    Cause.LIMIT: Meaning(Kind.TEMPORARY, "limited", "a limit of the server is reached"),
    Cause.MAILBOX_FULL: Meaning(
        Kind.QUOTA, "quota-full", "the mailbox at the source is full", "make room in it, or have its quota raised"
    ),
    Cause.DISK_FULL: Meaning(
        Kind.TEMPORARY, "refused", "the server's disk is full", "its operator must make room; it will be tried again"
    ),
    Cause.BROKEN: Meaning(
        Kind.TEMPORARY,
        "refused",
        "the server cannot open this mailbox",
        "it will be tried again; if that does not help, its operator must repair the mailbox",
    ),
    Cause.MAINTENANCE: Meaning(Kind.TEMPORARY, "refused", "the server is under maintenance"),
    Cause.BARRED: Meaning(
        Kind.REFUSED, "refused", "the server takes no connections from this address", "ask its operator to let it in"
    ),
    Cause.TEMPORARY: Meaning(Kind.TEMPORARY, "refused", "the server cannot serve just now"),
}

_CODES: Final[dict[str, Meaning]] = {
    "IN-USE": MEANINGS[Cause.IN_USE],
    "LOGIN-DELAY": MEANINGS[Cause.TOO_SOON],
    "AUTH": MEANINGS[Cause.PASSWORD],
    "SYS/TEMP": MEANINGS[Cause.TEMPORARY],
    "SYS/PERM": Meaning(Kind.REFUSED, advice=Advice.NEVER),
}

_OF_THE_LOGIN: Final = frozenset({cause for cause, meaning in MEANINGS.items() if meaning.kind is Kind.AUTH})
_BEFORE_IT: Final = frozenset(Cause) - {Cause.PASSWORD, Cause.MECHANISM}
_BEHIND_IT: Final = frozenset(Cause) - _OF_THE_LOGIN | {Cause.BLOCKED, Cause.SERVICE_OFF}
_OF_THE_SESSION: Final = frozenset(
    {
        *(Cause.BLOCKED, Cause.LOCKED_OUT, Cause.TOO_SOON, Cause.TOO_MANY),
        *(Cause.READING_LIMIT, Cause.DISK_FULL, Cause.MAINTENANCE),
    }
)
"""What a server may say at one message and mean of all."""

_EXPECTED: Final = {
    Stage.GREETING: _BEFORE_IT,
    Stage.USER_NAME: frozenset(Cause),
    Stage.LOGIN: frozenset(Cause),
    Stage.MAILDROP: _BEHIND_IT,
    Stage.MESSAGE: _OF_THE_SESSION | {Cause.TEMPORARY},  # a message may be locked, or unreadable, by itself
}
_IS_AUTH_CODE: Final = frozenset({"AUTH", "SYS/PERM"})

_CODE = re.compile(rb"\[([A-Za-z0-9/_-]{1,64})[^\]]{0,200}\]")


def response_code(text: bytes) -> str:
    """Return the response code at the start of a status line's words, in upper case, ``""`` without one."""
    found = _CODE.match(text)
    return found[1].decode("ascii").upper() if found else ""


def refusal(
    stage: Stage, text: bytes, *, secrets: tuple[bytes, ...] = (), wait: float | None = None, about: str = ""
) -> FerryError:
    """Turn the words after ``-ERR`` into an error with its class: retry, wait, credentials or operator.

    ``wait`` is the LOGIN-DELAY that CAPA announced; words that say how long count for more. A refused message is the
    matter of that message, unless the words tell of the session.
    """
    words = decoded(without_secrets(text, secrets))
    meaning = _meaning(stage, response_code(text), words)
    is_message = (
        stage is Stage.MESSAGE and meaning.kind in {Kind.REFUSED, Kind.TEMPORARY} and not _is_of_all(text, words)
    )
    return FerryError(
        meaning.kind,
        (meaning.said or stage.value) + (f" ({about})" if about else ""),
        server_words=printable(text, secrets=secrets),
        cure=meaning.cure,
        scope=Scope.MESSAGE if is_message else Scope.ACCOUNT,
        advice=meaning.advice,
        wait=_wait_of(words, meaning, wait) if meaning.kind is Kind.LOGIN_DELAY else None,
        finding="" if is_message else meaning.finding,
    )


def what_is_said(text: bytes) -> Says | None:
    """Return what a refused log-in says of the way it was tried; None where another way cannot help."""
    words, code = decoded(text), response_code(text)
    match cause_of(words):
        case Cause.MECHANISM:
            return Says.MECHANISM
        case Cause.PASSWORD:
            return Says.PASSWORD
        case None:
            return Says.PASSWORD if code or names_credentials(words) else Says.NOTHING
        case _:
            return None


def _is_of_all(text: bytes, words: str) -> bool:
    return not response_code(text) and cause_of(words, _OF_THE_SESSION) is not None


def _wait_of(words: str, meaning: Meaning, announced: float | None) -> float | None:
    """Return how many seconds a refusal says, else what CAPA announced, else what is usual."""
    told = duration_in(words)
    return (
        told if told is not None else max((one for one in (announced, meaning.wait) if one is not None), default=None)
    )


def _meaning(stage: Stage, code: str, words: str) -> Meaning:
    cause = cause_of(words, _EXPECTED[stage])
    in_words = MEANINGS[cause] if cause else None
    for prefix, meaning in _CODES.items():
        if code == prefix or code.startswith(prefix + "/"):
            return _refined(meaning, prefix, in_words)
    return in_words or _by_stage(stage, words)


def _refined(by_code: Meaning, code: str, in_words: Meaning | None) -> Meaning:
    """Let the code say what it is, and the words what to do, where both speak of the same."""
    if in_words is None:
        return by_code
    if in_words.kind is by_code.kind:
        return Meaning(by_code.kind, in_words.finding, in_words.said, in_words.cure, by_code.advice, in_words.wait)
    if code in _IS_AUTH_CODE and in_words.kind is Kind.AUTH:
        return Meaning(by_code.kind, by_code.finding, in_words.said, in_words.cure, by_code.advice)
    return by_code


def _by_stage(stage: Stage, words: str) -> Meaning:
    match stage:
        case Stage.GREETING:
            return MEANINGS[Cause.TEMPORARY]
        case Stage.USER_NAME:
            return MEANINGS[Cause.PASSWORD]
        case Stage.LOGIN:
            return _unknown_at_login(words)
        case Stage.MAILDROP | Stage.MESSAGE:
            return Meaning(Kind.REFUSED)


def _unknown_at_login(words: str) -> Meaning:
    if duration_in(words) is not None:
        return MEANINGS[Cause.TOO_SOON]  # a wrong password does not pass with time
    if names_credentials(words):
        return MEANINGS[Cause.PASSWORD]
    if says_why(words):
        said = "the server does not let this user in, and does not say that the password is wrong"
        return Meaning(Kind.TEMPORARY, "refused", said)
    # A plain no is most often the password's, but nothing says so: the account is not parked for it.
    return Meaning(Kind.AUTH, "auth-refused", cure="check username, password and auth")
