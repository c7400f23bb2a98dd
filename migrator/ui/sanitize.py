"""What came from outside, made harmless for a terminal and for a file system.

A terminal obeys control characters, and text that runs backwards can hide what a name really ends in; a file system
knows separators, device names and lengths. Both are removed here, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 150
"""Bytes of a file name in UTF-8; file systems take 255, and a number or an ending may still be added."""

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u00ad\u200b-\u200d\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE_TEXT = re.compile(f"[{_CONTROLS}{_BIDI}\u2028\u2029\ud800-\udfff]")
_UNSAFE_LINE = re.compile(f"[\t\n{_CONTROLS}{_BIDI}\u2028\u2029\ud800-\udfff]+")
_UNSAFE_NAME = re.compile(f"[\t\n{_CONTROLS}{_BIDI}{_INVISIBLE}\ud800-\udfff]+")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SEPARATORS = re.compile(r'[/\\:*?"<>|\u2044\u2215\u29f8\uff0f\uff3c]')
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?=\.|\Z)", re.I
)


def text(written: str) -> str:
    """Return a text with its line feeds and tabs and without anything else that steers a terminal."""
    return _UNSAFE_TEXT.sub("", written.replace("\r\n", "\n").replace("\r", "\n"))


def line(written: str, *, limit: int = 2_000) -> str:
    """Return a text as one line of at most ``limit`` characters; what would break or steer it becomes a blank."""
    return _UNSAFE_LINE.sub(" ", written[:limit]).strip()


def spreadsheet_cell(written: str) -> str:
    """Return a text as one line that no spreadsheet takes for a formula: one that begins like that gets a ``'``."""
    cell = line(written)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def file_name(offered: str, *, instead: str) -> str:
    """Return a name that is safe inside a folder of any system, as like the one offered as can be.

    It has no separator, no control or invisible character, is no name of a device, does not begin with a dot or a
    hyphen and does not end with a dot or blank. Where nothing is left it is ``instead``.
    """
    name = _UNSAFE_NAME.sub("", unicodedata.normalize("NFC", offered[:4_000]))
    name = _SEPARATORS.sub("_", name).strip(" .")
    name = _shortened(name).lstrip("-").strip(" .")
    if not name.strip("_"):
        return instead
    return f"_{name}" if _DEVICE.match(name) else name


def _shortened(name: str) -> str:
    """Cut a long name in its middle, so that the ending, which says what it is, stays."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = name, "", ""
    room = LONGEST_NAME - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + ending
