"""What a refusal means, and what to do about it: create, open, wait, split or stop.

Pure. Response codes are those of RFC 9051 section 7.1, RFC 5530 and RFC 9208; where providers say it in words only,
the words are known. A batch that is refused is split down to the message at fault, unless the reason lies elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from migrator.errors import Advice, FerryError, Kind, Scope, printable
from migrator.imap.replies import StatusReply

_BACKOFF = re.compile(rb"backoff time:? *(\d{1,9}) *(milli)?sec", re.I)
_THROTTLE = re.compile(
    rb"throttl|rate limit|too many (?:requests|commands|simultaneous)|bandwidth limit|try again later|temporar", re.I
)
_TOO_LARGE = re.compile(rb"too (?:big|large)|size (?:limit|exceed)|exceed\w* .{0,40}\bsize", re.I)
_BUSY_CODES = frozenset({b"UNAVAILABLE", b"INUSE", b"LIMIT"})
_FORBIDDEN_CODES = frozenset({b"NOPERM", b"AUTHORIZATIONFAILED", b"EXPIRED", b"PRIVACYREQUIRED"})
_READ_ONLY = re.compile(rb"read-?only", re.I)


class Remedy(Enum):
    """What can help against a refusal."""

    CREATE = "create the folder and try again"
    OPEN = "open the folder for writing and try again"
    WAIT = "wait and try again"
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
    if reply.code in {b"TRYCREATE", b"NONEXISTENT"}:
        gone = FerryError(Kind.REFUSED, f"the folder {folder} is not there", server_words=words, scope=Scope.ACCOUNT)
        return Refusal(Remedy.CREATE, gone)
    if wait is not None or _THROTTLE.search(reply.words):  # Gmail says OVERQUOTA for a throttle too
        return Refusal(Remedy.WAIT, _temporary("the server asks to be left alone for a while", words, wait))
    if reply.code == b"OVERQUOTA":
        full = FerryError(Kind.QUOTA, "the mailbox is full", server_words=words, cure="make room, or raise its quota")
        return Refusal(Remedy.SPLIT, full)
    if reply.code == b"TOOBIG" or _TOO_LARGE.search(reply.words):
        return Refusal(Remedy.SPLIT, FerryError(Kind.TOO_LARGE, "the server finds it too large", server_words=words))
    if reply.code in _BUSY_CODES and b"identical" not in reply.words.lower():
        return Refusal(Remedy.WAIT, _temporary("the server cannot take messages now", words, None))
    if reply.code in _FORBIDDEN_CODES or _READ_ONLY.search(reply.words):
        forbidden = FerryError(
            Kind.REFUSED,
            f"the server does not let this user store messages in {folder}",
            server_words=words,
            scope=Scope.ACCOUNT,
        )
        # Courier lets nobody append to a folder that the same session has open for reading only.
        is_read_only = _READ_ONLY.search(reply.words) is not None
        return Refusal(Remedy.OPEN if is_read_only else Remedy.STOP, forbidden)
    return Refusal(Remedy.SPLIT, FerryError(Kind.REFUSED, "the server refuses to store it", server_words=words))


def judge_command(words: bytes, host: str, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a NO or BAD to any other command is: ``temporary`` or ``protocol``."""
    shown = printable(words, secrets=secrets)
    if _is_busy(words):
        return _temporary(f"{host} asks to be left alone for a while", shown, backoff(words))
    return FerryError(Kind.PROTOCOL, f"{host} refuses a command", server_words=shown)


def judge_fetch(words: bytes, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a NO or BAD to FETCH is: of one of the messages, unless the server only wants time."""
    shown = printable(words, secrets=secrets)
    if _is_busy(words):
        return _temporary("the server shows no messages now", shown, backoff(words))
    return FerryError(Kind.REFUSED, "the server refuses to show messages", server_words=shown)


def judge_bye(words: bytes, host: str, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a BYE is; the connection is gone either way."""
    shown = printable(words, secrets=secrets)
    wait = backoff(words)
    if wait is not None:
        return FerryError(
            Kind.TEMPORARY, f"{host} hung up and asks for a pause", server_words=shown, scope=Scope.SESSION, wait=wait
        )
    return FerryError(Kind.CONNECT, f"{host} hung up", server_words=shown)


def judge_login(words: bytes, user: str, *, secrets: tuple[bytes, ...] = ()) -> FerryError:
    """Return the error that a refused login is: ``temporary`` where the server only wants time, else ``auth``."""
    shown = printable(words, secrets=secrets)
    if _is_busy(words):
        return _temporary(f"the server lets {user} not log in just now", shown, backoff(words))
    return FerryError(Kind.AUTH, f"the server refuses to log {user} in", server_words=shown)


def _is_busy(words: bytes) -> bool:
    code = re.search(rb"\[([A-Z-]+)", words)
    return (code is not None and code[1] in _BUSY_CODES) or _THROTTLE.search(words) is not None


def backoff(words: bytes) -> float | None:
    """Return for how many seconds the server asks to be left alone, where it says so (Exchange does)."""
    found = _BACKOFF.search(words)
    if found is None:
        return None
    return int(found[1]) / 1000 if found[2] else float(found[1])


def _temporary(message: str, words: str, wait: float | None) -> FerryError:
    return FerryError(Kind.TEMPORARY, message, server_words=words, advice=Advice.LATER, wait=wait)
