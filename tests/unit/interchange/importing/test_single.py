from __future__ import annotations

from pathlib import Path

import pytest

from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut, Marks
from migrator.interchange.importing.single import apple_message_at, message_at
from tests.unit.interchange.importing.letters import FRAME, ONE, crlf, put


def body(items: list[Item]) -> bytes:
    [item] = items
    assert isinstance(item, FoundMessage)
    return b"".join(item.message.body.chunks())


@pytest.mark.parametrize(
    "head", [b"", b"\xef\xbb\xbf", b" " * 255 + b"\r\n", b"\n", b"\0" * 3000, FRAME, b"From - \n", b"From - \r\n"]
)
@pytest.mark.parametrize("has_lf", [True, False])
def test_what_stands_before_a_message_is_passed_over(tmp_path: Path, head: bytes, has_lf: bool) -> None:
    content = ONE + b"\nFrom here\n>From there\n"
    for lines in (content, crlf(content)):
        assert body(list(message_at(put(tmp_path / "x", head + lines), "x", has_lf=has_lf))) == crlf(content)


def test_a_cr_before_the_end_of_a_line_is_content_in_a_maildir_only(tmp_path: Path) -> None:
    path = put(tmp_path / "x", ONE + b"odd\r\n")
    assert body(list(message_at(path, "x", has_lf=True))) == crlf(ONE) + b"odd\r\r\n"
    assert body(list(message_at(path, "x"))) == crlf(ONE) + b"odd\r\n"


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\n\n", b"no header\n", b"\x89PNG\r\n\x1a\n"])
def test_what_has_no_header_is_named(tmp_path: Path, content: bytes) -> None:
    [item] = message_at(put(tmp_path / "x", content), "x", has_lf=True)
    assert isinstance(item, LeftOut)
    assert item.is_trouble


def test_the_from_line_tells_when_nothing_else_does(tmp_path: Path) -> None:
    path = put(tmp_path / "x", FRAME + ONE)
    for marks, date in ((Marks(), 978344430.0), (Marks(date=5.0), 5.0)):
        [item] = message_at(path, "x", marks)
        assert isinstance(item, FoundMessage)
        assert item.marks.date == date


def test_a_deleted_message_is_not_even_read(tmp_path: Path) -> None:
    assert list(message_at(tmp_path / "none", "x", Marks(is_deleted=True))) == [Deleted("x")]


def emlx(content: bytes, flags: int = 1, length: int | None = None) -> bytes:
    plist = b"<plist><dict><key>flags</key><integer>%d</integer></dict></plist>" % flags
    return b"%-10d\n" % (len(content) if length is None else length) + content + plist


def test_an_emlx_is_read_without_its_property_list(tmp_path: Path) -> None:
    [item] = apple_message_at(put(tmp_path / "1.emlx", emlx(ONE)), "x")
    assert isinstance(item, FoundMessage)
    assert b"".join(item.message.body.chunks()) == crlf(ONE)
    assert (item.marks.flags, item.doubt) == (frozenset({"\\Seen"}), "")
    assert list(apple_message_at(put(tmp_path / "1.emlx", emlx(ONE, 2)), "x")) == [Deleted("x")]


def test_an_emlx_that_is_shorter_than_it_says_is_stored_and_named(tmp_path: Path) -> None:
    [item] = apple_message_at(put(tmp_path / "1.emlx", b"500\n" + ONE), "x")
    assert isinstance(item, FoundMessage)
    assert b"".join(item.message.body.chunks()) == crlf(ONE)
    assert "cut off" in item.doubt
