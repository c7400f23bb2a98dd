from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from migrator.errors import FerryError
from migrator.parse.content import Attachment
from migrator.parse.process import IndexedText, NotParsed, Parser, ShownText
from migrator.parse.worker import ANSWER, REQUEST
from tests.unit.archive.hostile import HOSTILE, long_inner_header

RICH = (
    b"From: =?iso-8859-1?Q?J=FCrgen?= <j@example.org>\r\nTo: a@example.org\r\nSubject: rich\r\n"
    b"List-Id: Dev <dev.example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nM\xfcller wrote enough plain text for anybody here\r\n"
    b"--c\r\nContent-Type: text/html\r\n\r\n<p>Only <b>h</b>ere</p><script>never()</script>\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/pdf; name*=utf-8''%e2%82%ac.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner words\r\n\r\nforwarded text\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


def test_words_of_every_part_are_indexed(parser: Parser) -> None:
    [answer] = parser.index([RICH])
    assert isinstance(answer, IndexedText)
    sender, recipients, _, subject, mailing_list, attachments, body = answer.words
    assert (sender.strip(), recipients.strip()) == ("jurgen <j@example.org>", "a@example.org")
    assert (subject, mailing_list) == ("rich", "dev <dev.example.org>")
    assert "€.pdf" in attachments
    assert "muller wrote" in body
    assert "only here" in body
    assert "forwarded text" in body
    assert "inner words" in body
    assert "never" not in body
    assert answer.attachments == 2


def test_a_reader_sees_the_text_and_the_attachments(parser: Parser) -> None:
    shown = parser.show(RICH)
    assert isinstance(shown, ShownText)
    assert shown.text.startswith("Müller wrote enough")
    assert "Only" not in shown.text
    assert shown.attachments[0] == Attachment("€.pdf", "application/pdf", 4)
    assert parser.attachment(RICH, 1) == b"%PDF"
    assert parser.attachment(RICH, 2) == b"Subject: inner words\r\n\r\nforwarded text"


def test_an_attachment_that_is_not_there_is_refused(parser: Parser) -> None:
    assert parser.attachment(RICH, 0) == NotParsed("it has 2 attachments")
    assert parser.attachment(RICH, 3) == NotParsed("it has 2 attachments")


def test_html_is_shown_where_the_plain_text_says_nothing(parser: Parser) -> None:
    message = (
        b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nsee HTML\r\n"
        b"--c\r\nContent-Type: text/html; charset=koi8-r\r\n\r\n<p>\xf0\xd2\xc9\xd7\xc5\xd4</p>\r\n--c--\r\n"
    )
    shown = parser.show(message)
    assert isinstance(shown, ShownText)
    assert "Привет" in shown.text


def test_html_says_its_own_charset(parser: Parser) -> None:
    message = b"Content-Type: text/html\r\n\r\n<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>"
    shown = parser.show(message)
    assert isinstance(shown, ShownText)
    assert shown.text == "Привет"


def test_a_broken_transfer_encoding_is_forgiven(parser: Parser) -> None:
    [answer] = parser.index([b"Subject: b\r\nContent-Transfer-Encoding: base64\r\n\r\nSGFs*bG8=\r\n"])
    assert isinstance(answer, IndexedText)
    assert "hallo" in answer.words[-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_harms_nobody_and_the_next_message_is_read(parser: Parser, name: str) -> None:
    hostile, good = parser.index([HOSTILE[name], RICH])
    assert isinstance(hostile, IndexedText | NotParsed)
    assert isinstance(good, IndexedText)


@pytest.mark.slow
def test_a_message_that_takes_too_long_is_given_up_alone(parser: Parser) -> None:
    before, slow, after = parser.index([RICH, long_inner_header(1_000_000), RICH])
    assert isinstance(before, IndexedText)
    assert slow == NotParsed("reading it takes too long")
    assert isinstance(after, IndexedText)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", RICH])
)
def test_no_bytes_stop_the_worker(parser: Parser, noise: bytes, before: bytes) -> None:
    _, after = parser.index([before + noise, RICH])
    assert isinstance(after, IndexedText)


DYING = f"""
import os, struct, sys
from migrator.parse.worker import main
sys.stdout.buffer.write(b"R"); sys.stdout.buffer.flush()
request = struct.Struct({REQUEST.format!r})
sys.stdin.buffer.read(request.size)
{{deed}}
"""


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "it crashes the parser"),
        ("os.abort()", "reading it takes too much memory"),
        ("os._exit(3)", "the parser ended unexpectedly"),
        (
            f"sys.stdout.buffer.write(struct.pack({ANSWER.format!r}, 1, 2) + b'[]')",
            "the parser's answer makes no sense",
        ),
        (f"sys.stdout.buffer.write(struct.pack({ANSWER.format!r}, 1, 1 << 60))", "the parser ended unexpectedly"),
    ],
)
def test_whatever_becomes_of_a_worker_is_answered(deed: str, reason: str) -> None:
    with Parser([sys.executable, "-c", DYING.format(deed=deed)]) as parser:
        assert parser.index([b"Subject: x\r\n\r\n"]) == [NotParsed(reason)]


def test_the_worker_does_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICE_PASSWORD", "open-sesame")
    deed = "sys.stdout.buffer.write(struct.pack('!BQ', 0, 2) + (b'[]' if 'ALICE_PASSWORD' in os.environ else b'\"\"'))"
    with Parser([sys.executable, "-c", DYING.format(deed=deed)]) as parser:
        assert parser.index([b"x"]) == [NotParsed("")]


@pytest.mark.parametrize("broken", ["import no_such_library", "print('hello')"])
def test_a_worker_that_does_not_start_is_no_fault_of_the_mail(broken: str) -> None:
    with Parser([sys.executable, "-c", broken]) as parser, pytest.raises(FerryError, match="does not start"):
        parser.index([RICH])


def test_a_signal_to_the_whole_group_is_no_fault_of_the_mail() -> None:
    deed = "from migrator.parse import worker; worker._limit(); [os.kill(os.getpid(), s) for s in (1, 2, 15)];"
    deed += f"sys.stdout.buffer.write(struct.pack({ANSWER.format!r}, 0, 9) + b'\"alive...\"'[:9])"
    with Parser([sys.executable, "-c", DYING.format(deed=deed)]) as parser:
        assert parser.index([b"x"]) == [NotParsed("the parser's answer makes no sense")]


def test_memory_is_limited() -> None:
    deed = "from migrator.parse import worker; worker._limit(); x = bytearray(worker.MEMORY_LIMIT)"
    with Parser([sys.executable, "-c", DYING.format(deed=deed)]) as parser:
        assert parser.index([b"x"]) == [NotParsed("the parser ended unexpectedly")]
