"""The configuration's values as a person writes them: durations, sizes, hosts, fingerprints, policies.

Pure. Every function returns the value or raises ``ValueError`` with words that follow "KEY: " in a line for a person;
the words say what is wrong and show how it is written.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta

from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, LeaveOnServer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|seconds?|m|minutes?|h|hours?|d|days?|w|weeks?)", re.I)

_SIZES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|[kmg]i?b)", re.I)

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"\w([\w.-]*\w)?\.?")


def duration(written: object) -> timedelta:
    """Read ``45 seconds``, ``15m``, ``30 days``: a number and a unit, or the unit's first letter."""
    if isinstance(written, timedelta):
        return written
    found = _DURATION.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None:
        raise ValueError(
            f'{shown(written)} is not a duration; write a number and a unit, such as "45 seconds" or "30 days"'
        )
    try:
        return timedelta(**{_UNITS[found[2][0].lower()]: float(found[1])})
    except OverflowError:
        raise ValueError(f"{shown(written)} is too long") from None


def positive_duration(written: object) -> timedelta:
    """Read a duration that is longer than nothing."""
    value = duration(written)
    if value <= timedelta(0):
        raise ValueError(f"{shown(written)} must be longer than zero")
    return value


def size(written: object) -> int:
    """Read ``50 MB``, ``2 GiB``: octets; kB, MB and GB are powers of ten, KiB, MiB and GiB of two."""
    if isinstance(written, int) and not isinstance(written, bool) and written > 0:
        return written
    found = _SIZE.fullmatch(written.strip()) if isinstance(written, str) else None
    octets = int(float(found[1]) * _SIZES[found[2].lower()]) if found else 0
    if octets < 1:
        raise ValueError(f'{shown(written)} is not a size; write a number and a unit, such as "50 MB" or "2 GiB"')
    return octets


def leave_on_server(written: object) -> LeaveOnServer:
    """Read ``true``, ``false`` or the time after which a verified message may go."""
    if isinstance(written, bool):
        return Keep() if written else DeleteWhenVerified()
    if isinstance(written, LeaveOnServer):
        return written
    try:
        return DeleteAfter(duration(written))
    except ValueError:
        raise ValueError(f'{shown(written)} must be true, false or a duration such as "30 days"') from None


def host(written: object) -> str:
    """Read a host name or an IP address, without port or scheme; brackets around an IPv6 address are dropped."""
    name = written.removeprefix("[").removesuffix("]") if isinstance(written, str) else ""
    if _is_address(name) or _HOST.fullmatch(name):
        return name
    raise ValueError(f'{shown(written)} is not a host name or address; write it without "://", port or folder')


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def one_line(written: object) -> str:
    """Read text that is not empty and has no control characters: it will stand in a protocol's command."""
    if isinstance(written, str) and written and not _CONTROL.search(written):
        return written
    raise ValueError(f"{shown(written)} must be text, not empty and without control characters")


def fingerprint(written: object) -> str:
    """Read SHA-256 in hexadecimal, with or without colons; returns 64 lower-case digits."""
    digits = written.replace(":", "").lower() if isinstance(written, str) else ""
    if not _FINGERPRINT.fullmatch(digits):
        raise ValueError(
            f"{shown(written)} is not a fingerprint; it is the SHA-256 of the server's certificate: "
            "64 hexadecimal digits, with or without colons"
        )
    return digits


def account_name(written: object) -> str:
    """Read the name of an account: letters, digits and ``. _ - @``."""
    name = one_line(written)
    if odd := sorted({character for character in name if not (character.isalnum() or character in "._-@")}):
        raise ValueError(
            f"{shown(written)} contains {' '.join(map(shown, odd))}; a name is letters, digits, . _ - and @"
        )
    return name


def shown(written: object) -> str:
    """Show a value as it is written in the file, shortened to what fits in a line."""
    if isinstance(written, bool):
        return str(written).lower()
    text = f'"{written}"' if isinstance(written, str) else str(written)
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return text if len(text) <= 60 else f"{text[:57]}…" + ('"' if isinstance(written, str) else "")
