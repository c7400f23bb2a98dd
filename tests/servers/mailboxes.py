"""What a scripted IMAP server keeps, and what people and their mail programs do to it.

It outlives the server: a test expunges, moves, renumbers or puts back yesterday's folders here while the server runs or
is down, and reads what stands there without a word of IMAP. Folder names are ``bytes`` as they go over the wire.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from threading import RLock

from imapclient import imap_utf7  # type: ignore[import-untyped]  # it ships no types

INBOX = b"INBOX"
SOME_DAY = b"01-Jan-2026 00:00:00 +0000"


def unaltered(content: bytes) -> bytes:
    """Keep a message as it came."""
    return content


def without_bare_returns(content: bytes) -> bytes:
    """Keep a message as Dovecot does, which drops a CR that ends no line (and one of two before a line feed)."""
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")


def as_written(name: bytes) -> bytes:
    """Keep a folder's name as it came."""
    return name


def decomposed(name: bytes) -> bytes:
    """Keep a folder's name as a server on a Mac does: letters apart from their accents."""
    return bytes(imap_utf7.encode(unicodedata.normalize("NFD", imap_utf7.decode(name))))


@dataclass(frozen=True, slots=True)
class AppendItem:
    """One message: what came with an APPEND."""

    content: bytes
    flags: tuple[bytes, ...] = ()
    date: bytes = SOME_DAY


@dataclass(frozen=True, slots=True)
class Kept:
    """One message of a folder."""

    uid: int
    letter: AppendItem

    @property
    def content(self) -> bytes:
        """What a FETCH of its body shows."""
        return self.letter.content


@dataclass(slots=True)
class Folder:
    """Messages in the order of their UIDs."""

    uid_validity: int
    uid_next: int = 1
    messages: list[Kept] = field(default_factory=list)

    def append(self, letter: AppendItem) -> int:
        """Add a message and return its UID."""
        uid = self.uid_next
        self.messages.append(Kept(uid, letter))
        self.uid_next += 1
        return uid


class Mailboxes:
    """The folders of one user. ``alters`` is what the server does to a message when it stores it.

    ``kept_as`` is what it makes of every name that it is given: two that become equal are one folder.
    """

    def __init__(
        self,
        folders: Iterable[bytes] = (INBOX,),
        *,
        alters: Callable[[bytes], bytes] = unaltered,
        kept_as: Callable[[bytes], bytes] = as_written,
    ) -> None:
        self.lock = RLock()
        self.alters = alters
        self._kept_as = kept_as
        self._validities = 1_000
        self._folders: dict[bytes, Folder] = {}
        for name in folders:
            self.create(name)

    def names(self) -> list[bytes]:
        """Every folder there is."""
        with self.lock:
            return list(self._folders)

    def folder(self, name: bytes) -> Folder | None:
        """The folder of this name, if there is one; INBOX has no case (RFC 9051, section 5.1)."""
        return self._folders.get(self.known_as(name))

    def known_as(self, name: bytes) -> bytes:
        """The name under which a folder of this name is kept."""
        return INBOX if name.upper() == INBOX else self._kept_as(name)

    def contents(self, name: bytes = INBOX) -> list[bytes]:
        """What stands in a folder; nothing where there is none."""
        with self.lock:
            folder = self.folder(name)
            return [] if folder is None else [message.content for message in folder.messages]

    def create(self, name: bytes) -> None:
        """Make a folder, if it is not there."""
        with self.lock:
            if self.folder(name) is None:
                self._folders[self.known_as(name)] = Folder(self._new_validity())

    def append(self, name: bytes, letters: Sequence[AppendItem]) -> tuple[int, list[int]] | None:
        """Store all messages, altered as the server does; return UIDVALIDITY and UIDs, or None without a folder."""
        with self.lock:
            folder = self.folder(name)
            if folder is None:
                return None
            uids = [folder.append(replace(one, content=self.alters(one.content))) for one in letters]
            return folder.uid_validity, uids

    def expunge(self, name: bytes, uid: int) -> None:
        """Take a message away; harmless when it is not there."""
        with self.lock:
            folder = self._existing(name)
            folder.messages = [message for message in folder.messages if message.uid != uid]

    def expunge_all(self, name: bytes = INBOX) -> None:
        """Take all messages away."""
        with self.lock:
            self._existing(name).messages = []

    def move(self, name: bytes, uid: int, other: bytes) -> None:
        """File a message into another folder."""
        with self.lock:
            [moved] = [message for message in self._existing(name).messages if message.uid == uid]
            self.create(other)
            self._existing(other).append(moved.letter)
            self.expunge(name, uid)

    def rename(self, name: bytes, other: bytes) -> bool:
        """Give a folder another name; say whether there was one."""
        with self.lock:
            folder = self._folders.pop(name, None)
            if folder is not None:
                self._folders[other] = folder
            return folder is not None

    def renew(self, name: bytes = INBOX) -> None:
        """Give a folder a new UIDVALIDITY and its messages new UIDs, as after a restore or a migration."""
        with self.lock:
            before = self._existing(name).messages
            renewed = self._folders[self.known_as(name)] = Folder(self._new_validity())
            for message in before:
                renewed.append(message.letter)

    def delete(self, name: bytes) -> None:
        """Delete a folder with all that is in it; INBOX is emptied."""
        with self.lock:
            self._folders.pop(self.known_as(name), None)
            if self.known_as(name) == INBOX:
                self.create(INBOX)

    def kept(self) -> dict[bytes, Folder]:
        """A copy of everything, to be put back one day."""
        with self.lock:
            return deepcopy(self._folders)

    def put_back(self, kept: dict[bytes, Folder]) -> None:
        """Put back what was kept, with the UIDVALIDITY and UIDNEXT of then."""
        with self.lock:
            self._folders = deepcopy(kept)

    def _existing(self, name: bytes) -> Folder:
        folder = self.folder(name)
        if folder is None:
            raise KeyError(name)
        return folder

    def _new_validity(self) -> int:
        self._validities += 1
        return self._validities
