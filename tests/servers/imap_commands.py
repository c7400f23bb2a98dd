"""What an IMAP server without faults does for each command (RFC 3501, 2342, 3502, 4315)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.servers.mailboxes import SOME_DAY, AppendItem, Folder, Kept, Mailboxes

_TOKEN = re.compile(rb'\s*("(?:[^"\\]|\\.)*"|\((?:[^()"]|"(?:[^"\\]|\\.)*"|\([^()]*\))*\)|[^\s()"]+)')
_ITEM = re.compile(rb"\s*([A-Za-z0-9.]+(?:\[[^\]]*\])?(?:<[\d.]+>)?)")
_FIELDS = re.compile(rb"BODY(?:\.PEEK)?\[HEADER\.FIELDS(\.NOT)? \(([^)]*)\)\]", re.I)


@dataclass(frozen=True, slots=True)
class Reply:
    """Lines to send, each with its line end; ``ends`` the connection."""

    lines: Sequence[bytes]
    ends: bool = False


@dataclass(slots=True)
class Ask:
    """What one connection knows: who is in, which folder is open."""

    mailboxes: Mailboxes
    capabilities: Sequence[str]
    password: str
    is_in: bool = False
    selected: bytes | None = None
    validity: int = 0
    _tag: bytes = field(default=b"", init=False)

    @property
    def awaits_response(self) -> bool:
        """Whether the next line belongs to AUTHENTICATE."""
        return bool(self._tag)

    def begin_authentication(self, tag: bytes) -> Reply:
        """Ask for the response to AUTHENTICATE PLAIN."""
        self._tag = tag
        return Reply([b"+ \r\n"])

    def responded(self, line: bytes) -> Reply:
        """Judge the response."""
        tag, self._tag = self._tag, b""
        return self.let_in(tag, base64.b64decode(line).split(b"\0")[-1])

    def let_in(self, tag: bytes, password: bytes) -> Reply:
        """Log in a client whose password is right."""
        self.is_in = password == self.password.encode()
        return _said(tag, b"OK in" if self.is_in else b"NO [AUTHENTICATIONFAILED] wrong user or password")

    def open_folder(self) -> Folder | None:
        """The selected folder, unless it went away or was made anew since."""
        folder = self.mailboxes.folder(self.selected) if self.selected is not None else None
        return folder if folder is not None and folder.uid_validity == self.validity else None


def answer_to(ask: Ask, tag: bytes, verb: str, pieces: Sequence[bytes]) -> Reply:
    """Do what a command asks: ``pieces`` are its text without the tag, and its literals, in turn."""
    handler = _ALWAYS.get(verb) or (_ONCE_IN.get(verb) if ask.is_in else None)
    if handler is None:
        return _said(tag, b"BAD unknown or not allowed here")
    words = _words(pieces)[len(verb.split()) :]
    with ask.mailboxes.lock:
        return handler(ask, tag, words)


Words = Sequence[bytes | memoryview]
"""Arguments: quoted strings without their quotes; a literal is a memoryview, and so cannot be taken for a word."""


def _words(pieces: Sequence[bytes]) -> list[bytes | memoryview]:
    words: list[bytes | memoryview] = []
    for place, piece in enumerate(pieces):
        if place % 2:
            words.append(memoryview(piece))
        else:
            words += [_unquoted(found[1]) for found in _TOKEN.finditer(piece)]
    return words


def _unquoted(word: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", word[1:-1]) if word.startswith(b'"') else word


def _said(tag: bytes, words: bytes, *untagged: bytes) -> Reply:
    return Reply([*(b"* " + line + b"\r\n" for line in untagged), tag + b" " + words + b"\r\n"])


def _capability(ask: Ask, tag: bytes, _: Words) -> Reply:
    return _said(tag, b"OK done", b"CAPABILITY " + " ".join(ask.capabilities).encode())


def _logout(_ask: Ask, tag: bytes, _: Words) -> Reply:
    return Reply([b"* BYE see you\r\n", tag + b" OK bye\r\n"], ends=True)


def _login(ask: Ask, tag: bytes, words: Words) -> Reply:
    return ask.let_in(tag, bytes(words[1]))


def _authenticate(ask: Ask, tag: bytes, words: Words) -> Reply:
    if bytes(words[0]).upper() != b"PLAIN":
        return _said(tag, b"NO no such mechanism")
    return ask.let_in(tag, base64.b64decode(words[1]).split(b"\0")[-1]) if words[1:] else ask.begin_authentication(tag)


def _done(_ask: Ask, tag: bytes, _: Words) -> Reply:
    return _said(tag, b"OK done")


def _namespace(_ask: Ask, tag: bytes, _: Words) -> Reply:
    return _said(tag, b"OK done", b'NAMESPACE (("" "/")) NIL NIL')


def _list(ask: Ask, tag: bytes, words: Words) -> Reply:
    if not words[1]:
        return _said(tag, b"OK done", rb'LIST (\Noselect) "/" ""')
    pattern = (
        re.escape(ask.mailboxes.known_as(bytes(words[0]) + bytes(words[1])))
        .replace(rb"\*", rb".*")
        .replace(rb"%", rb"[^/]*")
    )
    shown = [name for name in ask.mailboxes.names() if re.fullmatch(pattern, name, 0 if name != b"INBOX" else re.I)]
    return _said(tag, b"OK done", *(b'LIST () "/" "%b"' % name for name in shown))


def _create(ask: Ask, tag: bytes, words: Words) -> Reply:
    name = bytes(words[0])
    if ask.mailboxes.folder(name) is not None:
        return _said(tag, b"NO [ALREADYEXISTS] there is one")
    ask.mailboxes.create(name)
    return _said(tag, b"OK done")


def _opened(ask: Ask, tag: bytes, words: Words, code: bytes) -> Reply:
    name = bytes(words[0])
    folder = ask.mailboxes.folder(name)
    ask.selected = None
    if folder is None:
        return _said(tag, b"NO [NONEXISTENT] there is no such folder")
    ask.selected, ask.validity = name, folder.uid_validity
    lines = [
        rb"FLAGS (\Seen \Flagged \Answered \Deleted \Draft)",
        rb"OK [PERMANENTFLAGS (\Seen \Flagged \Answered \Deleted \Draft \*)] kept",
        b"%d EXISTS" % len(folder.messages),
        b"0 RECENT",
        b"OK [UIDVALIDITY %d] ok" % folder.uid_validity,
        b"OK [UIDNEXT %d] ok" % folder.uid_next,
    ]
    return _said(tag, b"OK [" + code + b"] open", *lines)


def _select(ask: Ask, tag: bytes, words: Words) -> Reply:
    return _opened(ask, tag, words, b"READ-WRITE")


def _examine(ask: Ask, tag: bytes, words: Words) -> Reply:
    return _opened(ask, tag, words, b"READ-ONLY")


def _status(ask: Ask, tag: bytes, words: Words) -> Reply:
    folder = ask.mailboxes.folder(bytes(words[0]))
    if folder is None:
        return _said(tag, b"NO [NONEXISTENT] there is no such folder")
    known = {
        b"MESSAGES": len(folder.messages),
        b"UIDNEXT": folder.uid_next,
        b"UIDVALIDITY": folder.uid_validity,
        b"RECENT": 0,
        b"UNSEEN": 0,
    }
    asked = bytes(words[1]).strip(b"()").upper().split()
    told = b" ".join(b"%b %d" % (item, known[item]) for item in asked if item in known)
    return _said(tag, b"OK done", b'STATUS "%b" (%b)' % (bytes(words[0]), told))


def _append(ask: Ask, tag: bytes, words: Words) -> Reply:
    letters: list[AppendItem] = []
    flags: tuple[bytes, ...] = ()
    date = SOME_DAY
    for word in words[1:]:
        if isinstance(word, memoryview):
            letters.append(AppendItem(bytes(word), flags, date))
            flags, date = (), SOME_DAY
        elif word.startswith(b"("):
            flags = tuple(word.strip(b"()").split())
        else:
            date = word
    stored = ask.mailboxes.append(bytes(words[0]), letters)
    if stored is None:
        return _said(tag, b"NO [TRYCREATE] there is no such folder")
    validity, uids = stored
    uid_set = b"%d" % uids[0] + (b":%d" % uids[-1] if uids[1:] else b"")
    code = b" [APPENDUID %d %b]" % (validity, uid_set) if "UIDPLUS" in ask.capabilities else b""
    return _said(tag, b"OK" + code + b" stored")


def _uid_fetch(ask: Ask, tag: bytes, words: Words) -> Reply:
    folder = ask.open_folder()
    if folder is None:
        return Reply([b"* BYE the folder was made anew\r\n"], ends=True)
    items = _ITEM.findall(b" ".join(map(bytes, words[1:])).removeprefix(b"(").removesuffix(b")"))
    wanted = _uids(bytes(words[0]), folder)
    lines = [
        b"* %d FETCH (%b)\r\n" % (number, b" ".join(_fetched(message, items)))
        for number, message in enumerate(folder.messages, 1)
        if message.uid in wanted
    ]
    return Reply([*lines, tag + b" OK done\r\n"])


def _uids(uid_set: bytes, folder: Folder) -> set[int]:
    highest = max((message.uid for message in folder.messages), default=0)
    wanted: set[int] = set()
    for piece in uid_set.split(b","):
        first, _, last = piece.partition(b":")
        ends = [highest if end == b"*" else int(end) for end in (first, last or first)]
        wanted |= {message.uid for message in folder.messages if min(ends) <= message.uid <= max(ends)}
    return wanted


def _fetched(message: Kept, items: Sequence[bytes]) -> list[bytes]:
    told = [] if b"UID" in (item.upper() for item in items) else [b"UID %d" % message.uid]
    return told + [_item(message, item) for item in items]


def _item(message: Kept, item: bytes) -> bytes:
    name = item.upper()
    match name:
        case b"UID":
            return b"UID %d" % message.uid
        case b"RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(message.content)
        case b"FLAGS":
            return b"FLAGS (" + b" ".join(message.letter.flags) + b")"
        case b"INTERNALDATE":
            return b'INTERNALDATE "' + message.letter.date + b'"'
        case b"BODY.PEEK[]" | b"BODY[]":
            return _literal(b"BODY[]", message.content)
        case b"BODY.PEEK[HEADER]" | b"BODY[HEADER]":
            return _literal(b"BODY[HEADER]", _header(message.content))
        case _ if (found := _FIELDS.fullmatch(item)) is not None:
            name = name.replace(b".PEEK", b"")
            return _literal(name, _header_fields(message.content, found[2].upper().split(), without=bool(found[1])))
        case _:
            return item + b" NIL"


def _literal(name: bytes, content: bytes) -> bytes:
    return name + b" {%d}\r\n" % len(content) + content


def _header(content: bytes) -> bytes:
    header, blank, _ = content.partition(b"\r\n\r\n")
    return header + blank


def _header_fields(content: bytes, names: Sequence[bytes], *, without: bool) -> bytes:
    fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", _header(content).removesuffix(b"\r\n") + b"\r\n")
    return b"".join(line for line in fields if (line.partition(b":")[0].upper() in names) != without) + b"\r\n"


def _uid_search(ask: Ask, tag: bytes, _: Words) -> Reply:
    folder = ask.open_folder()
    uids = [] if folder is None else [b"%d" % message.uid for message in folder.messages]
    return _said(tag, b"OK done", b" ".join([b"SEARCH", *uids]))


_Handler = Callable[[Ask, bytes, Words], Reply]
_ALWAYS: dict[str, _Handler] = {
    "CAPABILITY": _capability,
    "NOOP": _done,
    "ID": _done,
    "LOGOUT": _logout,
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
}
_ONCE_IN: dict[str, _Handler] = {
    "ENABLE": _done,
    "NAMESPACE": _namespace,
    "LIST": _list,
    "CREATE": _create,
    "SUBSCRIBE": _done,
    "SELECT": _select,
    "EXAMINE": _examine,
    "STATUS": _status,
    "APPEND": _append,
    "UID FETCH": _uid_fetch,
    "UID SEARCH": _uid_search,
    "CLOSE": _done,
    "UNSELECT": _done,
}
