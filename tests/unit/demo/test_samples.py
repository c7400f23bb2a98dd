"""The sample mail is what its labels say, on every machine the same."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from itertools import islice

import pytest

from migrator.demo.letters import SHAPES, languages, shape_of
from migrator.demo.samples import Sample, odd_forms, ordinary_letters, samples

ODD = {sample.label: sample.content for sample in odd_forms()}
LETTERS = list(islice(ordinary_letters(), len(languages()) * len(SHAPES)))


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def first_text(message: Message) -> Message:
    return next(part for part in message.walk() if part.get_content_type() == "text/plain")


def test_equal_arguments_give_equal_mail_and_another_seed_gives_other_mail() -> None:
    assert samples() == samples()
    assert [sample.content for sample in samples(30)] != [sample.content for sample in samples(30, seed=7)]


def test_a_smaller_count_is_the_beginning_of_a_larger_one() -> None:
    assert samples(40) == samples(90)[:40]


def test_the_default_count_holds_every_odd_form_and_every_charset() -> None:
    whole = samples()
    assert len(whole) == 300
    assert {sample.label for sample in odd_forms()} <= {sample.label for sample in whole}
    named = {(language.name, charset) for language in languages() for charset in language.charsets}
    assert {(sample.language, sample.charset) for sample in whole if sample.language} == named
    assert len({language for language, _ in named}) >= 12


@pytest.mark.parametrize("sample", [*LETTERS, *odd_forms()], ids=lambda sample: sample.label)
def test_every_line_ends_in_crlf(sample: Sample) -> None:
    assert b"\n" not in sample.content.replace(b"\r\n", b"")
    assert not sample.content or sample.content.endswith(b"\r\n")


def test_only_the_exact_duplicates_are_equal() -> None:
    labels: dict[bytes, list[str]] = {}
    for sample in samples(600):
        labels.setdefault(sample.content, []).append(sample.label)
    assert [names for names in labels.values() if len(names) > 1] == [
        ["exact duplicate, first", "exact duplicate, second"]
    ]


@pytest.mark.parametrize("sample", LETTERS, ids=lambda sample: sample.label)
def test_an_ordinary_letter_can_be_read_in_its_charset(sample: Sample) -> None:
    message = message_from_bytes(sample.content)
    [language] = [language for language in languages() if language.name == sample.language]
    text = first_text(message)
    content = text.get_payload(decode=True)
    assert text.get_content_charset() == sample.charset
    assert isinstance(content, bytes)
    assert sample.word in content.decode(sample.charset)
    assert str(make_header(decode_header(message["Subject"]))) in language.subjects
    assert message["Subject"].isascii()


def test_every_language_has_every_shape() -> None:
    assert len({(sample.language, shape_of(number)) for number, sample in enumerate(LETTERS)}) == len(LETTERS)


@pytest.mark.parametrize("sample", [one for one in LETTERS if "PDF" in one.label], ids=lambda sample: sample.label)
def test_the_name_of_a_document_is_readable_and_its_table_points_to_its_objects(sample: Sample) -> None:
    [document] = parsed(sample.content).iter_attachments()
    [language] = [language for language in languages() if language.name == sample.language]
    content = document.get_content()
    assert document.get_filename() == language.file
    places = [int(line[:10]) for line in content.partition(b"xref\n")[2].splitlines() if line.endswith(b" n ")]
    assert [content[place : place + 7] for place in places] == [b"%d 0 obj" % number for number in range(1, 7)]
    assert content[int(content.splitlines()[-2]) :].startswith(b"xref")


def test_a_picture_is_a_whole_png() -> None:
    sample = next(sample for sample in LETTERS if "picture" in sample.label)
    [picture] = parsed(sample.content).iter_attachments()
    content, chunks, at = picture.get_content(), {}, 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body, crc = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        assert struct.unpack(">I", crc) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert len(zlib.decompress(chunks[b"IDAT"])) == (width + 1) * height


def test_an_invitation_a_newsletter_and_a_reply_say_what_they_are() -> None:
    by_shape = {shape: next(one for one in LETTERS if one.label.endswith(f": {shape}")) for shape in SHAPES}
    calendar = [part.get_content_type() for part in parsed(by_shape["invitation"].content).walk()]
    assert "text/calendar" in calendar
    assert parsed(by_shape["newsletter"].content)["List-Id"].endswith("<news.kitchen.example.org>")
    assert parsed(by_shape["reply"].content)["In-Reply-To"]


@pytest.mark.parametrize(
    ("label", "within"),
    [
        ("bare CR", b"one\rtwo"),
        ("CR CR LF", b"first\r\r\n"),
        ("CR at the very end", b"\r\r\n"),
        ("NUL in the body", b"before\0after"),
        ("NUL in a header", b"Subject: Guests\0 list\r\n"),
        ("a line of 300 kB", b"marmalade and " * 20_000),
        ("From_ lines at several depths", b"\r\n>>>>>>From all"),
        ("From_ lines at several depths", b"\r\n\r\nFrom here"),
        ("leading dots", b"\r\n.\r\n..\r\n...\r\n.hidden\r\n"),
        ("UTF-8 in headers", "Subject: Frühstück".encode()),
        ("date: 1970", b"Date: Thu, 1 Jan 1970"),
        ("date: 2106", b"Date: Sun, 7 Feb 2106"),
        ("bounce", b"Content-Type: message/rfc822"),
        ("S/MIME signed", b"application/pkcs7-signature"),
        ("PGP/MIME signed", b"\r\nFrom the heart:  \r\n"),
        ("PGP in the text", b"-----BEGIN PGP SIGNED MESSAGE-----"),
        ("a name in several pieces", b"filename*2*="),
        ("a right-to-left name", b"%E2%80%AE"),
        ("control characters in a name", b"%0A"),
    ],
)
def test_an_odd_form_holds_what_its_label_says(label: str, within: bytes) -> None:
    assert within in ODD[label]


@pytest.mark.parametrize(
    ("label", "beginning"),
    [
        ("a From_ line at the start", b"From office@"),
        ("a quoted From_ line at the start", b">From office@"),
        ("a dot at the very start", b"."),
        ("no header", b"\r\n"),
    ],
)
def test_an_odd_form_begins_as_its_label_says(label: str, beginning: bytes) -> None:
    assert ODD[label].startswith(beginning)


@pytest.mark.parametrize("label", ["no header, no empty line", "header only", "body follows the header at once"])
def test_these_have_no_empty_line(label: str) -> None:
    assert b"\r\n\r\n" not in ODD[label]


@pytest.mark.parametrize(("label", "header"), [("no Message-ID", b"message-id:"), ("no date", b"\r\ndate:")])
def test_these_lack_a_header(label: str, header: bytes) -> None:
    assert header not in ODD[label].lower()


def test_nothing_at_all_is_nothing_at_all() -> None:
    assert ODD["nothing at all"] == b""


def test_the_large_one_is_of_one_to_two_megabytes() -> None:
    assert 1_000_000 < len(ODD["a letter of 1.5 MB"]) < 2_000_000


def pair(label: str) -> tuple[bytes, bytes]:
    first, second = (content for name, content in ODD.items() if name.startswith(label))
    return first, second


def test_twins_differ_in_one_received_line_only() -> None:
    first, second = (content.split(b"\r\n") for content in pair("equal but for one Received line"))
    [(left, right)] = [lines for lines in zip(first, second, strict=True) if lines[0] != lines[1]]
    assert left.startswith(b"Received: ")
    assert right.startswith(b"Received: ")


def test_equal_message_ids_have_different_bodies() -> None:
    first, second = (parsed(content) for content in pair("equal Message-ID"))
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content() != second.get_content()


def test_the_hardest_pair_has_equal_headers_and_size() -> None:
    first, second = pair("equal header and size")
    assert first.partition(b"\r\n\r\n")[0] == second.partition(b"\r\n\r\n")[0]
    assert len(first) == len(second)
    assert first != second


def test_labels_are_names() -> None:
    assert max(Counter(sample.label for sample in odd_forms()).values()) == 1
