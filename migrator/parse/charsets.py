"""Bytes of unknown or misnamed charset to text.

The order was measured on 25 pairs of language and encoding (docs/archive.md): the escapes of ISO-2022-JP; what is
declared, if the bytes agree; UTF-8, which nothing else looks like; what its neighbourhood declares; a guess by chardet
among the charsets that mail is written in; Windows-1252 for the rest.
"""

from __future__ import annotations

import codecs
import re

_GUESS_FROM = 4_096
_SHORTEST_GUESS = 12
"""Bytes from which on a guess is good whatever they are. Shorter ones are Western unless most of them are not ASCII."""
_MAIL_CHARSETS = (
    *("utf-8", "gb18030", "big5", "euc-jp", "cp932", "cp949", "cp874", "koi8-r", "koi8-u"),
    *("iso-8859-2", "iso-8859-5", "iso-8859-7", "windows-1250", "windows-1251", "windows-1252", "windows-1253"),
    *("windows-1254", "windows-1255", "windows-1256"),
)
"""What undeclared mail is in. Among all that chardet knows, short texts are taken for old Macintosh and DOS ones."""
_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15", "ascii", "utf-8"})
"""Charsets, as Python names them, that a mail program declares by default: they say nothing of a header's bytes."""
_ISO_2022_JP = (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b(I")
_SEVEN_BIT = frozenset(
    {
        "utf-7",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "hz",
        "hz-gb-2312",
        "iso-2022-kr",
        "iso2022_jp_ext",
        "iso2022_jp_2",
    }
)
"""Charsets whose bytes may all be ASCII and mean something else."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.:+-]{1,40}\Z")
_SAID_FOR = {
    # What is declared -> what is meant: mailers say the standard's name and send the vendor's superset.
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "x-mac-roman": "mac_roman",
    "utf8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
}
_NOT_TEXT = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})


def decode(content: bytes, declared: str = "", *, nearby: str = "") -> str:
    """Return the text; never fails, and never loses more than the bytes that are wrong.

    ``nearby`` is the charset of something else in the same message: better than a guess, where nothing is declared.
    """
    named = _codec(declared)
    if content.isascii() and named not in _SEVEN_BIT:
        # Escapes are ASCII to every other decoder, UTF-8 included.
        is_japanese = b"\x1b" in content and any(escape in content for escape in _ISO_2022_JP)
        return content.decode("iso2022_jp_ext" if is_japanese else "ascii", "replace")
    for name in (named, "utf-8"):
        if name and (text := _strict(content, name)) is not None:
            return text
    if named:  # a few wrong bytes in a text of the charset that was declared
        text = content.decode(named, "replace")
        if text.count("\ufffd") * 20 < len(text):
            return text
    if (near := _telling(nearby)) and (text := _strict(content, near)) is not None:
        return text
    return _guessed(content)


def _telling(nearby: str) -> str:
    name = _codec(nearby)
    return name if name and codecs.lookup(name).name not in _WESTERN and name not in _SEVEN_BIT else ""


def _strict(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except (ValueError, LookupError):
        return None


def _codec(declared: str) -> str:
    """Return Python's name for a declared charset, empty if there is none or it is not a charset."""
    name = declared.strip().strip("\"'").lower()
    if not _SAFE_NAME.match(name) or name in _NOT_TEXT:
        return ""
    name = _SAID_FOR.get(name, name)
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    # Python counts zip, base64 and the like among its codecs; they do not make text.
    return name if getattr(found, "_is_text_encoding", False) else ""


def _guessed(content: bytes) -> str:
    if len(content) >= _SHORTEST_GUESS or _is_mostly_high(content):
        import chardet

        found = chardet.detect(
            content[:_GUESS_FROM], include_encodings=_MAIL_CHARSETS, no_match_encoding="windows-1252"
        )["encoding"]
        name = _codec(found or "")
        if name:
            return content.decode(name, "replace")
    return content.decode("cp1252", "replace")


def _is_mostly_high(content: bytes) -> bool:
    """Say whether these are letters of another alphabet: in Western words few letters are beyond ASCII."""
    high = sum(byte > 0x7F for byte in content)
    return high >= 4 and high * 4 >= len(content) * 3
