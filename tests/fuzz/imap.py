"""IMAP: what a server says, as lines and as a whole conversation over a line that is cut anywhere."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Iterator
from typing import cast

from migrator.errors import FerryError
from migrator.imap.fetch import BodyFetcher
from migrator.imap.folder_names import FolderName
from migrator.imap.login_refusals import judge_login
from migrator.imap.refusals import judge_append, judge_bye, judge_command, judge_fetch
from migrator.imap.replies import (
    expand_uid_set,
    fetch_items_begin,
    literal_octets,
    parse_append_uid,
    parse_fetch_items,
    parse_status,
    uid_set_of,
)
from migrator.imap.wire import Wire
from migrator.message.written_date import moment_of
from tests.fuzz.draw import Draw, said_well

SECRET = b"pass-word-1"


def replies(data: bytes) -> None:
    """Read one line as everything that a line can be."""
    draw = Draw(data)
    count = draw.number(20)
    line = draw.rest()
    octets = literal_octets(line)
    assert octets is None or octets >= 0
    status = parse_status(line)
    if status is not None:
        uids = parse_append_uid(status, count=count)
        assert uids is None or (len(uids.uids) == count and all(0 < uid < 2**32 for uid in uids.uids))
        told = [
            judge_append(status, "INBOX", secrets=(SECRET,)).error,
            judge_bye(status.words, "host", secrets=(SECRET,)),
        ]
        told += [judge_command(line, "host", secrets=(SECRET,)), judge_fetch(line, secrets=(SECRET,))]
        told += [judge_login(line, "ann", secrets=(SECRET,))]
        for error in told:
            said_well(error, SECRET.decode())
    assert FolderName.listed(line).wire == line
    moment_of(line)
    expanded = expand_uid_set(line, limit=1000)
    if expanded is not None:
        assert expand_uid_set(uid_set_of(sorted(set(expanded))), limit=1000) == tuple(sorted(set(expanded)))
    parse_fetch_items(line, fetch_items_begin(line) or 0)


class Line:
    """A socket whose other end has said everything already."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def recv(self, size: int) -> bytes:
        piece = next(self._pieces, b"")
        assert len(piece) <= size
        return piece

    def send(self, data: bytes) -> int:
        return len(data)

    def gettimeout(self) -> float:
        return 1.0

    def settimeout(self, timeout: float) -> None:
        """Never be late."""

    def shutdown(self, how: int) -> None:
        """Have no other end."""

    def close(self) -> None:
        """Hold nothing."""


def fetching(data: bytes) -> None:
    """Read answers to UID FETCH; slices change nothing of what is found."""
    draw = Draw(data)
    slices = draw.slices()
    said = draw.rest()
    if len(said) > 60_000:
        return
    assert _fetched(slices.of(said)) == _fetched(iter([said] if said else []))


def _fetched(pieces: Iterator[bytes]) -> object:
    greeting = b"* OK hi\r\n"

    def all_pieces() -> Iterator[bytes]:
        yield greeting
        yield b"* CAPABILITY IMAP4rev1\r\nTAG0 OK\r\n"
        yield from pieces

    class Scripted(Wire):
        def _get_capabilities(self) -> None:
            self.capabilities = ("IMAP4REV1",)

    wire = Scripted("host", 143, lambda: cast("socket.socket", Line(all_pieces())), timeout=1.0, clock=lambda: 0.0)
    try:
        found = BodyFetcher(wire, None, secrets=(SECRET,)).bodies([1, 2, 3])
    except (FerryError, OSError, imaplib.IMAP4.error) as error:
        return type(error)
    return {uid: b"".join(body.chunks()) for uid, body in found.items()}
