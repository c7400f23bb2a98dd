"""Grades of proof: what counts as the same message, what as the same but for a server's habits, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from migrator.message.body import MemoryBody
from migrator.message.proof import SEMANTIC_LIMIT, prove
from migrator.model import Proof
from tests.mail import Pieces

HEAD = "From: Ann <ann@example.org>\r\nSubject: Grüße\r\nMessage-ID: <1@example.org>\r\n".encode("latin-1")
PLAIN = HEAD + b"\r\none\r\ntwo\r\n"


def graded(original: bytes, stored: bytes) -> Proof:
    return prove(MemoryBody(original), stored).proof


def test_equal_bytes_are_exact_and_nothing_differs() -> None:
    finding = prove(MemoryBody(PLAIN), PLAIN)
    assert (finding.proof, finding.differences) == (Proof.EXACT, "")


CANONICAL = {
    "final line end dropped": (PLAIN, PLAIN[:-2], "final line end"),
    "final line end added": (PLAIN[:-2], PLAIN, "final line end"),
    "bare CR removed": (HEAD + b"\r\na\rb\r\n", HEAD + b"\r\nab\r\n", "carriage returns"),
    "CR CR LF mended": (HEAD + b"\r\na\r\r\nb\r\n", HEAD + b"\r\na\r\nb\r\n", "carriage returns"),
    "NUL replaced": (HEAD + b"\r\na\0b\r\n", HEAD + b"\r\na\x80b\r\n", "NUL replaced by 0x80"),
    "header masked": (PLAIN, PLAIN.replace(b"\xfc", b"X").replace(b"\xdf", b"X"), "8-bit header bytes masked"),
    "everything at once": (
        HEAD + b"\r\na\0b\rc\r\r\nd",
        HEAD.replace(b"\xfc", b"X").replace(b"\xdf", b"X") + b"\r\na\x80bc\r\nd\r\n",
        "final line end, carriage returns, NUL replaced by 0x80, 8-bit header bytes masked",
    ),
}


@pytest.mark.parametrize("change", CANONICAL)
def test_what_servers_were_measured_to_change_is_canonical_and_named(change: str) -> None:
    original, stored, name = CANONICAL[change]
    finding = prove(MemoryBody(original), stored)
    assert finding.proof is Proof.CANONICAL
    assert finding.differences == f"changed by the server: {name}"


@pytest.mark.parametrize(
    ("original", "stored"),
    [
        (PLAIN, PLAIN.replace(b"two", b"too")),
        (PLAIN, PLAIN + b"more\r\n"),
        (PLAIN, HEAD + b"\r\none\r\n"),
        (PLAIN, b""),
        (HEAD + b"\r\n\xe9\r\n", HEAD + b"\r\nX\r\n"),
        (HEAD + b"\r\na\0b\r\n", HEAD + b"\r\na b\r\n"),
        (PLAIN, PLAIN.replace(b"\xfc", b"u").replace(b"\xdf", b"s")),
        (PLAIN, PLAIN.replace(b"<1@", b"<2@")),
    ],
)
def test_any_other_change_is_no_proof_and_is_named(original: bytes, stored: bytes) -> None:
    finding = prove(MemoryBody(original), stored)
    assert finding.proof is Proof.NONE
    assert finding.differences


def test_masking_counts_only_where_the_copy_was_masked() -> None:
    assert graded(PLAIN.replace(b"\xfc", b"X").replace(b"\xdf", b"X"), PLAIN) is Proof.NONE


MIXED = (
    b"From: Ann <ann@example.org>\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nMessage-ID: <1@example.org>\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\npreamble\r\n--outer\r\n'
    b'Content-Type: multipart/alternative; boundary="inner"\r\n\r\n--inner\r\n'
    b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n--inner\r\n"
    b"Content-Type: text/html; charset=us-ascii\r\n\r\n<html><head><title>x</title></head><body>Gr&uuml;&szlig;e</body>"
    b"</html>\r\n--inner--\r\n--outer\r\nContent-Type: application/pdf\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--outer--\r\n"
)
REBUILT = (
    b'Received: from exchange\r\nmessage-id: <1@example.org>\r\nFrom: "Ann" <ANN@example.org>\r\n'
    b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate: Mon, 23 Nov 2026 11:00:00 +0000\r\n"
    b"Content-Type: multipart/mixed; boundary=new\r\nMIME-Version: 1.0\r\n\r\n--new\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
    b"--new\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"PHA+R3LDvMOfZTwvcD4=\r\n--new\r\n"
    b"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBE\r\nRi0=\r\n--new--\r\n"
)


def test_a_message_built_anew_from_the_same_parts_is_semantic() -> None:
    finding = prove(MemoryBody(MIXED), REBUILT)
    assert finding.proof is Proof.SEMANTIC, finding.differences


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b"<1@example.org>", b"<2@example.org>", "Message-ID"),
        (b"ANN@example.org", b"bob@example.org", "From"),
        (b"R3LDvMOfZQ==", b"R3LDvMOfZSE=", "Subject"),
        (b"11:00:00 +0000", b"12:00:00 +0000", "Date"),
        (b"Gr=C3=BC=C3=9Fe", b"Gr=C3=BC=C3=9Fe!", "text"),
        (b"PHA+R3LDvMOfZTwvcD4=", b"PHA+YTwvcD4=", "text"),
        (b"JVBE\r\n", b"JVBF\r\n", "attachments"),
        (b"--new--\r\n", b"--new\r\nContent-Type: image/png\r\n\r\nmore\r\n--new--\r\n", "attachments"),
    ],
)
def test_what_a_rebuilt_message_lost_is_named(old: bytes, new: bytes, named: str) -> None:
    assert old in REBUILT
    finding = prove(MemoryBody(MIXED), REBUILT.replace(old, new))
    assert (finding.proof, finding.differences) == (Proof.NONE, f"differs in {named}")


def test_the_order_of_attachments_does_not_count_but_their_number_does() -> None:
    def with_parts(*parts: bytes) -> bytes:
        head = b"Message-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        return head + b"".join(b"--b\r\nContent-Type: image/png\r\n\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"

    assert graded(with_parts(b"one", b"two", b"two"), with_parts(b"two", b"one", b"two")) is Proof.SEMANTIC
    assert graded(with_parts(b"one", b"two", b"two"), with_parts(b"one", b"two")) is Proof.NONE


HEAD_OF_PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
HOSTILE = {
    "100,000 empty parts": HEAD_OF_PARTS + b"--b\r\n\r\n" * 100_000,
    "2,000 nested": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)
    ),
    "nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 2000,
    "endless tags": b"Content-Type: text/html\r\n\r\n" + b"<script" * 200_000,
    "endless scripts": b"Content-Type: text/html\r\n\r\n" + b"<script>" * 100_000,
    "endless words": b"Subject: " + b"=?" * 30_000 + b"\r\n\r\n",
    "endless comments": b"From: " + b"(" * 60_000 + b"\r\n\r\n",
    "endless parameters": b"Content-Type: x" + b";a=" * 20_000 + b"\r\n\r\n",
    "endless header": b"a:b\r\n" * 200_000,
    "one word": b"a" * 3_000_000,
    "slow charset": b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a" * 100_000 + b"-" + b"b" * 50_000,
    "no charset": b"Content-Type: text/plain; charset=\0\xff\r\n\r\nx",
    "no text charset": b"Content-Type: text/plain; charset=rot13\r\n\r\nx",
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n====A===",
    "boundary of nothing": HEAD_OF_PARTS + b"no such line\r\n",
    "date of nonsense": b"Date: Mon, 99 Foo 99999999999 99:99:99 +99999999\r\n\r\nx",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_mail_is_judged_without_failing(what: str) -> None:
    original = HOSTILE[what]
    assert graded(original, original) is Proof.EXACT
    assert graded(original, original + b"x--lost") is Proof.NONE


def test_what_is_too_large_is_not_taken_apart() -> None:
    line = b"x" * 65_534 + b"\r\n"
    content = b"A: b\r\n\r\n" + line * (SEMANTIC_LIMIT // len(line) + 1)
    finding = prove(Pieces(content), Pieces(b"C: d\r\n" + content))
    assert (finding.proof, finding.differences) == (Proof.NONE, "bytes differ; too large to be compared part by part")


@given(strategies.binary(max_size=400), strategies.binary(max_size=400))
def test_any_two_messages_can_be_compared(one: bytes, other: bytes) -> None:
    assert prove(MemoryBody(one), other).proof in Proof
    assert graded(one, one) is Proof.EXACT


@given(
    strategies.lists(strategies.sampled_from([b"a", b"\r", b"\r\n", b"\n", b"\0", b"\xfc", b":"]), max_size=30),
    strategies.integers(1, 7),
)
def test_the_grade_does_not_depend_on_the_pieces(parts: list[bytes], size: int) -> None:
    content = b"".join(parts)
    changed = content.replace(b"\r\r", b"\r").replace(b"\0", b"\x80")
    assert prove(Pieces(content, size), Pieces(changed, 3)) == prove(MemoryBody(content), changed)
