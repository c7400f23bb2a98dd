"""A bit that flips on a message's way, anywhere after its digest was taken, is never proven, nor its source deleted."""

from __future__ import annotations

import mmap
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.errors import Kind
from migrator.files import Device
from tests.damage.calls.child import KINDS, folders
from tests.mail import letters
from tests.rig import Rig, deleting
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

MARK = b"word 3 "
"""What only one of the letters has; the bit flips in it."""
LARGE = (
    b"Message-ID: <large@example.org>\r\n\r\n"
    + b"a line of a message that is too large for memory\r\n" * 400_000
    + MARK
    + b"\r\n"
)


def flipped(content: bytes | memoryview) -> bytes:
    return bytes(content).replace(MARK, b"wosd 3 ")


def writing_wrongly(handle: int, content: bytes | memoryview) -> int:
    """Write something else than was given, and say that all is well."""
    os.write(handle, flipped(content))
    return len(content)


def folder_on_a_bad_disk(kind: str, rig: Rig) -> list[Destination]:
    device = Device(write=writing_wrongly)
    clock = partial(datetime.now, UTC)
    return [KINDS[kind](rig.folder / kind, state_dir=rig.state, clock=clock, device=device)]


def is_refused(rig: Rig, server: Pop3Server, damaged: bytes, count: int) -> None:
    """All but one message are proven and deleted; that one stays, whatever is tried, and is told."""
    for _ in range(2):
        report = deleting(rig).migrate()
        assert report.status == "partial", report
        assert {problem.kind for problem in report.problems} == {Kind.MISMATCH}
        assert report.known == 0
        assert server.maildrop.left() == [damaged]
    assert server.counts()["DELE"] == count - 1


@pytest.mark.parametrize("kind", KINDS)
def test_between_the_digest_and_the_disk(tmp_path: Path, kind: str) -> None:
    messages = letters(5)
    with Pop3Server(Maildrop(messages)) as server:
        rig = Rig(tmp_path, server, destinations=partial(folder_on_a_bad_disk, kind))
        is_refused(rig, server, messages[2], 5)


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_memory_shared_with_the_other_process(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreliable(mmap.mmap):
        def __setitem__(self, place: Any, content: Any) -> None:
            super().__setitem__(place, flipped(content))

    messages = letters(5)
    with Pop3Server(Maildrop(messages)) as server:
        rig = Rig(tmp_path, server, destinations=partial(folders, [kind]), child_copiers=ChildCopierPool(worth_it=1))
        monkeypatch.setattr(mmap, "mmap", Unreliable)
        is_refused(rig, server, messages[2], 5)


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_spool(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own folder, or where the archive is; the file has no name yet."""
    write, spoiled = os.write, list[int]()

    def writing_wrongly(handle: int, content: bytes | memoryview) -> int:
        is_nameless = str(Path(f"/proc/self/fd/{handle}").readlink()).endswith(" (deleted)")
        spoiled.extend([handle] if is_nameless else [])
        return write(handle, flipped(content) if is_nameless else content)

    with Pop3Server(Maildrop([*letters(2), LARGE])) as server:
        monkeypatch.setattr(os, "write", writing_wrongly)
        is_refused(Rig(tmp_path, server, destinations=partial(folders, [kind])), server, LARGE, 3)
    assert spoiled
