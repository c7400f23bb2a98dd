"""A mail address as somebody types it. Pure.

The local part stays as it is typed, case included (RFC 5321, section 2.4); a domain with letters beyond ASCII is also
known by its form in the name system (RFC 3490).
"""

from __future__ import annotations

import re

from migrator.lazy_dataclasses import dataclass

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST_DOMAIN = 253
_LONGEST_LOCAL = 64 * 4


@dataclass(frozen=True, slots=True)
class Address:
    """An address: ``local`` as typed, ``domain`` as the name system writes it, in small letters."""

    local: str
    domain: str
    written: str

    def __str__(self) -> str:
        """Return it as it was typed."""
        return self.written


def is_address(written: str) -> bool:
    """Say whether somebody means an address, not a URL and not a path."""
    return "@" in written and "/" not in written and ":" not in written


def read_address(written: str) -> Address:
    """Read ``local@domain``; raises ``ValueError`` with words for a person."""
    local, at, domain = written.strip().rpartition("@")
    if not at or not local or not domain:
        raise ValueError("an address is written name@domain")
    if any(character.isspace() or not character.isprintable() for character in local) or len(local) > _LONGEST_LOCAL:
        raise ValueError("what stands before the @ has a blank or a control character, or is too long")
    return Address(local, domain_of(domain), written.strip())


def domain_of(written: str) -> str:
    """Return a domain as the name system writes it; raises ``ValueError`` where it is none."""
    try:
        ascii_form = written.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        ascii_form = ""
    labels = ascii_form.split(".")
    is_number = labels[-1].isdigit()
    if len(ascii_form) > _LONGEST_DOMAIN or is_number or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("what stands behind the @ is no domain")
    return ascii_form


def is_within(host: str, domain: str) -> bool:
    """Say whether a host is the domain itself or stands below it.

    Nothing wider is certain without a list of public suffixes: whether ``pop.example.org`` belongs to those of
    ``dept.example.org`` is for a person to say.
    """
    name = host.rstrip(".").lower()
    return name == domain or name.endswith(f".{domain}")
