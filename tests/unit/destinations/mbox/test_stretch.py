"""Records identified by stretches are just those that stand there one by one."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from migrator.copy_records import Found
from migrator.destinations.identify import found_at
from migrator.destinations.mbox import mboxrd, scanning
from migrator.destinations.mbox.mboxrd import Form, Span
from migrator.destinations.mbox.scanning import records_of
from migrator.destinations.mbox.stretch import found_in
from migrator.destinations.mbox.volumes import OpenVolume
from migrator.model import MboxLocator
from tests.mail import ODD_MESSAGES, mail

FRAME = b"From ann@example.org Thu Jan  1 00:00:00 1970\n"
PLAIN = [mail("one"), mail("two", "a > b\r\n"), mail("three", ""), mail("four", "Status: none of the header\r\n")]
SHORT = [message for message in ODD_MESSAGES.values() if len(message) < 100_000]


def volume_of(messages: list[bytes]) -> bytes:
    return b"".join(FRAME + mboxrd.encode(message) + b"\n" for message in messages)


def one_by_one(data: bytes, offset: int = 0) -> list[tuple[Span, Found | None]]:
    """Say what stands in a volume by what reads single records."""
    told: list[tuple[Span, Found | None]] = []
    for span in mboxrd.scan(mboxrd.reader_of(data), 0, len(data)):
        record = data[span.offset : span.end]
        frame_end = record.find(b"\n") + 1
        at = MboxLocator("v", offset + span.offset, span.length, zlib.crc32(record[:frame_end]))
        found = found_at(at, mboxrd.decode(record[frame_end:-1])) if span.is_readable else None
        told.append((span._replace(offset=offset + span.offset), found))
    return told


@pytest.mark.parametrize("messages", [PLAIN, [*PLAIN, mail("quoted", "\r\nFrom here\r\n"), *PLAIN], [*SHORT, *PLAIN]])
def test_all_records_but_the_last_are_identified_at_once(messages: list[bytes]) -> None:
    data = volume_of(messages)
    assert found_in("v", 70, data) == one_by_one(data, 70)[:-1]


def test_the_beginning_of_a_record_at_the_end_is_left_to_be_read_on() -> None:
    data = volume_of(PLAIN)
    assert [span.offset for span, _ in found_in("v", 0, data + FRAME[:20])] == [
        span.offset for span, _ in one_by_one(data)
    ]
    assert [span.is_last for span, _ in found_in("v", 0, data + FRAME)] == [False] * len(PLAIN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FRAME,
        volume_of([mail("one")]),
        b"\n" + volume_of(PLAIN),
        b"junk\n" + volume_of(PLAIN),
        FRAME + volume_of(PLAIN),
        b"From " + 5_000 * b"x" + b"\n" + volume_of(PLAIN),
    ],
    ids=["nothing", "a frame", "one record", "blank", "junk", "a frame alone", "a long line"],
)
def test_what_is_not_as_in_most_mail_is_left_to_be_looked_at_by_itself(data: bytes) -> None:
    assert found_in("v", 0, data) == []


def scanned(folder: Path, data: bytes, *, in_stretches: bool = True) -> list[tuple[Span, Found | None]]:
    path = folder / "v"
    path.write_bytes(data)
    handle = os.open(path, os.O_RDONLY)
    try:
        return list(records_of(OpenVolume("v", handle, len(data)), 0, in_stretches=in_stretches))
    finally:
        os.close(handle)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "IO_CHUNK_OCTETS", 700)
    monkeypatch.setattr(scanning, "_SHORT_IN_A_ROW", 2)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("in_stretches", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        volume_of(PLAIN * 5),
        volume_of([*PLAIN, mail("quoted", "\r\nFrom here\r\n"), *PLAIN, mail("long", "x" * 5_000), *PLAIN]),
        b"junk\n" + volume_of([*PLAIN, *SHORT, *PLAIN]),
        volume_of(SHORT),
        volume_of(PLAIN * 3)[:-30],
        volume_of(PLAIN * 3) + FRAME,
        FRAME + FRAME + volume_of(PLAIN * 3),
    ],
)
def test_a_volume_holds_the_same_records_by_stretches_and_one_by_one(
    data: bytes, in_stretches: bool, tmp_path: Path
) -> None:
    assert scanned(tmp_path, data, in_stretches=in_stretches) == one_by_one(data)


_LINES = st.sampled_from(
    [
        FRAME,
        b"From \n",
        b">From x\n",
        b"From",
        b"\n",
        b"\r\n",
        b"\r",
        b"a: b\n",
        b"Message-ID: <1@x>\n",
        b"Status: RO\n",
        b"x",
    ]
)


@settings(max_examples=300)
@given(st.lists(_LINES, max_size=25))
def test_whatever_stands_in_a_stretch_is_identified_as_it_is_one_by_one(lines: list[bytes]) -> None:
    data = b"".join(lines)
    told = found_in("v", 0, data)
    assert told == one_by_one(data)[: len(told)]
    assert all(span.form is Form.WHOLE for span, _ in told)
