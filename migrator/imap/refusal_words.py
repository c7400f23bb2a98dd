"""What a server means by a NO, a BAD or a BYE: response codes, and the sentences of those that have none. Pure.

Codes are those of RFC 9051 section 7.1, RFC 5530 and RFC 9208. A sentence stands here with who says it; each is looked
for in the order of ``_MEANINGS``, for Gmail says OVERQUOTA of a throttle, and "mailbox size limit" is not "too large".
"""

from __future__ import annotations

import re
from enum import Enum


class Meaning(Enum):
    """Why a server refuses."""

    MISSING = "the folder is not there"
    THROTTLED = "too much in too short a time"
    LIMITED = "too many connections or log-ins"
    FULL = "no room in the mailbox, or on the server"
    TOO_LARGE = "the message is too large"
    BUSY = "the server says that it is busy"
    READ_ONLY = "the folder is open for reading only"
    FORBIDDEN = "this user may not"
    UNKNOWN_PROGRAM = "the program is not known to the server"
    EXISTS = "there is one already"
    PASSING = "something that may be over in a moment"


def _any(*sentences: str) -> re.Pattern[bytes]:
    return re.compile("|".join(sentences).encode(), re.I)


_CODES: dict[bytes, Meaning] = {
    b"TRYCREATE": Meaning.MISSING,
    b"NONEXISTENT": Meaning.MISSING,
    b"ALREADYEXISTS": Meaning.EXISTS,
    b"OVERQUOTA": Meaning.FULL,
    b"TOOBIG": Meaning.TOO_LARGE,
    b"UNAVAILABLE": Meaning.BUSY,
    b"INUSE": Meaning.BUSY,
    b"LIMIT": Meaning.BUSY,
    b"NOPERM": Meaning.FORBIDDEN,
    b"AUTHENTICATIONFAILED": Meaning.FORBIDDEN,
    b"AUTHORIZATIONFAILED": Meaning.FORBIDDEN,
    b"EXPIRED": Meaning.FORBIDDEN,
    b"PRIVACYREQUIRED": Meaning.FORBIDDEN,
    b"SERVERBUG": Meaning.PASSING,
    b"CONTACTADMIN": Meaning.PASSING,
}

_THROTTLED = _any(
    r"throttl",  # Exchange, Microsoft 365: "Request is throttled. Suggested Backoff Time: N milliseconds"
    r"bandwidth limit",  # Gmail: "Account exceeded command or bandwidth limits"
    r"rate[ -]?limit",  # Yahoo: "[LIMIT] APPEND Rate limit hit"
    r"too many (?:requests|commands)",
    r"too (?:fast|frequent)|slow down",
    "频繁|频率",  # QQ, 163: too frequent
)
_LIMITED = _any(
    r"too many (?:[\w-]+ ){0,3}(?:connections?|sessions?|log-?ins?|users|attempts|failures)",  # Gmail, Yahoo, Dovecot
    r"too many simultaneous",
    r"max\w* (?:number of )?(?:\w+ ){0,2}(?:connections?|sessions?)",  # Dovecot: "Maximum number of connections …"
    r"connections? limit|limit of connections",  # Courier, Zimbra
    r"zu viele (?:\w+ ){0,2}(?:verbindungen|anmeldungen)|trop de connexions|demasiadas conexiones",
    "连接数",
)
_FULL = _any(
    r"(?:over|exceed\w*|out of|insufficient|not enough|no more) (?:\w+ ){0,4}(?:quota|storage|(?:disk |free )?space)\b",
    r"over-?quota|quota (?:\w+ ){0,3}(?:exceed|full|reach|used up)",  # Dovecot, Cyrus: "Over quota"
    r"(?:mailbox|mail box|inbox|account) (?:\w+ ){0,2}full",  # Kerio, hMailServer
    r"storage limit|mailbox (?:\w+ ){0,3}(?:size|limit)",  # GroupWise: "storage limit has been exceeded"; Exchange
    r"no space left|disk (?:is )?full",  # UW, Courier: the server's own disk
    r"postfach (?:\w+ ){0,2}voll|speicherplatz|kontingent",
    r"quota d.{1,2}pass|bo.{1,2}te (?:\S+ ){0,4}pleine|espace (?:\w+ )?insuffisant",
    r"cuota (?:\w+ ){0,3}(?:exced|super)|buz.{1,2}n (?:\w+ ){0,2}lleno|casella (?:\w+ ){0,2}piena",
    "квот|переполнен|空间已满|空间不足|容量|已满",
)
_TOO_LARGE = _any(r"too (?:big|large)|size (?:limit|exceed)|exceed\w* .{0,40}\bsize")
_READ_ONLY = _any(r"read-?only")
_UNKNOWN_PROGRAM = _any(r"unsafe login")  # 163.com, 126.com, yeah.net, 188.com: "Please contact kefu@188.com"
_EXISTS = _any(r"already exists?|duplicate (?:folder|mailbox)|mailbox exists")  # Exchange, Gmail, Courier
_MISSING = _any(r"(?:does ?n[o']?t|not) exist|no such|not found|unknown (?:mailbox|folder)|non-?exist")
_PASSING = _any(
    r"unavailable|not available|server (?:is )?(?:busy|down|error)|\bbusy\b",  # Exchange: "Server Unavailable. 15"
    r"\block(?:ed)?\b|\bin use\b",  # UW, Courier, GroupWise: "Mailbox is locked"
    r"internal (?:\w+ )?(?:error|failure)|system error",  # Dovecot: "Internal error occurred. Refer to server log"
    r"maintenance|shutting down|going down|overload",
    r"try again|temporar|transient|time[d -]*out",
    r"wartung|vor.{1,2}bergehend|sp.{1,2}ter|nicht (?:erreichbar|verf.{1,2}gbar)",
    r"indisponible|r.{1,2}essay|plus tard|mantenimiento|no disponible|m.{1,2}s tarde|manutenzione|riprova",
    "繁忙|维护|稍后|暂时|メンテナンス|しばらく|混雑|позже|временно|недоступ",
)
_MEANINGS: tuple[tuple[Meaning | None, re.Pattern[bytes]], ...] = (
    (Meaning.FULL, _FULL),
    (Meaning.TOO_LARGE, _TOO_LARGE),
    (Meaning.READ_ONLY, _READ_ONLY),
    (Meaning.UNKNOWN_PROGRAM, _UNKNOWN_PROGRAM),
    (Meaning.EXISTS, _EXISTS),
    (None, _MISSING),  # only a code says for sure what is missing, but it is nothing that passes
    (Meaning.PASSING, _PASSING),
)
_READ = 500
"""Octets of a refusal that are read: no server needs more to say why."""
_CODE = re.compile(rb"\s*\[([A-Z0-9.=-]+)")


def meaning_of(words: bytes) -> Meaning | None:
    """Return what the words behind a NO, BAD or BYE mean, their response code included; None if nobody knows."""
    words = words[:_READ]
    found = _CODE.match(words)
    known = _CODES.get(found[1].upper()) if found else None
    if known is Meaning.MISSING:
        return known
    for meaning, pattern in ((Meaning.THROTTLED, _THROTTLED), (Meaning.LIMITED, _LIMITED)):
        if pattern.search(words):
            return meaning
    if known is Meaning.BUSY and b"identical" in words.lower():  # Cyrus: the 11th equal message in a folder
        return None
    if known is Meaning.FORBIDDEN and _READ_ONLY.search(words):
        return Meaning.READ_ONLY
    return known or next((meaning for meaning, pattern in _MEANINGS if pattern.search(words)), None)


PASSES = frozenset({Meaning.THROTTLED, Meaning.LIMITED, Meaning.BUSY, Meaning.PASSING})
"""What is over after a while, without anybody's doing."""
