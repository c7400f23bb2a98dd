"""What programs note beside a message: read, flagged, answered, deleted, its labels, when it arrived.

Pure. Only what IMAP has a system flag for is kept (RFC 9051, section 2.3.2). A mark of deletion counts where its
program puts it, and not in a header that anybody may have sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from migrator.interchange.importing.items import NO_MARKS, Marks
from migrator.parse.headers import decoded, fields

SEEN, FLAGGED, ANSWERED, DRAFT = "\\Seen", "\\Flagged", "\\Answered", "\\Draft"

_MAILDIR_INFO = re.compile(r"[:;!-]2,([A-Za-z,=0-9]*)\Z")
_MAILDIR_TIME = re.compile(r"(\d{9,11})\.")
_MAILDIR_FLAGS = {"S": SEEN, "F": FLAGGED, "R": ANSWERED, "D": DRAFT}
_STATUS_FLAGS = {b"status": {"R": SEEN}, b"x-status": {"F": FLAGGED, "A": ANSWERED, "T": DRAFT}}
_MOZILLA_FLAGS = {0x1: SEEN, 0x2: ANSWERED, 0x4: FLAGGED}
_MOZILLA_DELETED = 0x8
_MOZILLA_OWN = (b"x-mozilla-", b"x-account-key", b"x-uidl")  # these stand before all that was sent, and nothing else
_APPLE_FLAGS = {1 << 0: SEEN, 1 << 2: ANSWERED, 1 << 4: FLAGGED, 1 << 6: DRAFT}
_APPLE_DELETED = 1 << 1
_APPLE_FLAGS_KEY = re.compile(rb"<key>flags</key>\s*<integer>(\d{1,19})</integer>")
_APPLE_DATE_KEY = re.compile(rb"<key>date-received</key>\s*<(?:integer|real)>(\d{1,12})[.\d]*</")
_LABEL_FLAGS = {"opened": SEEN, "starred": FLAGGED, "drafts": DRAFT, "draft": DRAFT}
_BABYL_FLAGS = {"answered": ANSWERED, "edited": "", "filed": ""}
_NOTED = (b"status", b"x-gmail-labels")
_LATEST = 4_102_444_800


def has_maildir_info(name: str) -> bool:
    """Say whether a file's name can only be that of a message in a Maildir, wherever it stands now."""
    info = _MAILDIR_INFO.search(name)
    return info is not None and not info[0].startswith("-")


def of_maildir(name: str, modified: float | None) -> Marks:
    """Read the name of a file in a Maildir. It arrived at the earlier of what its name and its file say.

    Programs that keep the arrival as the file's time do so from the start; a copy of the files only makes it later.
    """
    info = _MAILDIR_INFO.search(name)
    letters = info[1] if info else ""
    times = [float(found[1]) for found in [_MAILDIR_TIME.match(name)] if found]
    times += [modified] if modified and modified > 0 else []
    flags = frozenset(_MAILDIR_FLAGS[letter] for letter in letters if letter in _MAILDIR_FLAGS)
    return Marks(flags, date=min(times, default=None), is_deleted="T" in letters)


def of_header(block: bytes, date: float | None = None) -> Marks:
    """Read what programs write into the header of a message in an mbox, and the labels of Gmail."""
    lowered = block.lower()
    if not any(name in lowered for name in _NOTED):
        return NO_MARKS if date is None else Marks(date=date)
    flags: set[str] = set()
    labels: tuple[str, ...] = ()
    is_deleted, is_mozillas = False, True
    for name, value in fields(block):
        is_mozillas = is_mozillas and name.startswith(_MOZILLA_OWN)
        if name in _STATUS_FLAGS:
            flags |= {flag for letter, flag in _STATUS_FLAGS[name].items() if letter in value.decode("latin-1")}
        elif name == b"x-mozilla-status" and is_mozillas:
            bits = _hexadecimal(value)
            flags |= _of_bits(bits, _MOZILLA_FLAGS)
            is_deleted = is_deleted or bool(bits & _MOZILLA_DELETED)
        elif name == b"x-gmail-labels":
            labels += _labels(value)
    flags |= _named(labels, _LABEL_FLAGS)
    return Marks(frozenset(flags), labels, date, is_deleted)


def of_apple(plist: bytes) -> Marks:
    """Read the property list behind a message of Apple Mail."""
    found, date = _APPLE_FLAGS_KEY.search(plist), _APPLE_DATE_KEY.search(plist)
    bits = int(found[1]) if found else 0
    moment = float(date[1]) if date and 0 < int(date[1]) < _LATEST else None
    return Marks(frozenset(_of_bits(bits, _APPLE_FLAGS)), date=moment, is_deleted=bool(bits & _APPLE_DELETED))


def of_babyl(line: bytes) -> Marks:
    """Read the line of attributes and labels of a message in a Babyl file: ``1,answered, unseen,, label,``."""
    attributes, _, labels = line.decode("latin-1").partition(",,")
    words = {word.strip().lower() for word in attributes.split(",")[1:]}
    flags = _named(words, _BABYL_FLAGS) | (set() if "unseen" in words else {SEEN})
    kept = tuple(label.strip() for label in labels.split(",") if label.strip())
    return Marks(frozenset(flags), kept, is_deleted="deleted" in words)


def _hexadecimal(value: bytes) -> int:
    try:
        return int(value[:8], 16)
    except ValueError:
        return 0


def _of_bits(bits: int, flags: Mapping[int, str]) -> set[str]:
    return {flag for bit, flag in flags.items() if bits & bit}


def _named(words: Iterable[str], flags: Mapping[str, str]) -> set[str]:
    return {flag for word in words if (flag := flags.get(word.lower(), ""))}


def _labels(value: bytes) -> tuple[str, ...]:
    """Return Gmail's labels: words between commas, quoted where a comma is part of one."""
    return tuple(
        label.strip().strip('"') for label in re.findall(r'"[^"]*"|[^,"]+', decoded(value)) if label.strip().strip('"')
    )
