from __future__ import annotations

import tarfile

import pytest

from migrator.interchange.importing.recognising import (
    Form,
    begins_a_field,
    foreign_mail,
    form_of,
    has_foreign_name,
    has_mail_name,
    head_octets,
    is_cr_only,
    looks_like_mail,
    no_mail_by_name,
)

MAIL = b"Received: from a by b\n\twith c\nSubject: x\n\ntext\n"


def tar(name: str) -> bytes:
    return tarfile.TarInfo(name).tobuf()


FRAME = b"From a@b Mon Jan  1 00:00:00 2024\n"


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (b"", "x", Form.EMPTY),
        (b"\n\0\r\n", "x", Form.BLANK),
        (FRAME + MAIL, "dovecot", Form.MBOX),
        (b"\xef\xbb\xbf\r\n\0\0" + FRAME + MAIL, "x", Form.MBOX),
        (b"From \n" + MAIL, "x", Form.MBOX),
        (b"From now on, all is well.\nReally: it is.\n", "x", Form.OTHER),
        (b"From now on, all is well.\n", "x.mbox", Form.OTHER),
        ((FRAME + MAIL).replace(b"\n", b"\r"), "x", Form.CR_ONLY),
        (MAIL.replace(b"\n", b"\r"), "x", Form.CR_ONLY),
        (MAIL, "17", Form.MESSAGE),
        (b"Subject: x\n\ny\n", "x.eml", Form.MESSAGE),
        (b"Subject: x\n\ny\n", "x.txt", Form.OTHER),
        (b"no header\n", "x.eml", Form.OTHER),
        (b"48        \nSubject: x\n\ny\n<plist/>", "1", Form.EMLX),
        (b"\1\1\1\1\n" + MAIL, "x", Form.MMDF),
        (b"BABYL OPTIONS: -*- rmail -*-\n", "x", Form.BABYL),
        ("\ufeffSubject: x".encode("utf-16-le"), "x", Form.UTF16),
        (b"\x1f\x8b\x08", "x", Form.PACKED),
        (b"BZh9", "x", Form.PACKED),
        (b"\xfd7zXZ\0", "x", Form.PACKED),
        (b"\x28\xb5\x2f\xfd", "x", Form.PACKED),
        (b"PK\3\4", "x", Form.ZIP),
        (tar("Subject: a/From: b:2,S"), "x", Form.TAR),
        (b"x" * 257 + b"ustar\0", "x", Form.OTHER),
        ((FRAME + MAIL).ljust(257, b"x") + b"ustar", "x", Form.MBOX),
        (b"!BDN....", "x", Form.FOREIGN),
        (b"\0\0!BDN....", "x", Form.OTHER),
    ],
)
def test_content_decides_what_a_file_is(content: bytes, name: str, form: Form) -> None:
    assert form_of(content, name) is form


@pytest.mark.parametrize(
    "content",
    [
        b'{"logins": [{"hostname": "https://example.org", "encryptedPassword": "secret"}]}',
        b"BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nEND:VCARD\n",
        b"BEGIN:VCALENDAR\nMETHOD:REQUEST\nTo: x\n",
        b"dn: cn=Ann\nobjectclass: person\nmail: ann@example.org\n",
        b"name: build\non: push\njobs:\n  test:\n    runs-on: x\n",
        b"all: build\nbuild:\n\tcc x.c\n",
        b"all: date\ndate: all\n",
        b"from: int\nto: int\nsubject: str\n",
        b"subject: x\nsender: y\nreceived: 3\n",
        b"a:hover { color: red }\n",
        b"Metadata-Version: 2.1\nName: x\nVersion: 1\n",
        b"* Note: call Ann\n  To: her\n",
        b"Subject: only one field\n\ntext\n",
        b"Dear Ann:\nFrom: here\nTo: there\n",
        b"From: <Saved by Blink>\nSubject: a page\nMIME-Version: 1.0\n\n",
    ],
)
def test_what_is_not_mail_is_never_taken_for_mail(content: bytes) -> None:
    assert not looks_like_mail(content)
    assert form_of(content, "x") is Form.OTHER


def test_two_fields_one_of_them_known_make_mail() -> None:
    assert looks_like_mail(b"X-Whatever: 1\nSubject : x\n")
    assert looks_like_mail(b"subject: x\nto: me\nfrom: ann@example.org\n")
    assert looks_like_mail(b"mime-version: 1.0\nto: me\n")
    assert looks_like_mail(b"date: Mon, 1 Jan 2024 10:20:30 +0000\nto: me\n")
    assert looks_like_mail(b"return-path: <>\nto: me\n")
    assert looks_like_mail(b"Received: a\n b\n\tc\nX-Other: 1\n")
    assert not looks_like_mail(b"X-One: 1\nX-Two: 2\n")
    assert looks_like_mail(b"X-One: 1\n", is_named_so=True)
    assert begins_a_field(b"A: b")
    assert not begins_a_field(b" A: b")


def test_the_head_of_a_file_is_passed_over() -> None:
    assert head_octets(b"\xef\xbb\xbf\xef\xbb\xbf\n\0\r\nFrom") == 10
    assert head_octets(b"From") == 0
    assert is_cr_only(b"a\rb")
    assert is_cr_only(b"A: a\rB: b\r\rtext\nmore\r")
    assert not is_cr_only(b"a\rb\n")
    assert not is_cr_only(b"A: a\r\r\nB: b\r\r\n")
    assert not is_cr_only(b"A: a\n\ntext\r\rmore\n")


@pytest.mark.parametrize(
    ("beginning", "name", "word"),
    [
        (b"!BDN", "old.pst", "readpst"),
        (b"\xcf\xad\x12\xfe", "Inbox.dbx", "undbx"),
        (b"*mbx*\r\n", "INBOX", "mailutil"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.msg", "msgconvert"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__nameid_version1.0".encode("utf-16-le"), "x", "msgconvert"),
        (b"Rar!\x1a\x07\1\0", "x", "unrar"),
    ],
)
def test_mail_that_another_program_must_convert_is_named_with_it(beginning: bytes, name: str, word: str) -> None:
    assert word in foreign_mail(beginning, name)
    assert form_of(beginning, name) is Form.FOREIGN


def test_a_letter_of_word_is_no_message_of_outlook() -> None:
    assert form_of(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "letter.doc") is Form.OTHER


def test_names_say_what_to_expect_and_no_more() -> None:
    assert has_mail_name("x.EML")
    assert has_mail_name("mbox")
    assert not has_mail_name("._x.eml")
    assert has_foreign_name("Outlook.PST")
    assert not has_foreign_name("x.jpg")
    assert "Mac" in no_mail_by_name("._x")
    assert "beside" in no_mail_by_name("Inbox.msf")
    assert no_mail_by_name("x") == ""
