"""fetchmail: ``.fetchmailrc`` (fetchmail(1), "THE RUN CONTROL FILE") and the list of unique-ids in ``.fetchids``. Pure.

The list has a line a message: user, ``@``, the name that stands behind ``poll``, a blank, the unique-id, which is
cut at a blank and at 128 octets. The program's own header field is a Received line; it stands below a Return-Path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from migrator.adopting.fields import without_marked
from migrator.adopting.model import Document, NotTaken, OldAccount, Program, Restored, expanded, tls_of
from migrator.lazy_dataclasses import dataclass, field

_TOKEN = re.compile(r"""#[^\n]*|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(=)|([^\s,;:="'#][^\s,;:=]*)""", re.S)
_NOTED = re.compile(rb"[^\s@]\S*@\S+ \S")
_MARK = re.compile(rb"received:\s+from\s+(\S+)[^\n]*\n\s+by\s+\S+\s+with\s+\S*POP3\S*\s+\(fetchmail-", re.I)
_LONGEST = 128

_SERVER = {"proto": "protocol", "protocol": "protocol", "port": "port", "service": "port", "via": "via"}
_USER = {"pass": "password", "password": "password", "sslproto": "sslproto", "sslcertfile": "sslcertfile"}
_FLAGS = {"keep": "keep", "ssl": "ssl", "fetchall": "fetchall"}
_PORTS = {"pop3": 110, "pop3s": 995}


@dataclass(slots=True)
class _Table:
    """The options of a server entry, of the defaults, or of one user."""

    options: dict[str, str] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    users: list[_Table] = field(default_factory=list)
    name: str = ""
    is_skipped: bool = False


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a file, and whether each was quoted; comments and punctuation are none."""
    for found in _TOKEN.finditer(text):
        double, single, equals, bare = found.groups()
        quoted = double if double is not None else single
        if quoted is not None:
            yield re.sub(r"\\(.)", r"\1", quoted, flags=re.S), True
        elif equals or bare:
            yield equals or bare, False


class _Reading:
    """One reading of a file."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.entries: list[_Table] = []
        self.defaults = _Table()
        self.idfile = ""
        self._entry = self.defaults
        self._is_no = False
        for token, is_quoted in self._tokens:
            if not is_quoted:
                self._take(token)

    def _next(self) -> str:
        return next(self._tokens, ("", False))[0]

    def _take(self, word: str) -> None:
        user = self._entry.users[-1] if self._entry.users else self._entry
        is_no, self._is_no = self._is_no, word == "no"
        flag = word.removeprefix("no") if word.startswith("no") and word[2:] in _FLAGS else word
        if word in ("poll", "server", "skip"):
            self._entry = _Table(name=self._next(), is_skipped=word == "skip")
            self.entries.append(self._entry)
        elif word == "defaults":
            self._entry = self.defaults
        elif word == "set":
            self._set()
        elif word in ("user", "username"):
            self._entry.users.append(_Table(name=self._next()))
        elif word in _SERVER:
            self._entry.options[_SERVER[word]] = self._next()
        elif word in _USER:
            user.options[_USER[word]] = self._next()
        elif flag in _FLAGS:
            user.flags[_FLAGS[flag]] = not is_no and flag == word

    def _set(self) -> None:
        if self._next() == "idfile":
            value = self._next()
            self.idfile = self._next() if value == "to" else value


def _usual_places(home: Path) -> Sequence[Path]:
    return (home / ".fetchmailrc", home / ".fetchids")


def _is_configuration(document: Document) -> bool:
    return document.path.name == ".fetchmailrc" or (
        not _is_state(document) and re.search(r"(?m)^[ \t]*(?:poll|skip|server)\b", document.text) is not None
    )


def _is_state(document: Document) -> bool:
    lines = document.content.splitlines()
    return bool(lines) and all(_NOTED.match(line) for line in lines)


def _accounts(document: Document, home: Path) -> list[OldAccount | NotTaken]:
    reading = _Reading(document.text)
    found: list[OldAccount | NotTaken] = []
    for entry in reading.entries:
        options = reading.defaults.options | entry.options
        protocol = options.get("protocol", "auto").lower()
        if protocol not in ("pop3", "apop"):
            found.append(NotTaken(entry.name, f"its protocol is {protocol}, not pop3"))
        elif not entry.users:
            found.append(NotTaken(entry.name, "it names no user"))
        elif entry.is_skipped:
            found.append(NotTaken(entry.name, "it is marked skip"))
        else:
            found += [_account(entry, user, reading, home) for user in entry.users]
    return found


def _account(entry: _Table, user: _Table, reading: _Reading, home: Path) -> OldAccount:
    options = reading.defaults.options | entry.options | user.options
    flags = reading.defaults.flags | entry.flags | user.flags
    host = options.get("via") or entry.name
    written = options.get("port", "")
    port = int(written) if written.isdecimal() else _PORTS.get(written)
    certificates = options.get("sslcertfile", "")
    return OldAccount(
        host=host,
        username=user.name,
        port=port,
        tls=tls_of(host, port, is_implicit=flags.get("ssl", False)),
        auth="apop" if options["protocol"].lower() == "apop" else "auto",
        password=options.get("password") or None,
        ca_file=str(expanded(certificates, home)) if certificates else "",
        marks=frozenset({host, entry.name}),
        noted_as=f"{user.name}@{entry.name}",
        state_files=(expanded(reading.idfile, home) if reading.idfile else home / ".fetchids",),
        stores=_mailboxes(home),
        deletes=not flags.get("keep", False),
    )


def _mailboxes(home: Path) -> tuple[Path, ...]:
    """Return where the mail that fetchmail hands on is usually delivered."""
    return (Path("/var/mail") / home.name, home / "Maildir", home / "mbox")


def _fetched(document: Document, account: OldAccount) -> frozenset[bytes]:
    wanted = account.noted_as.encode().lower()
    lines = (line.rstrip(b"\r").partition(b" ") for line in document.content.split(b"\n"))
    return frozenset(unique_id for who, _, unique_id in lines if unique_id and who.lower() == wanted)


def _noted(unique_id: bytes) -> bytes:
    return unique_id.partition(b" ")[0][:_LONGEST]


def _restored(block: bytes) -> Restored | None:
    found = without_marked(block, _MARK)
    return Restored(found[0], mark=found[1]) if found else None


FETCHMAIL = Program(
    "fetchmail", _usual_places, _is_configuration, _is_state, _accounts, _fetched, _restored, noted=_noted
)
