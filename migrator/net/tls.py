"""How a connection is to be encrypted, as the configuration says it: pure values, for ``migrator.net.stream``."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path

from migrator.lazy_dataclasses import dataclass


class TlsMode(StrEnum):
    """When encryption begins; the names are the configuration's."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How a connection is encrypted and whom it trusts.

    ``fingerprint`` is the SHA-256 of the server's DER certificate in hex, colons allowed. Alone it replaces the check
    of chain and name; together with ``ca_file`` both hold.
    """

    mode: TlsMode = TlsMode.IMPLICIT
    ca_file: Path | None = None
    fingerprint: str | None = None


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine by name or address, without asking any name server."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
