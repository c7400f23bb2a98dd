"""fdm: ``.fdm.conf`` (fdm.conf(5)) and the cache of unique-ids that an account names. Pure.

A line of the cache is the length of a unique-id, a blank, the unique-id. fdm adds a Received field that names the
account, below a Return-Path, and in an mbox a second blank line behind each message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from migrator.adopting.fields import without_marked
from migrator.adopting.model import Document, NotTaken, OldAccount, Program, Restored, expanded, tls_of
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import TlsMode

_TOKEN = re.compile(r"""#[^\n]*|"((?:\\.|[^"\\])*)"|'([^']*)'|([{}=])|([^\s{}="'#]+)""", re.S)
_CONFIGURATION = re.compile(r"(?m)^[ \t]*(?:account|action|match)\s")
_NOTED = re.compile(rb"(\d+) (.+)")
_MARK = re.compile(rb'received:\s+by\s+\S+\s+\(fdm [^,\n]*, account "([^"\n]*)"\)', re.I)
_MACRO = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_BEGINS = frozenset({"account", "action", "match", "set", "include", "cache", "}"})
_POP3 = ("pop3", "pop3s")
_OTHERS = frozenset({"imap", "imaps", "stdin", "maildir", "maildirs", "mbox", "mboxes", "nntp", "nntps"})


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    is_quoted: bool


def _words(text: str) -> list[_Word]:
    """Return the words of a file; macros are put in where a word uses them (not in single quotes)."""
    macros: dict[str, str] = {}
    raw = list(_raw(text))
    words: list[_Word] = []
    place = 0
    while place < len(raw):
        word, can_expand = raw[place]
        if (
            not word.is_quoted
            and word.text[:1] in ("$", "%")
            and place + 2 < len(raw)
            and raw[place + 1][0].text == "="
        ):
            macros[word.text[1:]] = _expanded(raw[place + 2][0].text, macros)
            place += 3
            continue
        words.append(_Word(_expanded(word.text, macros), word.is_quoted) if can_expand else word)
        place += 1
    return words


def _raw(text: str) -> Iterator[tuple[_Word, bool]]:
    for found in _TOKEN.finditer(text):
        double, single, mark, bare = found.groups()
        if double is not None:
            yield _Word(re.sub(r"\\(.)", r"\1", double, flags=re.S), is_quoted=True), True
        elif single is not None:
            yield _Word(single, is_quoted=True), False
        elif mark or bare:
            yield _Word(mark or bare, is_quoted=False), True


def _expanded(text: str, macros: dict[str, str]) -> str:
    return _MACRO.sub(lambda found: macros.get(found[1] or found[2], found[0]), text)


def _usual_places(home: Path) -> Sequence[Path]:
    return (home / ".fdm.conf",)


def _is_configuration(document: Document) -> bool:
    return not _is_state(document) and _CONFIGURATION.search(document.text) is not None


def _is_state(document: Document) -> bool:
    lines = document.content.splitlines()
    return bool(lines) and all((found := _NOTED.fullmatch(line)) and int(found[1]) == len(found[2]) for line in lines)


def _accounts(document: Document, home: Path) -> list[OldAccount | NotTaken]:
    sentences = list(_sentences(_words(document.text)))
    stores = _stores(sentences, home)
    return [
        _account(sentence, stores, home)
        for sentence in sentences
        if sentence[0].text == "account" and len(sentence) > 2
    ]


def _sentences(words: list[_Word]) -> Iterator[list[_Word]]:
    """Yield what begins with a word that only begins something."""
    sentence: list[_Word] = []
    for place, word in enumerate(words):
        is_cache_of_account = place > 0 and words[place - 1].text in ("new-only", "old-only")
        if word.text in _BEGINS and not word.is_quoted and not is_cache_of_account:
            if sentence:
                yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def _account(sentence: list[_Word], stores: tuple[Path, ...], home: Path) -> OldAccount | NotTaken:
    name = sentence[1].text
    bare = [word.text for word in sentence if not word.is_quoted]
    kind = next((word for word in bare if word in _POP3 or word in _OTHERS), "")
    host, user = _after(sentence, "server"), _user(sentence)
    if kind not in _POP3:
        return NotTaken(f'account "{name}"', f"it is {kind or 'of an unknown kind'}, not pop3")
    if "disabled" in bare:
        return NotTaken(f'account "{name}"', "it is disabled")
    if not host or not user:
        return NotTaken(f'account "{name}"', "it names no server, or no user")
    written, cache = _after(sentence, "port"), _after(sentence, "cache")
    port = int(written) if written.isdecimal() else {"pop3": 110, "pop3s": 995}.get(written)
    return OldAccount(
        host=host,
        username=user,
        port=port,
        tls=TlsMode.STARTTLS if "starttls" in bare else tls_of(host, port, is_implicit=kind == "pop3s"),
        password=_after(sentence, "pass") or None,
        marks=frozenset({name}),
        noted_as=name,
        state_files=(_path(cache, home),) if cache else (),
        stores=stores,
        deletes="keep" not in bare,
    )


def _user(sentence: list[_Word]) -> str:
    """Return who logs in: the user behind the server, not one as whom mail is delivered."""
    kind = next((place for place, word in enumerate(sentence) if word.text in _POP3 and not word.is_quoted), 0)
    return _after(sentence[kind:], "user")


def _after(sentence: list[_Word], keyword: str) -> str:
    pairs = pairwise(sentence)
    return next((value.text for word, value in pairs if word.text == keyword and not word.is_quoted), "")


def _stores(sentences: list[list[_Word]], home: Path) -> tuple[Path, ...]:
    """Return the mailboxes of all actions whose path is the same for every message."""
    stores: dict[Path, None] = {}
    for sentence in sentences:
        if sentence[0].text != "action":
            continue
        for word, value in pairwise(sentence):
            is_store = word.text in ("mbox", "maildir") and not word.is_quoted and value.is_quoted
            path = _path(value.text, home)
            if is_store and "%" not in str(path):
                stores[path] = None
    return tuple(stores)


def _path(written: str, home: Path) -> Path:
    return expanded(written.replace("%h", str(home)).replace("%[home]", str(home)), home)


def _fetched(document: Document, account: OldAccount) -> frozenset[bytes]:
    """Read a cache. It does not say whose it is: one that the account names, or that was named by a person."""
    del account
    found = (_NOTED.fullmatch(line) for line in document.content.splitlines())
    return frozenset(line[2] for line in found if line)


def _restored(block: bytes) -> Restored | None:
    found = without_marked(block, _MARK)
    return Restored(found[0], mark=found[1]) if found else None


def _ending(is_record: bool) -> bytes:  # noqa: FBT001  # the signature of ``Program.ending``
    return b"\r\n" if is_record else b""


FDM = Program("fdm", _usual_places, _is_configuration, _is_state, _accounts, _fetched, _restored, ending=_ending)
