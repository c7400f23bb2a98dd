"""Small mail for the tests of the import, and readers of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut
from migrator.interchange.importing.sources import Sources
from migrator.interchange.mail_files import Variant

FRAME = b"From ann@example.org Mon Jan  1 10:20:30 2001\n"
ONE = b"From: ann@example.org\nSubject: one\n\nfirst\n"
TWO = b"From: bob@example.org\nSubject: two\n\nsecond\n"


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def mbox(*contents: bytes, frame: bytes = FRAME) -> bytes:
    return b"".join(frame + content + b"\n" for content in contents)


def items(path: Path, variant: Variant | None = None) -> Iterator[Item]:
    return Sources(variant, path.parent / "spool").found(path)


class Taken:
    """All that was found at a path."""

    def __init__(self, path: Path, variant: Variant | None = None) -> None:
        self.bodies: list[bytes] = []
        self.messages: list[FoundMessage] = []
        self.troubles: dict[str, str] = {}
        self.others: dict[str, str] = {}
        self.deleted: list[str] = []
        for item in items(path, variant):
            match item:
                case FoundMessage():
                    self.messages.append(item)
                    self.bodies.append(b"".join(item.message.body.chunks()))
                case Deleted(place):
                    self.deleted.append(place.removeprefix(f"{path}"))
                case LeftOut(place, reason, is_trouble):
                    (self.troubles if is_trouble else self.others)[place.removeprefix(f"{path}")] = reason
        assert not list((path.parent / "spool").glob("*"))

    @property
    def doubts(self) -> list[str]:
        return [message.doubt for message in self.messages if message.doubt]

    @property
    def flags(self) -> list[Iterable[str]]:
        return [sorted(message.marks.flags) for message in self.messages]
