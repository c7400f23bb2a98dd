"""The places that mail goes to, as a person sees them: files and folders, and one mailbox of the scripted IMAP server.

Everything is read here by a few lines of our own, never by the program's. A place may be away (its folder moved aside,
its server down); what it holds then is still looked at, and what was put in its stead meanwhile is merged with it when
it comes back, as a person would who finds two folders.
"""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from tests.servers.mailboxes import INBOX, AppendItem, Mailboxes

_NAMES = count(1)


def same(content: bytes) -> bytes:
    """What identifies a message although a server altered its line ends: messages here differ in their words."""
    return content.replace(b"\r", b"").rstrip(b"\n")


def short(content: bytes) -> str:
    """What a message is called in a log: the number in its body."""
    return same(content).rpartition(b"body ")[2][:5].decode(errors="replace") or repr(content[:20])


def wire_form(stored: bytes) -> bytes:
    """Return a stored message with the line ends that its digest is taken over."""
    return stored.replace(b"\n", b"\r\n")


class Place(ABC):
    """One destination. ``taken`` is what a person (or a server, or a disk) took out of it, and has not put back."""

    kind: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: set[bytes] = set()
        self.was_harmed = False
        """Whether anything else than a person's tidying up was done to it: the program may report it from now on."""

    @abstractmethod
    def holdings(self) -> list[list[bytes]]:
        """Every message, for each folder that the place consists of now: the one in use first, one put aside second."""

    @abstractmethod
    def go_away(self, *, is_blocked: bool) -> bool:
        """Be unreachable from now on; say whether there was anything to go away."""

    @abstractmethod
    def come_back(self) -> None:
        """Be reachable again."""

    @abstractmethod
    def delete_all(self) -> None:
        """Be deleted, as a whole."""

    @abstractmethod
    def take_one(self, chance: Random) -> bytes | None:
        """Lose one message because a person filed or deleted it; return it."""

    @abstractmethod
    def add_foreign(self, content: bytes) -> None:
        """Get a message from somebody else."""

    @abstractmethod
    def keep(self) -> None:
        """Be copied, for the day when a copy is needed."""

    @abstractmethod
    def put_back(self) -> bool:
        """Be replaced by the copy, if there is one."""

    @abstractmethod
    def relocate(self) -> str:
        """Be moved to another name, where that can be; return it."""

    is_away: bool = False

    def messages(self) -> Counter[bytes]:
        """How often each message stands here."""
        return Counter(message for part in self.holdings() for message in part)

    def has(self, content: bytes, *, exactly: bool = False) -> bool:
        """Whether a message stands here; or its very bytes."""
        held = self.messages()
        return content in held if exactly else same(content) in {same(one) for one in held}


class FolderPlace(Place):
    """What mbox archives and Maildirs have in common: a folder below ``base``."""

    def __init__(self, name: str, base: Path) -> None:
        super().__init__(name)
        self.path = base / name
        self._aside = base / f"{name}.away"
        self._kept = base / f"{name}.kept"

    @abstractmethod
    def read(self, folder: Path) -> list[bytes]:
        """Return every message of a folder."""

    def holdings(self) -> list[list[bytes]]:
        return [self.read(folder) for folder in (self.path, self._aside) if folder.is_dir()]

    def go_away(self, *, is_blocked: bool) -> bool:
        if self.is_away or not self.path.is_dir():
            return False
        self.path.rename(self._aside)
        self.is_away = True
        if is_blocked:
            self.path.write_bytes(b"the disk is not mounted\n")
        return True

    def come_back(self) -> None:
        if not self.is_away:
            return
        if self.path.is_dir():
            self.merge(self.path, self._aside)
            shutil.rmtree(self.path)
            self.was_harmed = True
        else:
            self.path.unlink(missing_ok=True)
        self._aside.rename(self.path)
        self.is_away = False

    @abstractmethod
    def merge(self, meanwhile: Path, into: Path) -> None:
        """Move what was stored meanwhile to what has come back, under other names where the names are taken."""

    def relocate(self) -> str:
        if not self.path.is_dir():
            return ""
        moved = self.path.with_name(f"{self.name}-moved-{next(_NAMES)}")
        self.path.rename(moved)
        self.path = moved
        return moved.name

    def delete_all(self) -> None:
        if self.path.is_dir() and not self.is_away:
            self.taken |= {same(one) for one in self.read(self.path)}
            shutil.rmtree(self.path)
            self.was_harmed = True

    def keep(self) -> None:
        if self.path.is_dir():
            shutil.rmtree(self._kept, ignore_errors=True)
            shutil.copytree(self.path, self._kept)

    def put_back(self) -> bool:
        if self.is_away or not self._kept.is_dir():
            return False
        before = {same(one) for one in self.read(self.path)} if self.path.is_dir() else set()
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self._kept, self.path)
        after = {same(one) for one in self.read(self.path)}
        self.taken = (self.taken | before) - after
        self.was_harmed = True
        return True

    def flip_a_bit(self, chance: Random) -> bool:
        """Let a disk lose one bit of one message's body."""
        files = [file for file in self.files(self.path) if file.stat().st_size] if self.path.is_dir() else []
        if not files:
            return False
        file = chance.choice(files)
        before = {same(one) for one in self.read(self.path)}
        content = bytearray(file.read_bytes())
        places = [found.start() for found in re.finditer(rb"(?<=body )\d", content)]
        if not places:
            return False
        content[chance.choice(places)] ^= 0x40
        file.write_bytes(content)
        self.taken |= before - {same(one) for one in self.read(self.path)}
        self.was_harmed = True
        return True

    @abstractmethod
    def files(self, folder: Path) -> list[Path]:
        """Every file that holds mail."""


class MboxPlace(FolderPlace):
    """A folder of mboxrd files."""

    kind = "mbox"

    def files(self, folder: Path) -> list[Path]:
        return sorted(folder.glob("*.mbox"))

    def read(self, folder: Path) -> list[bytes]:
        return [message for file in self.files(folder) for message in records(file.read_bytes())]

    def merge(self, meanwhile: Path, into: Path) -> None:
        for file in self.files(meanwhile):
            file.rename(into / f"{file.stem}-meanwhile-{next(_NAMES)}.mbox")

    def take_one(self, chance: Random) -> bytes | None:
        del chance
        return None  # whoever edits an mbox harms it

    def add_foreign(self, content: bytes) -> None:
        if not self.path.is_dir():
            return
        file = next(iter(reversed(self.files(self.path))), self.path / "2020-01-001.mbox")
        quoted = re.sub(rb"(?m)^(>*From )", rb">\1", content.replace(b"\r\n", b"\n"))
        with file.open("ab") as volume:
            volume.write(b"From somebody@example.org Mon Nov 23 12:00:05 2026\n" + quoted + b"\n")


def records(content: bytes) -> list[bytes]:
    """Read mboxrd as its description says. A torn end, which a killed program leaves, is no message."""
    parts = re.split(rb"(?:\A|(?<=\n\n))From [^\n]*\n", content)[1:]
    plain = [re.sub(rb"(?m)^>(>*From )", rb"\1", part[:-1]) for part in parts if part.endswith(b"\n")]
    return [wire_form(message) for message in plain]


class MaildirPlace(FolderPlace):
    """A Maildir."""

    kind = "maildir"

    def files(self, folder: Path) -> list[Path]:
        return sorted(file for part in ("new", "cur") for file in folder.glob(f"{part}/*"))

    def read(self, folder: Path) -> list[bytes]:
        return [wire_form(file.read_bytes()) for file in self.files(folder)]

    def merge(self, meanwhile: Path, into: Path) -> None:
        for file in self.files(meanwhile):
            (into / "new").mkdir(exist_ok=True)
            file.rename(into / "new" / f"{next(_NAMES)}.{file.name}")

    def take_one(self, chance: Random) -> bytes | None:
        files = self.files(self.path) if self.path.is_dir() else []
        if not files:
            return None
        file = chance.choice(files)
        content = wire_form(file.read_bytes())
        file.unlink()
        self.taken.add(same(content))
        return content

    def add_foreign(self, content: bytes) -> None:
        if (self.path / "new").is_dir():
            (self.path / "new" / f"{next(_NAMES)}.someone.else").write_bytes(content.replace(b"\r\n", b"\n"))

    def be_read_by_a_person(self, chance: Random) -> None:
        """Let a mail program (or mbsync, which adds ``,U=``) move a message to ``cur`` under its own name."""
        files = sorted((self.path / "new").glob("*")) if self.path.is_dir() else []
        if files:
            file = chance.choice(files)
            suffix = chance.choice([":2,S", ":2,FS", f",U={next(_NAMES)}:2,S"])
            file.rename(self.path / "cur" / f"{file.name}{suffix}")


@dataclass
class Mail:
    """The scripted IMAP server's folders, and whether it is up; shared by all places on it."""

    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    is_up: bool = True


class ImapPlace(Place):
    """A folder on the scripted IMAP server."""

    kind = "imap"

    def __init__(self, name: str, mail: Mail, folder: bytes = INBOX) -> None:
        super().__init__(name)
        self._mail = mail
        self.folder = folder
        self._kept: list[AppendItem] | None = None

    @property
    def is_away(self) -> bool:  # type: ignore[override]  # the server's state is the place's
        return not self._mail.is_up

    def holdings(self) -> list[list[bytes]]:
        return [self._mail.mailboxes.contents(self.folder)]

    def go_away(self, *, is_blocked: bool) -> bool:
        del is_blocked
        self._mail.is_up = False
        return True

    def come_back(self) -> None:
        self._mail.is_up = True

    def delete_all(self) -> None:
        self.taken |= {same(one) for one in self.messages()}
        self._mail.mailboxes.delete(self.folder)
        self.was_harmed = True

    def take_one(self, chance: Random) -> bytes | None:
        folder = self._mail.mailboxes.folder(self.folder)
        if folder is None or not folder.messages:
            return None
        message = chance.choice(folder.messages)
        self.taken.add(same(message.content))
        if chance.random() < 0.5:
            self._mail.mailboxes.expunge(self.folder, message.uid)
        else:
            self._mail.mailboxes.move(self.folder, message.uid, b"Filed")
        return message.content

    def relocate(self) -> str:
        moved = b"%b-moved-%d" % (self.folder, next(_NAMES))
        if self.folder == INBOX or not self._mail.mailboxes.rename(self.folder, moved):
            return ""
        self.folder = moved
        return moved.decode()

    def renew(self) -> None:
        """Get a new UIDVALIDITY."""
        if self._mail.mailboxes.folder(self.folder) is not None:
            self._mail.mailboxes.renew(self.folder)

    def add_foreign(self, content: bytes) -> None:
        self._mail.mailboxes.append(self.folder, [AppendItem(content)])

    def keep(self) -> None:
        folder = self._mail.mailboxes.folder(self.folder)
        self._kept = None if folder is None else [message.letter for message in folder.messages]

    def put_back(self) -> bool:
        """As a provider restores a mailbox: what stood then stands again, under a new UIDVALIDITY."""
        if self._kept is None:
            return False
        before = {same(one) for one in self.messages()}
        self._mail.mailboxes.delete(self.folder)
        self._mail.mailboxes.create(self.folder)
        folder = self._mail.mailboxes.folder(self.folder)
        assert folder is not None
        for letter in self._kept:
            folder.append(letter)
        self.taken = (self.taken | before) - {same(one) for one in self.messages()}
        self.was_harmed = True
        return True


def parts(place: Place) -> Iterator[Counter[bytes]]:
    """How often each message stands in each part of a place, known by its words."""
    return (Counter(same(message) for message in part) for part in place.holdings())
