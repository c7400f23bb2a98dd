from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from migrator.destinations.mbox import mboxrd
from migrator.errors import FerryError
from migrator.interchange import mail_files as records
from migrator.interchange.mail_files import Variant, canonical_pieces, message_in, near_reader, records_of
from migrator.message.digest import canonical

LINES = st.sampled_from(
    [
        b"",
        b"text",
        b"From me",
        b">From you",
        b">>From all",
        b"From",
        b" From x",
        b"a\rb",
        b"\r",
        b"Subject: x",
        b"\0",
        b"\xff",
    ]
)
CONTENTS = st.lists(LINES, max_size=8).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
"""Messages as POP3 delivers them: every line has an end."""

Write = Callable[[bytes], bytes]


def bodies(path: Path, variant: Variant = Variant.MBOXRD) -> list[bytes]:
    return [b"".join(record.message.body.chunks()) for record in records_of(path, variant)]


def mbox(*contents: bytes, frame: bytes = b"From a@b Mon Jan  1 00:00:00 2024\n") -> bytes:
    return b"".join(frame + content + b"\n" for content in contents)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CONTENTS, max_size=5), st.sampled_from([1, 7, 1 << 20]))
def test_mboxrd_gives_back_every_byte(tmp_path: Path, contents: list[bytes], piece: int) -> None:
    path = tmp_path / "x.mbox"
    path.write_bytes(mbox(*(mboxrd.encode(content) for content in contents)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "IO_CHUNK_OCTETS", piece)
        assert bodies(path) == contents
        for record, content in zip(records_of(path), contents, strict=True):
            assert record.digest == sha256(content).digest()
            assert record.is_closed


def lf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


PLAIN = b"Subject: a\r\n\r\nfirst\r\n"
QUOTED = b"Subject: b\r\n\r\nFrom me\r\n>From you\r\nend\r\n"


def quoted_once(content: bytes) -> bytes:
    return lf(content).replace(b"\nFrom ", b"\n>From ")


def with_length(content: bytes, quote: Write = lf) -> bytes:
    """Return a message with the Content-Length of its body, as mboxcl and mboxcl2 write it."""
    head, _, body = quote(content).partition(b"\n\n")
    return head + b"\nContent-Length: %d\n\n" % len(body) + body


def test_mboxo_takes_one_sign_from_from_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbox(quoted_once(PLAIN), quoted_once(QUOTED)))
    # What was ">From you" before is not told apart from "From you": mboxo cannot be undone exactly.
    assert bodies(path, Variant.MBOXO) == [PLAIN, QUOTED.replace(b">From you", b"From you")]


@pytest.mark.parametrize("piece", [1, 2, 5, 6, 7, 1 << 20])
def test_mboxo_is_read_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbox(b">From a\n>From b\n\n>>From c\n>From", b"\n>From x\n"))
    monkeypatch.setattr(records, "IO_CHUNK_OCTETS", piece)
    assert bodies(path, Variant.MBOXO) == [
        b"From a\r\nFrom b\r\n\r\n>>From c\r\n>From\r\n",
        b"\r\nFrom x\r\n",
    ]


def test_a_content_length_that_lands_on_a_from_line_or_the_end_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbox(with_length(QUOTED), with_length(PLAIN), with_length(QUOTED)))
    expected = [canonical(with_length(one)) for one in (QUOTED, PLAIN, QUOTED)]
    assert bodies(path, Variant.MBOXCL2) == expected


@pytest.mark.parametrize("length", [0, 3, 25, 27, 100, 10**9])
def test_a_content_length_that_lands_elsewhere_is_not_believed(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x"
    wrong = b"Subject: b\nContent-Length: %d\n\nno From line in here\nend\n" % length
    path.write_bytes(mbox(wrong, lf(PLAIN)))
    assert bodies(path, Variant.MBOXCL2) == [canonical(wrong), PLAIN]
    assert bodies(path, Variant.MBOXCL) == [canonical(wrong), PLAIN]


def test_without_a_length_mboxcl2_takes_from_lines_behind_blank_lines_that_look_like_envelopes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    content = b"Subject: a\n\nFrom here on\n\nFrom me to you\nend\n"
    path.write_bytes(mbox(content, lf(PLAIN)))
    assert bodies(path, Variant.MBOXCL2) == [canonical(content), PLAIN]


def test_mboxcl_is_unquoted_within_its_length(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(mbox(with_length(QUOTED, quoted_once), lf(PLAIN)))
    first, second = bodies(path, Variant.MBOXCL)
    assert b"\r\nFrom me\r\n" in first
    assert second == PLAIN


def test_a_file_with_crlf_line_ends_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    whole = mbox(mboxrd.encode(PLAIN), mboxrd.encode(QUOTED)).replace(b"\n", b"\r\n")
    path.write_bytes(whole)
    assert bodies(path) == [PLAIN, QUOTED]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b"no mail at all\n", []),
        (b"junk\nFrom a Mon 2024\nSubject: a\n\nx\n\n", [b"Subject: a\r\n\r\nx\r\n"]),
        (b"From a Mon 2024\nSubject: a\n\nx\n", [b"Subject: a\r\n\r\nx\r\n"]),
        (b"From a Mon 2024\nSubject: a\n\nx", [b"Subject: a\r\n\r\nx\r\n"]),
        (b"From a Mon 2024\nA: a\nFrom b Mon 2024\nB: b\n", [b"A: a\r\n", b"B: b\r\n"]),
        (b"From a Mon 2024\n\n", [b""]),
        (b"\n\nFrom a Mon 2024\nA: a\n\n", [b"A: a\r\n"]),
    ],
)
def test_files_of_others_are_read_as_they_meant_them(tmp_path: Path, content: bytes, expected: list[bytes]) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert bodies(path) == expected


def test_a_long_message_is_not_held_in_memory_and_can_be_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "x"
    content = b"Subject: long\r\n\r\n" + b"From x\r\n" * 300_000
    path.write_bytes(mbox(mboxrd.encode(content)))
    for record in records_of(path):
        assert record.message.octets == len(content)
        assert not hasattr(record.message.body, "content")
        assert [b"".join(record.message.body.chunks()) for _ in range(2)] == [content, content]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENTS)
def test_a_single_file_and_a_maildir_file_give_back_every_byte(tmp_path: Path, content: bytes) -> None:
    eml, maildir = tmp_path / "x.eml", tmp_path / "y"
    eml.write_bytes(b"Subject: x\r\n" + content)
    maildir.write_bytes(lf(b"Subject: x\r\n" + content))
    for path, has_lf in ((eml, False), (maildir, True)):
        [body] = [b"".join(message.body.chunks()) for message in message_in(path, has_lf=has_lf)]
        assert body == b"Subject: x\r\n" + content


def test_a_maildir_file_with_crlf_is_taken_as_such(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PLAIN)
    assert [b"".join(message.body.chunks()) for message in message_in(path, has_lf=True)] == [PLAIN]


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\r\r\n"]), max_size=12))
def test_canonical_form_does_not_depend_on_the_cuts(pieces: list[bytes]) -> None:
    assert b"".join(canonical_pieces(pieces)) == canonical(b"".join(pieces))


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(FerryError, match="cannot read"):
        list(records_of(tmp_path / "none"))


@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 200_000)), max_size=40))
def test_what_is_read_near_one_another_is_what_stands_there(places: list[tuple[int, int]]) -> None:
    content = bytes(range(251)) * 1_500
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        read = near_reader(file.fileno())
        assert all(read(offset, size) == content[offset : offset + size] for offset, size in places)
