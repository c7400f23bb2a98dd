"""What an IMAP server says, as values: status lines with response codes, APPENDUID sets, FETCH items.

Pure. RFC 9051 section 7 (RFC 3501 section 7 for older servers), RFC 4315 for APPENDUID. Refuses nothing: a line that
is none of these is marked by ``None``, and the reader decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from migrator.lazy_dataclasses import dataclass

UID_LIMIT = 2**32
"""UIDs and UIDVALIDITY are non-zero and below this (RFC 9051, section 9, nz-number)."""

_STATUS = re.compile(rb"(\S+) (OK|NO|BAD|BYE|PREAUTH)(?: (?:\[([A-Z0-9.=-]+)(?: ([^\]]*))?\] ?)?(.*))?", re.I | re.S)
_LITERAL_END = re.compile(rb"\{(\d{1,19})\+?\}\Z")
_FETCH = re.compile(rb"\* (\d{1,10}) FETCH \(", re.I)
_ITEM = re.compile(
    rb"""\s*([A-Z0-9.-]+(?:\[[^\]]*\])?(?:<\d+>)?)\s+   # the item's name, with section and origin
         (?: \{(\d{1,19})\+?\}\Z                        # a literal: its octets follow this line
           | "((?:[^"\\]|\\.)*)"                        # a quoted string
           | (\((?:[^()"]|"(?:[^"\\]|\\.)*")*\))        # a list without lists in it (FLAGS)
           | ([^\s(){"]+) )                             # an atom, a number or NIL
    """,
    re.I | re.X | re.S,
)


class ReplyStatus(StrEnum):
    """The five words that open a status response."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


@dataclass(frozen=True, slots=True)
class StatusReply:
    """One status response, tagged (``tag`` is ours) or untagged (``*``). ``code`` is in upper case, ``b""`` if none.

    ``words`` is all that follows the verdict, the bracketed code included: what a person should see.
    """

    tag: bytes
    verdict: ReplyStatus
    code: bytes
    arguments: bytes
    words: bytes


def parse_status(line: bytes) -> StatusReply | None:
    """Return the status response that ``line`` (without its CRLF) is, or None."""
    found = _STATUS.fullmatch(line)
    if found is None:
        return None
    tag, verdict, code, arguments, _ = found.groups()
    words = line[found.end(2) :].strip()
    return StatusReply(tag, ReplyStatus(verdict.upper().decode()), (code or b"").upper(), arguments or b"", words)


def literal_octets(line: bytes) -> int | None:
    """Return how many octets follow a line that announces a literal, or None."""
    if not line.endswith(b"}"):
        return None
    found = _LITERAL_END.search(line)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class AppendUid:
    """What APPENDUID promises: the mailbox's UIDVALIDITY and one UID for each message, in order of appending."""

    uid_validity: int
    uids: tuple[int, ...]


def parse_append_uid(reply: StatusReply, *, count: int) -> AppendUid | None:
    """Return the APPENDUID of a tagged OK if it stands for exactly ``count`` messages, else None.

    None means that it has to be found out where the copies are: the code is optional even for servers that announce
    UIDPLUS (Proton Bridge leaves it out), and must not be believed blindly (DavMail swapped its two numbers).
    """
    if reply.code != b"APPENDUID":
        return None
    validity, _, uid_set = reply.arguments.partition(b" ")
    uids = expand_uid_set(uid_set.strip(), limit=count)
    if uids is None or len(uids) != count or not _is_number(validity):
        return None
    return AppendUid(int(validity), uids)


def expand_uid_set(uid_set: bytes, *, limit: int) -> tuple[int, ...] | None:
    """Return the UIDs of a set such as ``4,7:9`` in its order, or None if it is malformed or holds over ``limit``.

    The limit is checked before anything is expanded, so that ``1:4294967295`` costs nothing.
    """
    uids: list[int] = []
    for piece in uid_set.split(b","):
        first, colon, last = piece.partition(b":")
        if not _is_number(first) or (colon and not _is_number(last)):
            return None
        low, high = sorted((int(first), int(last or first)))
        if len(uids) + high - low + 1 > limit:
            return None
        uids.extend(range(low, high + 1))
    return tuple(uids)


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 10 and 0 < int(word) < UID_LIMIT


def uid_set_of(uids: Iterable[int]) -> bytes:
    """Write ascending UIDs as the shortest set: ``1,2,3,7`` becomes ``1:3,7``."""
    pieces: list[list[int]] = []
    for uid in uids:
        if pieces and uid == pieces[-1][-1] + 1:
            pieces[-1][1:] = [uid]
        else:
            pieces.append([uid])
    return b",".join(b":".join(b"%d" % end for end in piece) for piece in pieces)


@dataclass(frozen=True, slots=True)
class FetchItem:
    """One item of a FETCH response. A literal's value is not here: its octets are still to be read."""

    name: bytes
    value: bytes | None
    literal: int | None = None


def fetch_items_begin(line: bytes) -> int | None:
    """Return where the items of an untagged FETCH response begin in ``line``, or None if it is something else."""
    found = _FETCH.match(line)
    return found.end() if found else None


def parse_fetch_items(line: bytes, start: int) -> tuple[Sequence[FetchItem], bool]:
    """Return the items of (a piece of) a FETCH response from ``start`` on, and whether the response ends here.

    A response that does not end announces a literal with its last item; its next piece is the line after the
    literal. Items that cannot be understood end the response: what they were is then simply not known.
    """
    items: list[FetchItem] = []
    while (found := _ITEM.match(line, start)) is not None:
        name, literal, quoted, listed, atom = found.groups()
        if literal is not None:
            items.append(FetchItem(name.upper(), None, int(literal)))
            return items, False
        items.append(FetchItem(name.upper(), _item_value(quoted, listed, atom)))
        start = found.end()
    return items, literal_octets(line) is None


def _item_value(quoted: bytes | None, listed: bytes | None, atom: bytes | None) -> bytes | None:
    if quoted is not None:
        return re.sub(rb"\\(.)", rb"\1", quoted, flags=re.S)
    if atom is not None and atom.upper() == b"NIL":
        return None
    return atom if listed is None else listed
