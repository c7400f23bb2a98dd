"""Names of files for accounts, that every system takes and that stay apart where case does not count. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

LONGEST = 100
"""Bytes of a name; an ending comes behind it, and eCryptfs takes 143."""

_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?=\.|\Z)", re.I)


def safe_names(quoted: Iterable[str]) -> dict[str, str]:
    """Return, for names in percent-quoted form, names that Windows takes too, no two of them equal without case.

    A name that is safe already, and alone, stays as it is; the others get more of their characters quoted.
    """
    names = list(dict.fromkeys(quoted))
    spelled = Counter(name.lower() for name in names)
    return {name: _shortened(_safe(name, is_alone=spelled[name.lower()] == 1)) for name in names}


def _safe(name: str, *, is_alone: bool) -> str:
    if not is_alone:
        name = "".join(
            _quoted(letter) if letter.isupper() and not _is_hex(name, at) else letter for at, letter in enumerate(name)
        )
    if _DEVICE.match(name):
        name = _quoted(name[0]) + name[1:]
    return name[:-1] + _quoted(name[-1]) if name.endswith((".", " ")) else name


def _is_hex(name: str, at: int) -> bool:
    """Tell whether a letter belongs to a character that is quoted already."""
    return "%" in name[max(0, at - 2) : at]


def _quoted(letter: str) -> str:
    return f"%{ord(letter):02X}"


def _shortened(name: str) -> str:
    """Cut a name that is too long, and tell it from others that begin as it does."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 17]}-{sha256(name.encode()).hexdigest()[:16]}"
