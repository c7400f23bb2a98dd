from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from migrator.message.digest import canonical, header_block, header_facts, lf_lines

BASE64 = (b"A" * 76 + b"\r\n") * 1000
BARE_LF = re.compile(rb"(?<!\r)\n")
LONE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"bc"])).map(b"".join))
def test_every_bare_lf_becomes_crlf_and_nothing_else_changes(received: bytes) -> None:
    made = canonical(received)
    assert BARE_LF.search(made) is None
    assert made.replace(b"\r\n", b"\n") == received.replace(b"\r\n", b"\n")


@given(
    st.integers(1, 100),
    st.integers(0, len(BASE64) + 2000),
    st.sampled_from([b"", b"\n", b"\r", b"\r\n", b"x", b"\n\n", b"\r\r\n"]),
    st.integers(0, 3),
)
def test_even_lines_hide_no_bare_lf(length: int, at: int, inserted: bytes, removed: int) -> None:
    even = (b"A" * length + b"\r\n") * (80_000 // length)
    received = even[:at] + inserted + even[at + removed :]
    assert canonical(received) == BARE_LF.sub(b"\r\n", received)
    lines = lf_lines(received)
    if lines is None:
        assert LONE.search(received)
    else:
        assert b"\r" not in lines
        assert lines.replace(b"\n", b"\r\n") == received


@pytest.mark.parametrize(
    "received",
    [
        BASE64,
        BASE64[:-1],
        BASE64[1:],
        BASE64[77:],
        BASE64.replace(b"\r\n", b"\n"),
        BASE64.replace(b"\r\n", b"\r"),
        BASE64.replace(b"\r\n", b"x\n"),
        b"\n" * 70_000,
        b"\r\n" * 70_000,
        b"x" * 70_000,
        b"x" * 70_000 + b"\n",
        b"\n" + b"x" * 70_000,
    ],
)
def test_even_lines_of_any_kind_become_canonical(received: bytes) -> None:
    assert canonical(received) == BARE_LF.sub(b"\r\n", received)


@pytest.mark.parametrize("before", [b"", b"From: x\r\n"])
@pytest.mark.parametrize(
    "line", [b"Status: RO\r\n", b"X-UID: 1\r\n", b"CONTENT-LENGTH : 5\r\n", b"X-Keywords:\r\n\tA\r\n"]
)
def test_headers_that_servers_add_change_no_header_digest(before: bytes, line: bytes) -> None:
    after = b"Subject: y\r\n"
    assert header_facts(before + line + after).digest == header_facts(before + after).digest


@pytest.mark.parametrize("line", [b"X-Status-Of: 1\r\n", b"Subject: z\r\n", b" Status: folded\r\n", b"X-Mailer: a\r\n"])
def test_any_other_header_does(line: bytes) -> None:
    rest = b"From: x\r\n"
    assert header_facts(rest + line).digest != header_facts(rest).digest


@pytest.mark.parametrize(
    ("block", "message_id"),
    [
        (b"Message-ID: <a@b>\r\n", b"<a@b>"),
        (b"X: y\r\nmessage-id:<a@b> \r\n", b"<a@b>"),
        (b"Message-Id:\r\n <a@b>\r\n", b"<a@b>"),
        (b"Received: from x\r\n", b""),
        (b"Subject: x\r\nDate: y\r\n", b""),
        (b"Subject: Message-ID: <no@no>\r\n", b""),
        (b"", b""),
    ],
)
def test_the_message_id_is_found_wherever_it_stands(block: bytes, message_id: bytes) -> None:
    assert header_facts(block).message_id == message_id


def test_the_header_block_ends_at_the_first_empty_line() -> None:
    assert header_block(b"a: b\r\nc: d\r\n\r\nbody\r\n\r\n") == b"a: b\r\nc: d\r\n"
    assert header_block(b"\r\nbody\r\n") == b""
    assert header_block(b"a: b\r\n") == b"a: b\r\n"


def test_a_line_without_a_colon_is_no_header_of_a_server() -> None:
    block = b"Subject: x\r\nX-UID\r\n"
    assert header_facts(block + b"Status: RO\r\n").digest == header_facts(block).digest


_HEADERS = st.sampled_from(
    [
        b"Message-ID: <1@x>\r\n",
        b"MESSAGE-id:\r\n <2@x>\r\n",
        b"message-id:\r\n",
        b"Message-ID:  \r\n",
        b"Status: RO\r\n",
        b"X-UID : 7\r\n",
        b" Status: folded\r\n",
        b"Subject: x\r\n",
        b"\rStatus: x\r\n",
    ]
)


@given(st.lists(_HEADERS, max_size=8).map(b"".join))
def test_a_message_id_and_a_server_header_do_not_hide_each_other(block: bytes) -> None:
    named = re.search(rb"(?:\A|\n)message-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)", block, re.I)
    facts = header_facts(block)
    assert facts.message_id == (named[1].strip() if named else b"")
    kept = re.sub(rb"(?i)(?:(?<=\n)|\A)(?:status|x-uid)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", block)
    assert facts.digest == sha256(kept).digest()
