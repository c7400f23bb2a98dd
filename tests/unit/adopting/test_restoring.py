from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.adopting.model import Program
from migrator.adopting.programs import PROGRAMS
from migrator.adopting.restoring import restored
from migrator.interchange.importing.items import FoundMessage
from migrator.interchange.importing.sources import Sources
from migrator.interchange.mail_files import SMALL, message_in, message_of
from migrator.message.body import MemoryBody
from migrator.message.digest import digest_of
from tests.unit.adopting.left_behind import FILES, MESSAGES, leaves, thunderbird_profile


def mailbox_of(program: str, home: Path) -> Path:
    if program == "thunderbird":
        thunderbird_profile(home, 1110, MESSAGES)
        return home / "Mail/127.0.0.1/Inbox"
    leaves(program, home, 1110)
    return home / FILES[program]["work.mbox"]


@pytest.mark.parametrize("name", ["getmail", "mpop", "fdm", "thunderbird"])
def test_a_copy_in_an_mbox_is_what_the_server_sent(name: str, tmp_path: Path) -> None:
    path = mailbox_of(name, tmp_path)
    found = [
        restored(one.message, PROGRAMS[name], is_record=True)
        for one in Sources(None, tmp_path).found(path)
        if isinstance(one, FoundMessage)
    ]
    assert [one.message.digest for one in found] == [digest_of(message) for message in MESSAGES]
    assert [one.message.octets for one in found] == [len(message) for message in MESSAGES]
    assert all(one.is_marked for one in found)


@pytest.mark.parametrize("name", ["fetchmail", "getmail", "fdm"])
def test_a_copy_in_a_file_is_what_the_server_sent(name: str) -> None:
    folder = Path(__file__).with_name("samples") / name
    files = sorted((folder / "maildir").iterdir()) if name != "fetchmail" else sorted(folder.glob("*.msg"))
    found = [restored(one, PROGRAMS[name], is_record=False) for path in files for one in message_in(path, has_lf=True)]
    assert [one.message.digest for one in found] == [digest_of(message) for message in MESSAGES]


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_what_bears_no_mark_stays_as_it_is(name: str) -> None:
    message = message_of(MemoryBody(MESSAGES[3] + b"\r\n"))
    found = restored(message, PROGRAMS[name], is_record=True)
    assert found.message is message
    assert not found.is_marked


@dataclass(frozen=True)
class Pieces:
    """A body that is too long for memory, in pieces of one size."""

    content: bytes
    size: int

    @property
    def octets(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.content), self.size):
            yield self.content[at : at + self.size]


@pytest.mark.parametrize("size", [700, 4_096, SMALL + 5_000])
def test_a_long_copy_is_restored_in_pieces(size: int) -> None:
    fdm: Program = PROGRAMS["fdm"]
    field = b'Received: by h (fdm 1.9, account "work")\r\n\twith pop3\r\n'
    sent = b"Subject: long\r\n\r\n" + b"x" * 98 + b"\r\n" + b"y\r\n" * (SMALL // 3) + b"end\r\n"
    stored = message_of(Pieces(field + sent + b"\r\n", size))
    found = restored(stored, fdm, is_record=True).message
    assert (found.digest, found.octets) == (digest_of(sent), len(sent))
    assert b"".join(found.body.chunks()) == sent
    assert found.body.octets == len(sent)
