"""A stretch of records compared with digests as a whole says just what each record says by itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from migrator.copy_records import PlacedRecord
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.equality import equal
from migrator.destinations.mbox.records import body_of
from migrator.message.digest import canonical, digest_of, digest_of_body
from migrator.model import MboxLocator
from tests.mail import ODD_MESSAGES, mail

FRAME = b"From ann@example.org Thu Jan  1 00:00:00 1970\n"


def stretch(messages: Sequence[bytes], frame: bytes = FRAME) -> tuple[bytes, list[PlacedRecord]]:
    """Return the records of these messages side by side, and what each of them should be."""
    data = b""
    expected: list[PlacedRecord] = []
    for message in messages:
        record = frame + mboxrd.encode(message) + b"\n"
        at = (len(data), len(record), zlib.crc32(frame))
        expected.append(PlacedRecord(len(expected), digest_of(message), len(message), *at, True, 1.0))
        data += record
    return data, expected


def one_by_one(data: bytes, expected: Sequence[PlacedRecord]) -> list[bool]:
    """Say the same as ``equal`` by what reads single records."""
    told: list[bool] = []
    for record in expected:
        locator = MboxLocator("v", record.offset, record.length, record.frame_crc)
        body = body_of(data[record.offset : record.offset + record.length], locator)
        told.append(not isinstance(body, str) and digest_of_body(body) == record.digest)
    return told


PLAIN = [mail("one"), mail("two", "a > b\r\n"), mail("three", "")]
ODD = [message for message in ODD_MESSAGES.values() if len(message) < 100_000]


@pytest.mark.parametrize("messages", [PLAIN, ODD, [*PLAIN, *ODD], [], [b""], [b"", b"\r\n", b"x"]])
def test_what_was_written_is_equal(messages: list[bytes]) -> None:
    data, expected = stretch(messages)
    assert equal(data, expected) == [True] * len(messages)


@pytest.mark.parametrize("messages", [PLAIN, [mail("one"), mail("two", ">From x\r\n"), mail("three")]])
def test_each_flipped_bit_is_seen_and_the_others_are_equal(messages: list[bytes]) -> None:
    data, expected = stretch(messages)
    for place in range(len(data)):
        harmed = bytearray(data)
        harmed[place] ^= 1
        hit = sum(record.offset + record.length <= place for record in expected)
        told = equal(bytes(harmed), expected)
        assert told == [number != hit for number in range(len(messages))] == one_by_one(bytes(harmed), expected), place


@pytest.mark.parametrize("missing", [1, 2, 50, 10_000])
def test_what_a_volume_is_too_short_for_is_not_equal(missing: int) -> None:
    data, expected = stretch(PLAIN)
    assert equal(data[:-missing], expected) == one_by_one(data[:-missing], expected)
    assert equal(data[:-missing], expected)[-1] is False


def test_another_message_of_the_same_length_is_not_equal() -> None:
    data, _ = stretch([mail("one"), mail("two")])
    _, expected = stretch([mail("one"), mail("owt")])
    assert equal(data, expected) == [True, False]


def test_a_record_that_does_not_fill_its_place_is_not_equal() -> None:
    """What stands behind it must be as known too; a gap hides nothing."""
    data, expected = stretch([mail("one"), mail("two")])
    first, second = expected
    longer = first._replace(length=first.length + 1)
    moved = second._replace(offset=second.offset + 1)
    gap = data[: first.length] + b"\n" + data[first.length :]
    assert equal(gap, [longer, moved]) == one_by_one(gap, [longer, moved]) == [False, True]


_TEXT = st.lists(st.sampled_from([b"From ", b">From ", b">", b"\r\n", b"\r", b" ", b"a", b"\0"]), max_size=12)


@given(st.lists(_TEXT, max_size=4), st.binary(max_size=3), st.integers(min_value=0))
def test_it_says_what_single_records_say(parts: list[list[bytes]], junk: bytes, place: int) -> None:
    data, expected = stretch([canonical(b"".join(part)) for part in parts])
    at = place % (len(data) + 1)
    harmed = data[:at] + junk + data[at + len(junk) :]
    assert equal(harmed, expected) == one_by_one(harmed, expected)
