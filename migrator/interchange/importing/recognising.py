"""What a file is, by its content: its name only says what to expect of a file that holds nothing known.

Pure. Mail begins with header fields (RFC 5322, section 2.2): two of them, one of which mail has and little else does.
Where the name or the folder already says that it is mail, one field is enough.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import PurePosixPath

from migrator.interchange.importing.envelopes import is_envelope

BEGINNING_OCTETS = 64 * 1024
"""How much of a file is looked at."""

KNOWN_FIELDS = frozenset(
    b"from date received message-id subject return-path to cc bcc sender reply-to mime-version delivered-to "
    b"in-reply-to envelope-to delivery-date resent-from resent-date list-id dkim-signature x-mozilla-status "
    b"x-gmail-labels".split()
)
"""Header fields that mail has."""

NAMED_AS_MAIL = frozenset({".eml", ".emlx", ".mbox", ".mbx", ".mail", ".mmdf", ".babyl", ".rmail"})

_TO_CONVERT = frozenset({".pst", ".ost", ".msg", ".olm", ".dbx", ".nsf", ".tbb"})
_TO_UNPACK = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".7z", ".rar"})
_BESIDE_MAIL = frozenset({".ds_store", "thumbs.db", "desktop.ini", "sha256sums", "table_of_contents", "maildirfolder"})
_BESIDE_MAIL_SUFFIXES = frozenset({".msf", ".sha256", ".plist", ".dat", ".lock"})

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_BEGINS_A_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_EMLX = re.compile(rb"[ \t]*\d{1,15}[ \t]*\r?\n(?:\r?\n)*[!-9;-~]+[ \t]*:")
_BOMS_16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = re.compile(rb"(?:\xef\xbb\xbf|\0+|[ \t]*\r?\n|[ \t]*\r)*+")
_NO_MAIL_FIELDS = (b"BEGIN:", b"begin:")
_EVIDENT = re.compile(rb"@|<[^<>]*>|\d:\d\d|\A[ \t]*1\.0")
"""What stands in the value of some header field of every message: an address, an id, a time of day, MIME's version."""
_SAVED_PAGE = re.compile(rb"From: (?:<Saved by |\"?Saved by )", re.I)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAPI = "__nameid_version".encode("utf-16-le")


class Form(Enum):
    """What a file holds."""

    EMPTY = "nothing"
    BLANK = "blanks or NULs and nothing else"
    MBOX = "an mbox"
    MMDF = "an MMDF mailbox"
    BABYL = "a Babyl file of Rmail"
    MESSAGE = "one message"
    EMLX = "a message of Apple Mail"
    UTF16 = "text in UTF-16"
    CR_ONLY = "mail whose lines end in CR alone"
    PACKED = "something compressed"
    TAR = "a tar"
    ZIP = "a zip"
    FOREIGN = "mail in a form that is not read here"
    OTHER = "something else"


FOREIGN_MAIL: tuple[tuple[bytes, str], ...] = (
    (b"!BDN", "it is a PST or OST of Outlook: `readpst -e -o FOLDER FILE` (of pst-utils) makes .eml files of it"),
    (b"\xcf\xad\x12\xfe", "it is a DBX of Outlook Express: `undbx FILE FOLDER` makes .eml files of it"),
    (b"*mbx*\r\n", "it is an mbx of UW IMAP: `mailutil copy FILE '#driver.unix/NEW'` makes an mbox of it"),
    (b"\x21\x09\x70\x19\x30\x20", "it is a mailbox of The Bat!: export it there as a Unix mailbox"),
    (b"7z\xbc\xaf\x27\x1c", "it is packed by 7-Zip: unpack it first, with `7z x FILE`"),
    (b"Rar!\x1a\x07", "it is packed by RAR: unpack it first, with `unrar x FILE`"),
    (b"\x1a\x00\x00\x04\x00\x00", "it is a database of Lotus Notes: export its messages there as .eml"),
)
"""How files begin that other programs have to convert or unpack, and what to do."""

_MSG = "it is a message of Outlook (MSG): `msgconvert FILE` (of libemail-outlook-message-perl) makes an .eml of it"
OLM = "it is an archive of Outlook for Mac (OLM): export it there, or convert it, to mbox or .eml"

_PACKINGS: tuple[bytes, ...] = (
    b"\x5d\x00\x00",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"\x1f\x9d",
    b"Dovecot-LZ4",
)


def form_of(beginning: bytes, name: str = "") -> Form:
    """Say what a file holds by its first ``BEGINNING_OCTETS``; ``name`` lets one header field suffice for a message."""
    if not beginning:
        return Form.EMPTY
    if (container := _container(beginning)) is not None:
        return container
    if foreign_mail(beginning, name):
        return Form.FOREIGN
    if beginning.startswith(_BOMS_16):
        return Form.UTF16
    text = beginning[head_octets(beginning) :]
    return _text_form(text, name) if text else Form.BLANK


def foreign_mail(beginning: bytes, name: str = "") -> str:
    """Say what to do with mail in a form that is not read here; nothing where it is none."""
    for magic, cure in FOREIGN_MAIL:
        if beginning.startswith(magic):
            return cure
    if beginning.startswith(_OLE) and (name.lower().endswith(".msg") or _MAPI in beginning):
        return _MSG
    return ""


def head_octets(beginning: bytes) -> int:
    """Return how many bytes stand before the text: a mark of UTF-8, blank lines, and NULs.

    What Gmail gives as a message's original begins with a long line of blanks.
    """
    found = _HEAD.match(beginning)
    return found.end() if found else 0


def begins_a_field(text: bytes) -> bool:
    """Say whether a header field begins here."""
    return _BEGINS_A_FIELD.match(text) is not None


def looks_like_mail(text: bytes, *, is_named_so: bool = False) -> bool:
    """Say whether text begins as a message does; ``is_named_so``: its name or folder says that it is one."""
    if text.startswith(_NO_MAIL_FIELDS) or _SAVED_PAGE.match(text):
        return False
    count, is_known = 0, False
    for line in re.split(rb"\r\n|\n|\r", text[:BEGINNING_OCTETS]):
        if line.startswith((b" ", b"\t")) and count:
            continue
        field = _FIELD.match(line)
        if not field:
            break
        count += 1
        is_known = is_known or _is_mails_own(field[1], line[field.end() :])
        if is_named_so or (count >= 2 and is_known):
            return True
    return False


def _is_mails_own(name: bytes, value: bytes) -> bool:
    """Say whether a field is one that mail has; in small letters, as code has words too, its value must fit as well."""
    return name.lower() in KNOWN_FIELDS and (not name.islower() or _EVIDENT.search(value) is not None)


def has_mail_name(name: str) -> bool:
    """Say whether somebody who sees a file's name expects mail in it."""
    lowered = name.lower()
    if lowered.startswith("._"):  # what a Mac keeps beside a file of that name
        return False
    return PurePosixPath(lowered).suffix in NAMED_AS_MAIL or lowered in {"mbox", "inbox"}


def has_foreign_name(name: str) -> bool:
    """Say whether a file is named as one that has to be converted or unpacked before there is mail in it."""
    return not name.startswith("._") and PurePosixPath(name.lower()).suffix in _TO_CONVERT | _TO_UNPACK


def no_mail_by_name(name: str) -> str:
    """Say what a file is that holds no mail, by its name; nothing where that says nothing."""
    lowered = name.lower()
    if lowered.startswith("._"):
        return "it is what a Mac adds to files, not mail"
    is_beside = lowered in _BESIDE_MAIL or PurePosixPath(lowered).suffix in _BESIDE_MAIL_SUFFIXES
    if is_beside or lowered.startswith(("dovecot", "courierimap")):
        return "it is not mail but what a mail program keeps beside it"
    return "it is a hidden file, and holds no mail" if lowered.startswith(".") else ""


def is_cr_only(text: bytes) -> bool:
    """Say whether lines end in CR alone: a header does, before the first LF, which may be part of a text."""
    first = text.find(b"\n")
    return b"\r" in text if first < 0 else b"\r\r" in text[:first].rstrip(b"\r")


def _container(beginning: bytes) -> Form | None:
    if beginning.startswith(_PACKINGS):
        return Form.PACKED
    if beginning.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04")):
        return Form.ZIP
    return Form.TAR if _is_tar(beginning) else None


def _is_tar(beginning: bytes) -> bool:
    """Say whether a tar begins here: by its mark, which any text may have there, and by the sum of the first header."""
    header = beginning[:512]
    written = header[148:156].strip(b" \0")
    if header[257:262] != b"ustar" or not written.isdigit() or set(written) & set(b"89"):
        return False
    return sum(header[:148]) + 8 * ord(" ") + sum(header[156:]) == int(written, 8)


def _text_form(text: bytes, name: str) -> Form:
    if text.startswith(b"From ") and _begins_an_mbox(text):
        return Form.CR_ONLY if is_cr_only(text) else Form.MBOX
    if text.startswith(b"\1\1\1\1"):
        return Form.MMDF
    if text.startswith(b"BABYL OPTIONS:"):
        return Form.BABYL
    if _EMLX.match(text):
        return Form.EMLX
    if looks_like_mail(text, is_named_so=has_mail_name(name)):
        return Form.CR_ONLY if is_cr_only(text) else Form.MESSAGE
    return Form.OTHER


def _begins_an_mbox(text: bytes) -> bool:
    """Say whether the first line is that of an envelope: by its look, or because a message begins behind it."""
    line, _, behind = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n")
    return is_envelope(line) or looks_like_mail(behind)
