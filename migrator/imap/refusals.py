"""What a refusal calls for: create, open, wait, split or stop; and the error that it is if that is of no use.

Pure. What the server means is ``refusal_words``' work; here it is decided for each command. A batch that is refused is
split down to the message at fault, unless the reason lies elsewhere.
"""

from __future__ import annotations

import re
from enum import Enum

from migrator.errors import Advice, FerryError, Kind, Scope, printable
from migrator.imap.refusal_words import PASSES, Meaning, meaning_of
from migrator.imap.replies import StatusReply
from migrator.lazy_dataclasses import dataclass

_BACKOFF = re.compile(rb"backoff time:? *(\d{1,9}) *(milli)?sec", re.I)
_CURES: dict[Meaning | None, str] = {
    Meaning.THROTTLED: "nothing needs to be done: the rest follows as soon as the provider lets it through",
    Meaning.LIMITED: "close other mail programs of this user, or let fewer accounts of this server be worked at once",
}
_ASKS_FOR_TIME = "asks to be left alone for a while"
_STATES: dict[Meaning | None, str] = {
    Meaning.LIMITED: "has too many connections or log-ins of this user",
    Meaning.BUSY: "is not available just now",
    Meaning.PASSING: "is not available just now",
}
LATER = "nothing needs to be done: it will be tried again at the next run"


class Remedy(Enum):
    """What can help against a refusal."""

    CREATE = "create the folder and try again"
    OPEN = "open the folder for writing and try again"
    WAIT = "wait and try again"
    WAIT_ONCE = "wait once and try again, then find the message at fault"
    SPLIT = "find the message at fault"
    STOP = "nothing more is accepted now"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to do, and the error that stands in the report if that is of no use."""

    remedy: Remedy
    error: FerryError


def judge_append(reply: StatusReply, folder: str, *, secrets: tuple[bytes, ...] = ()) -> Refusal:
    """Say what a NO or BAD to APPEND means."""
    words = printable(reply.words, secrets=secrets)
    wait = backoff(reply.words)
    meaning = Meaning.THROTTLED if wait is not None else meaning_of(reply.words)
    match meaning:
        case Meaning.MISSING:
            gone = FerryError(
                Kind.REFUSED, f"the folder {folder} is not there", server_words=words, scope=Scope.ACCOUNT
            )
            return Refusal(Remedy.CREATE, gone)
        case Meaning.THROTTLED:
            return Refusal(
                Remedy.WAIT, _temporary("the server asks to be left alone for a while", words, wait, meaning)
            )
        case Meaning.LIMITED | Meaning.BUSY:
            return Refusal(Remedy.WAIT, _temporary("the server cannot take messages now", words, None, meaning))
        case Meaning.FULL:
            return Refusal(Remedy.SPLIT, full(words))
        case Meaning.TOO_LARGE:
            large = FerryError(Kind.TOO_LARGE, "the server finds it too large", server_words=words)
            return Refusal(Remedy.SPLIT, large)
        case Meaning.READ_ONLY | Meaning.FORBIDDEN:
            # Courier lets nobody append to a folder that the same session has open for reading only.
            return Refusal(Remedy.OPEN if meaning is Meaning.READ_ONLY else Remedy.STOP, _forbidden(folder, words))
        case Meaning.UNKNOWN_PROGRAM:
            return Refusal(Remedy.STOP, unknown_program("the server", words))
        case Meaning.PASSING:
            passing = _temporary("the server cannot store it just now", words, None, meaning, Scope.MESSAGE)
            return Refusal(Remedy.WAIT_ONCE, passing)
        case Meaning.EXISTS | None:
            return Refusal(Remedy.SPLIT, FerryError(Kind.REFUSED, "the server refuses to store it", server_words=words))


def full(words: str) -> FerryError:
    """Return the error that a full mailbox is."""
    return FerryError(
        Kind.QUOTA,
        "the mailbox is full",
        server_words=words,
        cure="make room, or raise its quota",
        finding="quota-full",
    )


def _forbidden(folder: str, words: str) -> FerryError:
    return FerryError(
        Kind.REFUSED,
        f"the server does not let this user store messages in {folder}",
        server_words=words,
        scope=Scope.ACCOUNT,
        finding="refused",
    )


def unknown_program(who: str, words: str) -> FerryError:
    """Return the error of a server that wants to know the program, and does not know this one."""
    return FerryError(
        Kind.REFUSED,
        f"{who} lets in only programs that it knows",
        server_words=words,
        scope=Scope.ACCOUNT,
        cure="allow IMAP for other programs in the provider's settings, or ask the provider",
        finding="refused",
    )


def judge_command(words: bytes, host: str, *, what: str = "a command", secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a NO or BAD to any other command is: ``temporary``, ``refused`` or ``protocol``."""
    shown = printable(words, secrets=secrets)
    meaning = meaning_of(words)
    wait = backoff(words)
    if wait is not None or meaning in PASSES:
        return _temporary(f"{host} {_STATES.get(meaning, _ASKS_FOR_TIME)}", shown, wait, meaning)
    if meaning is Meaning.UNKNOWN_PROGRAM:
        return unknown_program(host, shown)
    return FerryError(Kind.PROTOCOL, f"{host} refuses {what}", server_words=shown)


def judge_fetch(words: bytes, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a NO or BAD to FETCH is: of one of the messages, unless the server only wants time.

    What may pass in a moment may be of one message as well: SERVERBUG is what Dovecot says of a broken one.
    """
    shown = printable(words, secrets=secrets)
    meaning = meaning_of(words)
    wait = backoff(words)
    if wait is not None or meaning in PASSES:
        scope = Scope.MESSAGE if wait is None and meaning is Meaning.PASSING else Scope.ACCOUNT
        return _temporary("the server shows no messages now", shown, wait, meaning, scope)
    return FerryError(Kind.REFUSED, "the server refuses to show messages", server_words=shown)


def judge_bye(words: bytes, host: str, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a BYE is; the connection is gone either way."""
    shown = printable(words, secrets=secrets)
    meaning = meaning_of(words)
    wait = backoff(words)
    if wait is not None:
        return _temporary(f"{host} hung up and asks for a pause", shown, wait, meaning, Scope.SESSION)
    if meaning in PASSES - {Meaning.PASSING}:
        return _temporary(f"{host} hung up and accepts nothing more for now", shown, None, meaning, Scope.SESSION)
    return FerryError(Kind.CONNECT, f"{host} hung up", server_words=shown)


def judge_greeting(words: bytes, host: str) -> FerryError:
    """Return the error that a BYE in place of a greeting is: there are too many connections, mostly."""
    return _temporary(f"{host} refuses the connection", printable(words), backoff(words), meaning_of(words))


def has_time_words(words: bytes) -> bool:
    """Say whether a refusal may be over after a while."""
    return backoff(words) is not None or meaning_of(words) in PASSES


def says_exists(words: bytes) -> bool:
    """Say whether CREATE was refused because there is such a folder."""
    return meaning_of(words) is Meaning.EXISTS


def backoff(words: bytes) -> float | None:
    """Return for how many seconds the server asks to be left alone, where it says so (Exchange does)."""
    found = _BACKOFF.search(words)
    if found is None:
        return None
    return int(found[1]) / 1000 if found[2] else float(found[1])


def _temporary(
    message: str, words: str, wait: float | None, meaning: Meaning | None, scope: Scope | None = None
) -> FerryError:
    return FerryError(
        Kind.TEMPORARY,
        message,
        server_words=words,
        cure=_CURES.get(meaning, LATER),
        scope=scope,
        advice=Advice.LATER,
        wait=wait,
        finding="limited" if meaning is Meaning.LIMITED else "",
    )
