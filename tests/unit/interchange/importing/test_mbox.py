from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from migrator.interchange.importing.items import FoundMessage
from migrator.interchange.importing.mbox import first_border, messages_of
from migrator.interchange.mail_files import Variant
from tests.unit.interchange.importing.letters import FRAME, ONE, TWO, Taken, crlf, mbox, put

BOTH = [crlf(ONE), crlf(TWO)]
HEADS = [b"", b"\xef\xbb\xbf", b"\n\n", b"\r\n", b"\0" * 4096, b"\xef\xbb\xbf\r\n\0\n"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_what_stands_before_change_no_message(tmp_path: Path, head: bytes, end: bytes) -> None:
    content = mbox(ONE, TWO).replace(b"\n", end)
    taken = Taken(put(tmp_path / "x", head + content))
    assert taken.bodies == BOTH
    assert not taken.troubles
    assert not taken.doubts


def test_a_from_line_in_lf_before_a_message_in_crlf_adds_no_cr(tmp_path: Path) -> None:
    mozilla = b"X-Mozilla-Status: 0001\nX-Mozilla-Status2: 00000000\nX-Mozilla-Keys: \n"
    content = FRAME + mozilla + crlf(ONE) + b"\n" + FRAME + crlf(TWO) + b"\r\n"
    taken = Taken(put(tmp_path / "x", content))
    assert taken.bodies == [crlf(mozilla + ONE), crlf(TWO)]


def test_a_line_feed_in_the_text_of_a_mailbox_of_old_macs_is_a_line_end(tmp_path: Path) -> None:
    content = mbox(ONE).replace(b"\n", b"\r") + FRAME.replace(b"\n", b"\r") + TWO.replace(b"\n", b"\r") + b"more\n\r"
    assert Taken(put(tmp_path / "x", content)).bodies == [crlf(ONE), crlf(TWO + b"more\n")]


def test_a_cr_at_the_end_of_a_line_of_an_archive_stays(tmp_path: Path) -> None:
    taken = Taken(put(tmp_path / "x", mbox(b"Subject: x\nFrom: a@b\n\nodd\r\n\r\n")))
    assert taken.bodies == [b"Subject: x\r\nFrom: a@b\r\n\r\nodd\r\r\n\r\r\n"]


@pytest.mark.parametrize(
    "text",
    [
        b"From now on we use Jan.\n",
        b"\nFrom 2019 to 2024, 10:20 each day\nin short: closed\n"[1:],
        b"From ann@example.org Mon Jan  1 10:20:30 2001\nis how such a line looks\n",
        b"From ann@example.org\nSubject: not two\n",
        b"From \n",
    ],
)
@pytest.mark.parametrize("blank", [b"", b"\n"])
def test_text_that_begins_with_from_stays_in_its_message(tmp_path: Path, text: bytes, blank: bytes) -> None:
    message = ONE + blank + text + b"end\n"
    taken = Taken(put(tmp_path / "x", mbox(message, TWO)))
    assert taken.bodies == [crlf(message), crlf(TWO)]
    assert not taken.troubles


@pytest.mark.parametrize("frame", [b"From \n", b"From - \n", b"From ann@example.org\n"])
def test_an_envelope_without_a_date_begins_a_message_if_a_header_follows(tmp_path: Path, frame: bytes) -> None:
    assert Taken(put(tmp_path / "x", mbox(ONE, TWO, frame=frame))).bodies == BOTH


def test_messages_without_a_blank_line_between_are_told_apart(tmp_path: Path) -> None:
    assert Taken(put(tmp_path / "x", FRAME + ONE + FRAME + TWO)).bodies == BOTH
    assert Taken(put(tmp_path / "y", b"From - \n" + ONE + b"From - \n" + TWO)).bodies == BOTH


def test_quoted_lines_are_undone_as_mboxrd_does(tmp_path: Path) -> None:
    taken = Taken(put(tmp_path / "x", mbox(ONE + b">From here\n>>From there\n")))
    assert taken.bodies == [crlf(ONE + b"From here\n>From there\n")]


def with_length(message: bytes) -> bytes:
    header, _, body = message.partition(b"\n\n")
    return header + b"\nContent-Length: %d\n\n" % len(body) + body


def test_lengths_that_are_right_each_time_decide(tmp_path: Path) -> None:
    inner = b"From bob@example.org Mon Jan  1 10:20:30 2001\nSubject: inside\n\n>From here\n"
    messages = [with_length(ONE + b"\n" + inner), with_length(TWO)]
    taken = Taken(put(tmp_path / "x", mbox(*messages)))
    assert taken.bodies == [crlf(message) for message in messages]


@pytest.mark.parametrize("wrong", [b"Content-Length: 3\n", b"Content-Length: 99999\n", b""])
def test_a_length_that_is_wrong_once_decides_nothing(tmp_path: Path, wrong: bytes) -> None:
    second = TWO.replace(b"Subject", wrong + b"Subject")
    taken = Taken(put(tmp_path / "x", mbox(with_length(ONE), second, TWO)))
    assert taken.bodies == [crlf(with_length(ONE)), crlf(second), crlf(TWO)]


@pytest.mark.parametrize(
    ("content", "bodies"),
    [
        (FRAME + FRAME + ONE + b"\n", 1),
        (FRAME + b"\n" + FRAME + ONE + b"\n", 1),
        (mbox(ONE) + FRAME, 1),
        (mbox(ONE) + FRAME + b"\n", 1),
        (mbox(ONE) + FRAME[:-20], 1),
        (FRAME, 0),
    ],
)
def test_a_from_line_alone_is_never_a_message(tmp_path: Path, content: bytes, bodies: int) -> None:
    taken = Taken(put(tmp_path / "x", content))
    assert taken.bodies == [crlf(ONE)] * bodies
    is_at_the_end = not content.endswith(ONE + b"\n")
    assert bool(taken.troubles) == is_at_the_end
    assert bool(taken.others) != is_at_the_end
    for variant in Variant:
        assert len(Taken(tmp_path / "x", variant).bodies) == bodies


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (b"From: a@b\nSubject: cut", "inside its header"),
        (b"From: a@b\nSubject: cut\n", "inside its header"),
        (b"From: a@b\nSubject: cut\n\nhalf a li", "no end"),
        (b"From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nQUJD\n", "last part"),
    ],
)
def test_a_cut_last_message_is_stored_and_named(tmp_path: Path, message: bytes, word: str) -> None:
    taken = Taken(put(tmp_path / "x", mbox(ONE) + FRAME + message))
    assert taken.bodies == [crlf(ONE), crlf(message.rstrip(b"\n") + b"\n")]
    [doubt] = taken.doubts
    assert word in doubt


def test_a_last_message_without_a_blank_line_behind_it_is_whole(tmp_path: Path) -> None:
    assert not Taken(put(tmp_path / "x", mbox(ONE) + FRAME + TWO)).doubts


def test_a_message_without_a_header_is_named_and_a_given_dialect_takes_it(tmp_path: Path) -> None:
    path = put(tmp_path / "x", FRAME + b"\nno header at all\n\n" + mbox(ONE))
    taken = Taken(path)
    assert taken.bodies == [crlf(ONE)]
    assert ":1" in taken.troubles
    assert Taken(path, Variant.MBOXRD).bodies == [b"\r\nno header at all\r\n", crlf(ONE)]


def test_what_programs_noted_is_read_and_deleted_mail_is_left_out(tmp_path: Path) -> None:
    mozilla = (b"X-Mozilla-Status: %04x\n" % bits + ONE for bits in (0x1, 0x6, 0x9))
    taken = Taken(put(tmp_path / "x", mbox(*mozilla, b"Status: RO\nX-Status: AF\n" + TWO)))
    assert taken.flags == [["\\Seen"], ["\\Answered", "\\Flagged"], ["\\Answered", "\\Flagged", "\\Seen"]]
    assert taken.deleted == [":3"]
    assert {message.marks.date for message in taken.messages} == {978344430.0}


def test_an_mbox_behind_something_else_is_found() -> None:
    assert first_border(b"a banner\n\n" + mbox(ONE)) == 10
    assert first_border(b"a banner\n\nFrom now on\n") == 0


def test_memory_stays_flat_however_long_the_file_is(tmp_path: Path) -> None:
    """200 MB in three messages among small ones; what is held is a few pieces of them."""
    path = tmp_path / "long"
    line = b"From here on it is long.\n" + (b"x" * 76 + b"\n") * 100
    with path.open("wb") as file:
        for _ in range(3):
            file.write(mbox(ONE))
            file.write(FRAME + TWO)
            piece = line * 130
            for _ in range(70):
                file.write(piece)
            file.write(b"\n")
    tracemalloc.start()
    octets = sum(item.message.octets for item in messages_of(path, "long", None) if isinstance(item, FoundMessage))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert octets > path.stat().st_size - 1_000
    assert path.stat().st_size > 200_000_000
    assert peak < 32 << 20


@pytest.mark.parametrize("size", [70_000, 140_000, 300_000])
def test_messages_of_any_length_are_looked_at_from_their_beginning_to_their_end(tmp_path: Path, size: int) -> None:
    """What is looked at moves over more of the file than is kept of it at once."""
    contents = [b"Subject: %d\nTo: x\n\n%b" % (number, b"line\n" * (size // 5 + number)) for number in range(5)]
    taken = Taken(put(tmp_path / "x", mbox(*contents)))
    assert taken.bodies == [crlf(content) for content in contents]
