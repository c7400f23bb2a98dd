"""What a provider's ``config-v1.1.xml`` says (Thunderbird's autoconfig format).

Only servers over TLS are taken; an entry that makes no sense is left out alone. Addresses for OAuth that such a file
names are never used: anybody may have written them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn
from xml.etree import ElementTree as ET

from migrator.config import values
from migrator.discovery.address import Address
from migrator.lazy_dataclasses import dataclass
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

LARGEST = 256 * 1024
"""Octets of such a file; the largest known have some 20 kB."""

_MODES = {"SSL": TlsMode.IMPLICIT, "STARTTLS": TlsMode.STARTTLS}
_USABLE = frozenset({"password-cleartext", "password-encrypted", "oauth2"})


@dataclass(frozen=True, slots=True)
class NamedServer:
    """A server as the file names it, in the file's order."""

    host: str
    port: int
    tls: TlsMode
    username: str


def servers_in(document: bytes, address: Address, service: Service) -> list[NamedServer]:
    """Return the usable servers for a service, the best first; none where the document is no such file."""
    if len(document) > LARGEST:
        return []
    try:
        root = ET.fromstring(document, parser=ET.XMLParser(target=_PlainBuilder()))  # noqa: S314  # see _PlainBuilder
    except (ET.ParseError, _OddDocumentError, LookupError, ValueError):
        return []
    if root.tag != "clientConfig":
        return []
    wanted = str(service).lower()
    entries = [entry for entry in root.iterfind("emailProvider/incomingServer") if entry.get("type") == wanted]
    return list(_usable(entries, address))


class _OddDocumentError(Exception):
    """A document type, which such a file never has, and which is what attacks by XML are made of."""


class _PlainBuilder(ET.TreeBuilder):
    """Builds no tree of a document that declares a type, and so none that declares an entity."""

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> NoReturn:
        """Refuse; the parser calls this at the declaration, before any entity is expanded."""
        del name, public_id, system_id
        raise _OddDocumentError


def _usable(entries: list[ET.Element], address: Address) -> Iterator[NamedServer]:
    for entry in entries:
        mode = _MODES.get(_text(entry, "socketType"))
        methods = {(method.text or "").strip().lower() for method in entry.iterfind("authentication")}
        if mode is None or (methods and not methods & _USABLE):
            continue
        try:
            host = values.host(_filled(_text(entry, "hostname"), address).lower())
            username = values.one_line(_filled(_text(entry, "username") or "%EMAILADDRESS%", address))
            port = int(_text(entry, "port"))
        except ValueError:
            continue
        if 1 <= port <= 65535:
            yield NamedServer(host, port, mode, username)


def _text(entry: ET.Element, name: str) -> str:
    return (entry.findtext(name) or "").strip()


def _filled(written: str, address: Address) -> str:
    whole = f"{address.local}@{address.domain}"
    for place, value in (("ADDRESS", whole), ("LOCALPART", address.local), ("DOMAIN", address.domain)):
        written = written.replace(f"%EMAIL{place}%", value)
    return written
