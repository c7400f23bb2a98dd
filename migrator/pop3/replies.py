"""What a POP3 server says, as data. Pure: bytes in, values or our own errors out.

Status lines are read leniently (any text after ``+OK`` or ``-ERR``, any case, bare LF line ends), because old servers
word them as they like; what follows from them is strict. RFC 1939; response codes RFC 2449 section 8 and RFC 3206;
capabilities RFC 2449 section 6; SASL RFC 5034; STLS RFC 2595.
"""

from __future__ import annotations

import re

from migrator.errors import FerryError, Kind, printable
from migrator.lazy_dataclasses import dataclass, field

MAX_STATUS_LINE = 16 * 1024
"""RFC 2449 says 512 octets; SASL challenges of some providers are longer, nothing sane is this long."""

MAX_CAPABILITY_LINES = 200
MAX_CAPABILITY_OCTETS = 64 * 1024

_CRLF_DOT = b"\r\n."
_LF_DOT = b"\n."
# What a slice may end with that could turn out to be the end of the reply; longest first.
_WITHHELD_CRLF = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
_WITHHELD_LF = (b"\r\n.\r", b"\r\n.", b"\n.\r", b"\n.", b"\r\n", b"\n", b"\r")


@dataclass(slots=True)
class Status:
    """A status line: yes or no, and the words after it as the server sent them."""

    is_ok: bool
    text: bytes


def parse_status(line: bytes) -> Status | None:
    """Read a status line without its line end; None if it is none: then the conversation is out of step."""
    if line.startswith(b"+OK"):
        return Status(is_ok=True, text=line[3:].strip())
    if line[:4].upper() == b"-ERR":
        return Status(is_ok=False, text=line[4:].strip())
    if line[:3].upper() == b"+OK":
        return Status(is_ok=True, text=line[3:].strip())
    if line[:4].upper() == b"+ERR":  # hMailServer, up to 2026
        return Status(is_ok=False, text=line[4:].strip())
    return None


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT's answer: how many messages the maildrop shows and how many octets they have."""

    count: int
    octets: int


_STAT = re.compile(rb"(\d{1,15})\s+(\d{1,18})(?:\s|$)")


def parse_stat(text: bytes) -> Stat | None:
    """Read the words of STAT's reply (RFC 1939, section 5), None if they are not its."""
    found = _STAT.match(text)
    return Stat(int(found[1]), int(found[2])) if found else None


_ATOMS = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.+[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_TIMESTAMP = re.compile(rb"<%b@(?:%b\.?|\[[\x21-\x5a\x5e-\x7e]{1,80}\])>" % (_ATOMS, _ATOMS))


def apop_timestamp(greeting: bytes) -> bytes:
    """Return the banner's timestamp (RFC 1939, section 7), ``b""`` if there is none.

    It must be a message-id of RFC 822: with other bytes in it, somebody between us and the server could find out the
    password by MD5's collisions (CVE-2007-1558).
    """
    found = _TIMESTAMP.search(greeting)
    return found[0] if found else b""


# --- multi-line replies ------------------------------------------------------------------------------------------


def whole_body(buffer: bytes, start: int, *, is_bare_lf: bool) -> tuple[bytes, int] | None:
    """Return a multi-line reply's content, dot-unstuffed, and where the next reply begins; None if it is not all there.

    ``start`` is right behind the status line. With ``is_bare_lf`` the server ends its lines in bare LF, and only then
    does LF.LF end a reply.
    """
    mark = _LF_DOT if is_bare_lf else _CRLF_DOT
    at = _next_mark(buffer, start, mark)
    if not is_bare_lf and at >= 0 and buffer.startswith(b"\r\n", at + 3):  # nearly every message: nothing is stuffed
        return buffer[start : at + 2], at + 5
    parts, _, end = _unstuffed(buffer, start, at, mark)
    return (b"".join(parts), end) if end >= 0 else None


_DOT_BEHIND_CRLF = re.compile(rb"\.(?<=\r\n\.)")
_STRIDE = 16 * 1024


def _next_mark(data: bytes, start: int, mark: bytes) -> int:
    """Return where ``mark`` stands first with its dot at ``start`` or behind, -1 if nowhere.

    Of the mark's bytes the dot is the rarest: looking for it first takes half the time that ``bytes.find`` takes for
    the mark, and next to none in base64, which has no dots.
    """
    if mark is _LF_DOT:
        return data.find(mark, max(0, start - 1))
    while (start := data.find(b".", start)) >= 0:
        if found := _DOT_BEHIND_CRLF.search(data, start, start + _STRIDE):
            return found.end() - len(_CRLF_DOT)
        start += _STRIDE
    return -1


def _unstuffed(data: bytes, begin: int, at: int, mark: bytes) -> tuple[list[bytes], int, int]:
    """Return pieces of content, where the unfinished rest of it begins, and where the next reply does (-1: not here).

    ``at`` is the first place where ``mark``, a line end with a dot behind it, stands. Only a doubled dot is undone: a
    dot before anything else was never stuffed, so the server that sent it does not stuff (RFC 1939, section 3).
    """
    parts: list[bytes] = []
    line_end = len(mark) - 1
    while at >= 0:
        behind = at + len(mark)
        following = data[behind : behind + 2]
        if following[:1] == b".":
            parts.append(data[begin : at + line_end])
            begin = behind
        elif following == b"\r\n" or (following[:1] == b"\n" and mark is _LF_DOT):
            parts.append(data[begin : at + line_end])
            return parts, begin, behind + (2 if following == b"\r\n" else 1)
        elif len(following) < 2 and following in {b"", b"\r"}:
            break
        at = _next_mark(data, behind, mark)
    return parts, begin, -1


class BodyReader:
    """Reads one multi-line reply fed in any slices, holding back at most five bytes.

    No piece that it gives ends between CR and LF.
    """

    def __init__(self, *, is_bare_lf: bool) -> None:
        self._mark = _LF_DOT if is_bare_lf else _CRLF_DOT
        self._candidates = _WITHHELD_LF if is_bare_lf else _WITHHELD_CRLF
        # The line end of the status line counts: a reply without content is a dot right behind it.
        self._withheld = self._mark[:-1]
        self._not_content = len(self._withheld)
        self._last = b""

    def feed(self, data: bytes) -> tuple[list[bytes], int]:
        """Return the content that ``data`` completes and where in ``data`` the next reply begins, -1 if not in it."""
        known = len(self._withheld)
        self._last = (self._last + data[-3:])[-3:]
        data = self._withheld + data
        parts, begin, end = _unstuffed(data, self._not_content, _next_mark(data, 0, self._mark), self._mark)
        if end >= 0:
            return [part for part in parts if part], end - known
        keep = next((candidate for candidate in self._candidates if data.endswith(candidate)), b"")
        upto = len(data) - len(keep)
        if begin < upto:
            parts.append(data[begin:upto])
        self._withheld = keep
        self._not_content = max(0, begin - upto)
        return [part for part in parts if part], -1

    @property
    def ends_in_dot(self) -> bool:
        """Whether what came last looks like the final dot, but with no line end before it (Exchange 2000 does that)."""
        return self._last.endswith((b".\r\n", b".\n"))


# --- capabilities ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What CAPA lists: names in upper case with their arguments. ``is_known`` is False if the server has no CAPA."""

    is_known: bool = False
    entries: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    @property
    def pipelining(self) -> bool:
        """Whether commands may be sent before earlier ones are answered (RFC 2449, section 6.6)."""
        return "PIPELINING" in self.entries

    @property
    def sasl(self) -> tuple[str, ...]:
        """SASL mechanisms, in upper case."""
        return tuple(name.upper() for name in self.entries.get("SASL", ()))

    @property
    def login_delay(self) -> float | None:
        """The seconds that must lie between two log-ins, None if nothing is said (RFC 2449, section 6.5)."""
        argument = self._first("LOGIN-DELAY")
        return float(argument) if argument.isascii() and argument.isdecimal() and len(argument) < 10 else None

    @property
    def expire(self) -> str:
        """How many days the server keeps mail: a number, ``NEVER``, or ``""``; ``0`` means gone with this session."""
        return self._first("EXPIRE").upper()

    @property
    def implementation(self) -> str:
        """What the server calls itself, ``""`` if it does not say."""
        return " ".join(self.entries.get("IMPLEMENTATION", ()))

    def _first(self, name: str) -> str:
        return next(iter(self.entries.get(name, ())), "")


def parse_capabilities(content: bytes) -> Capabilities:
    """Read the content of CAPA's reply. Raises ``protocol`` if it has more lines than any server needs."""
    lines = content.split(b"\n")
    if len(lines) > MAX_CAPABILITY_LINES + 1:
        raise FerryError(Kind.PROTOCOL, f"the server lists more than {MAX_CAPABILITY_LINES} capabilities")
    entries: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = printable(line.strip(), limit=4096).split()
        if words:
            name = words[0].upper()
            # Two SASL lines, or AUTH beside SASL, have been seen: what is offered adds up.
            entries[name] = entries.get(name, ()) + tuple(words[1:])
    return Capabilities(is_known=True, entries=entries)
