"""A copy is known again although the server changed some of its bytes, and no other message passes for it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from migrator.imap.find_copies import (
    CopyKey,
    Portrait,
    SoughtCopy,
    copy_key_of,
    header_key,
    header_of,
    loose_form,
    message_key,
    pair,
    unpacked,
)
from migrator.message.body import LinesBody, MemoryBody
from migrator.message.digest import HEADER_LIMIT
from tests.mail import Pieces, message_of

HEAD = b"From: ann\r\nSubject: gr\xfc\xdfe\r\nMessage-ID: <1@example.org>\r\nDate: today\r\n\r\n"
CONTENT = HEAD + b"one\r\ntwo\rthree\r\r\nfour\0\r\n"


def wanted(content: bytes) -> SoughtCopy:
    meant = message_of(content)
    return SoughtCopy(meant.digest, meant.octets, copy_key_of(meant))


def portrait(content: bytes) -> Portrait:
    return Portrait.of(MemoryBody(content))


ALTERED = {
    "identical": CONTENT,
    "final line end dropped": CONTENT[:-2],
    "final line end doubled": CONTENT + b"\r\n",
    "bare CR removed": CONTENT.replace(b"two\rthree", b"twothree"),
    "CR CR LF mended": CONTENT.replace(b"\r\r\n", b"\r\n"),
    "NUL replaced": CONTENT.replace(b"\0", b"\x80"),
    "8-bit header masked": CONTENT.replace(b"\xfc", b"X").replace(b"\xdf", b"X"),
}


@pytest.mark.parametrize("change", ALTERED)
def test_a_copy_that_a_server_altered_is_recognised(change: str) -> None:
    meant = wanted(CONTENT)
    low, high = meant.size_range
    assert low <= len(ALTERED[change]) <= high
    assert pair([meant], {7: portrait(ALTERED[change])}, is_rebuilding=False) == {0: 7}


@pytest.mark.parametrize(
    "other",
    [
        CONTENT.replace(b"one", b"ONE"),
        CONTENT.replace(b"<1@example.org>", b"<2@example.org>"),
        b"X-Other: 1\r\n" + CONTENT,
        CONTENT + b"more\r\n",
        b"",
    ],
)
def test_another_message_is_not(other: bytes) -> None:
    assert pair([wanted(CONTENT)], {7: portrait(other)}, is_rebuilding=False) == {}


def test_a_message_built_anew_is_recognised_by_its_headers_only_where_servers_do_that() -> None:
    rebuilt = b"X-MS: 1\r\nsubject: gr\xfc\xdfe\r\nmessage-id:\r\n <1@example.org>\r\nFrom: ann\r\nDate:  today\r\n\r\nnew\r\n"
    assert pair([wanted(CONTENT)], {7: portrait(rebuilt)}, is_rebuilding=True) == {0: 7}
    assert pair([wanted(CONTENT)], {7: portrait(rebuilt)}, is_rebuilding=False) == {}


def test_without_a_message_id_headers_recognise_nothing() -> None:
    assert header_key(b"From: ann\r\nSubject: hello\r\n") == b""


def test_each_copy_stands_for_one_message_and_equal_bytes_count_first() -> None:
    loose, exact = CONTENT.replace(b"two\rthree", b"twothree"), CONTENT
    pairs = pair([wanted(loose), wanted(exact)], {3: portrait(exact), 4: portrait(loose)}, is_rebuilding=False)
    assert pairs == {0: 4, 1: 3}
    assert pair([wanted(exact), wanted(loose)], {3: portrait(exact)}, is_rebuilding=False) == {0: 3}


def test_of_equal_copies_the_oldest_is_taken() -> None:
    copies = {uid: portrait(CONTENT) for uid in (9, 4, 6)}
    assert pair([wanted(CONTENT)], copies, is_rebuilding=False) == {0: 4}


def test_the_ledger_gives_back_what_it_was_given() -> None:
    known = copy_key_of(message_of(CONTENT))
    assert unpacked(known.packed()) == known
    assert known.message_id == b"<1@example.org>"
    assert len(known.packed()) < 200


def test_a_huge_message_id_is_kept_in_part() -> None:
    known = copy_key_of(message_of(b"Message-ID: <" + b"x" * 100_000 + b">\r\n\r\n"))
    again = unpacked(known.packed())
    assert isinstance(again, CopyKey)
    assert len(again.message_id) == 998


@pytest.mark.parametrize("kept", [b"", b"\x01", b"\x02" + b"x" * 200, copy_key_of(message_of(CONTENT)).packed() + b"!"])
def test_what_another_version_kept_is_not_misread(kept: bytes) -> None:
    assert unpacked(kept) is None


def test_without_recognition_only_equal_bytes_count() -> None:
    meant = message_of(CONTENT)
    plain = SoughtCopy(meant.digest, meant.octets, None)
    assert pair([plain], {3: portrait(CONTENT[:-2]), 5: portrait(CONTENT)}, is_rebuilding=True) == {0: 5}


@given(
    strategies.lists(strategies.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\0", b"\xff"])), strategies.integers(1, 5)
)
def test_the_loose_form_does_not_depend_on_the_pieces(parts: list[bytes], size: int) -> None:
    content = b"".join(parts)
    assert loose_form(Pieces(content, size)) == loose_form(MemoryBody(content))


@given(strategies.lists(strategies.sampled_from([b"a", b"\r", b"\n", b"\0", b"\xff", b"From: b", b"\n\n"])))
def test_a_message_kept_with_lf_line_ends_is_known_by_the_same(parts: list[bytes]) -> None:
    lines = LinesBody(b"".join(parts))
    content = MemoryBody(b"".join(lines.chunks()))
    assert loose_form(lines) == loose_form(content)
    assert header_of(lines) == header_of(content)


def test_a_header_without_end_is_cut_at_the_same_place() -> None:
    lines = LinesBody(b"Subject: x\n" + b"y" * (HEADER_LIMIT - 20) + b"\n" * 3 + b"z" * 100)
    assert header_of(lines) == header_of(MemoryBody(b"".join(lines.chunks())))


def test_what_an_intent_of_an_earlier_version_is_known_by_is_the_same_today() -> None:
    known = copy_key_of(message_of(CONTENT))
    assert known.loose_octets == 84
    assert known.loose_digest.hex() == "64f90504e8b595fe63040d1342f381302d2852cfb765207ee41b6e28a32ad3ef"
    assert known.header_key.hex() == "ffb0bff24e61e3157a960bba81e29add"


@given(strategies.binary(max_size=300), strategies.integers(1, 50))
def test_the_header_is_found_in_any_pieces(content: bytes, size: int) -> None:
    whole = b"A: b\r\n" + content.replace(b"\r", b"") + b"\r\n\r\nbody"
    assert header_of(Pieces(whole, size)) == header_of(MemoryBody(whole))


def test_a_message_id_is_known_again_though_its_8_bit_bytes_were_masked() -> None:
    assert message_key(b"<gr\xfc\xdfe@x>") == message_key(b"<grXXe@x>") != message_key(b"<grusse@x>")
    assert message_key(b"") == b""
