"""A folder's name as a person writes it, as a server writes it, and whether two spellings are one folder.

On the wire a name is modified UTF-7 (RFC 3501, section 5.1.3), whatever else the server offers: UTF8=ACCEPT (RFC 9755)
is never enabled. A server that lists names in bare UTF-8 all the same is asked for them in its own bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import partial

from imapclient import imap_utf7  # type: ignore[import-untyped]  # it ships no types

from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FolderName:
    """``shown`` is for people, ``wire`` what stands between the quotes of a command."""

    shown: str
    wire: bytes

    @classmethod
    def of(cls, shown: str) -> FolderName:
        """Write a name for a server that keeps to the standard."""
        return cls(shown, bytes(imap_utf7.encode(shown)))

    @classmethod
    def listed(cls, wire: bytes) -> FolderName:
        """Read a name as LIST shows it; one that nobody can decode is shown as it stands."""
        for reading in (_modified_utf7, partial(bytes.decode, encoding="utf-8")):
            try:
                return cls(reading(wire), wire)
            except ValueError:
                continue
        return cls(wire.decode("latin-1"), wire)


def _modified_utf7(wire: bytes) -> str:
    wire.decode("ascii")  # imapclient would read bytes as Latin-1
    return str(imap_utf7.decode(wire))


@dataclass(frozen=True, slots=True)
class Namespace:
    """What a server puts before a user's own folders, and between their levels (RFC 2342); either may be empty."""

    prefix: str
    delimiter: str

    @classmethod
    def told(cls, prefix: str, delimiter: str) -> Namespace:
        """Take it from the server's words; some leave out the delimiter at the end of the prefix."""
        return cls(prefix + delimiter if _is_inbox(prefix) else prefix, delimiter)

    def placed(self, folder: str) -> str:
        """Return a configured name as this server means it: its delimiter between levels, its prefix before them.

        Courier keeps everything below ``INBOX.``. INBOX has no case, there as anywhere (RFC 9051, section 5.1).
        """
        named = folder.replace("/", self.delimiter) if self.delimiter else folder
        if self.delimiter:
            named = named.rstrip(self.delimiter) or named
        if _is_inbox(self.prefix[:5]) and _is_inbox(named[:5]) and named[5:6] == self.delimiter:
            return self.prefix + named[6:]
        return named if named.startswith(self.prefix) else self.prefix + named

    def levels(self, name: str) -> list[str]:
        """Return the folders that a name stands for, the outermost first."""
        return name.split(self.delimiter) if self.delimiter else [name]


def _is_inbox(name: str) -> bool:
    return name.upper() == "INBOX"


def spellings(name: str, delimiter: str) -> list[str]:
    """Return how a server may write a name: as it is, without blanks at the end of a level, composed, decomposed."""
    bare = without_blanks(name, delimiter)
    forms = (name, bare, unicodedata.normalize("NFC", bare), unicodedata.normalize("NFD", bare))
    return list(dict.fromkeys(forms))


def without_blanks(name: str, delimiter: str) -> str:
    """Return a name without blanks at the end of any level: many servers drop them, or cannot open what has them."""
    levels = name.split(delimiter) if delimiter else [name]
    return delimiter.join(level.rstrip() or level for level in levels)


def is_one_folder(name: str, other: str) -> bool:
    """Say whether two names differ in case, composition of letters, or blanks and slashes at the end alone."""
    return _folded(name) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).rstrip("/. ")


def is_composed_alike(name: str, other: str) -> bool:
    """Say whether two names are the same letters, composed or not, with or without blanks at the end."""
    return unicodedata.normalize("NFC", name).rstrip() == unicodedata.normalize("NFC", other).rstrip()


def spelled_like(wanted: str, listed: Iterable[FolderName]) -> FolderName | None:
    """Return the folder of this name among those that a server lists: spelled exactly so, else nearly so."""
    near = None
    for name in listed:
        if name.shown == wanted:
            return name
        if near is None and is_one_folder(name.shown, wanted):
            near = name
    return near
