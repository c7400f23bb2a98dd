"""getmail6: its rc files and the ``oldmail-HOST-PORT-USER`` beside them. Pure.

A line there is unique-id, NUL, seconds. In a unique-id every ``/`` became ``-``, in the file's name every odd letter.
On top of a message stand ``Delivered-To`` and a Received field that names the unique-id; a Return-Path is moved above
these, and ``<unknown>`` where there is none.
"""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from migrator.adopting.fields import first_fields, name_of, place_of, without
from migrator.adopting.model import Document, NotTaken, OldAccount, Program, Restored, expanded, tls_of

_MARK = re.compile(
    rb"received:\s+from\s+(\S+)[^\n]*\s+by\s+[^\n]*\swith\s+POP3\S*\s+getmail6?[^\n]*\n\s+msgid:([^;\r\n]*);", re.I
)
_KINDS = ("SimplePOP3Retriever", "SimplePOP3SSLRetriever", "BrokenUIDLPOP3Retriever", "BrokenUIDLPOP3SSLRetriever")
_STORES = {"Maildir": "path", "Mboxrd": "path"}


def _usual_places(home: Path) -> Sequence[Path]:
    return (home / ".getmail", home / ".config" / "getmail")


def _is_configuration(document: Document) -> bool:
    return re.search(rb"(?m)^\[retriever\]", document.content) is not None


def _is_state(document: Document) -> bool:
    return document.path.name.startswith("oldmail-")


def _accounts(document: Document, home: Path) -> list[OldAccount | NotTaken]:
    tables = configparser.RawConfigParser()
    name = str(document.path)
    try:
        tables.read_string(document.text)
    except configparser.Error as error:
        return [NotTaken(name, f"it cannot be read: {str(error).splitlines()[0]}")]
    server = tables["retriever"]
    kind = server.get("type", "")
    if kind not in _KINDS:
        return [
            NotTaken(name, f"its retriever is {kind or 'not named'}; only those for one POP3 maildrop are taken over")
        ]
    if not (server.get("server") and server.get("username")):
        return [NotTaken(name, "it names no server, or no username")]
    return [_account(document, tables, home)]


def _account(document: Document, tables: configparser.RawConfigParser, home: Path) -> OldAccount:
    server = tables["retriever"]
    host, username = server["server"].strip(), server["username"].strip()
    is_implicit = "SSL" in server["type"]
    port = int(server["port"]) if server.get("port", "").isdecimal() else None
    state = f"oldmail-{host}-{port or (995 if is_implicit else 110)}-{username}"
    certificates = server.get("ca_certs", "")
    return OldAccount(
        host=host,
        username=username,
        port=port,
        tls=tls_of(host, port, is_implicit=is_implicit),
        auth="apop" if server.get("use_apop", "").lower() in ("true", "yes", "1", "on") else "auto",
        password=_password(server),
        ca_file=str(expanded(certificates, home)) if certificates else "",
        marks=frozenset({host}),
        noted_as=_plain(state),
        state_files=(document.path.parent / re.sub(r"[^\w.@-]", "-", state),),
        stores=tuple(_stores(tables, "destination", home)),
        deletes=tables.get("options", "delete", fallback="false").lower() in ("true", "yes", "1", "on"),
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "-", name.lower())


def _password(server: configparser.SectionProxy) -> object:
    if text := server.get("password"):
        return text
    words = _words(server.get("password_command", ""))
    return {"command": shlex.join(words)} if words else None


def _words(written: str) -> list[str]:
    """Return the words of a tuple as getmail writes them: ``("pass", "show", "mail")``."""
    try:
        value = ast.literal_eval(written.strip() or "()")
    except (ValueError, SyntaxError):
        return []
    return [str(word) for word in (value if isinstance(value, tuple | list) else (value,))]


def _stores(
    tables: configparser.RawConfigParser, section: str, home: Path, above: frozenset[str] = frozenset()
) -> list[Path]:
    """Return where a destination puts mail; one that names others (MultiDestination) puts it where these do."""
    if section in above or not tables.has_section(section):
        return []
    table = tables[section]
    if path := table.get(_STORES.get(table.get("type", ""), ""), ""):
        return [expanded(path, home)]
    inner = [word.strip("[]") for word in _words(table.get("destinations", ""))]
    return [path for name in inner for path in _stores(tables, name, home, above | {section})]


def _fetched(document: Document, account: OldAccount) -> frozenset[bytes]:
    if _plain(document.path.name) != account.noted_as:
        return frozenset()
    lines = (line.partition(b"\0") for line in document.content.split(b"\n"))
    return frozenset(unique_id for unique_id, nul, _ in lines if nul and unique_id)


def _noted(unique_id: bytes) -> bytes:
    return unique_id.replace(b"/", b"-")


def _restored(block: bytes) -> Restored | None:
    """Take out the Received field, the Delivered-To above it, and a Return-Path above that which names nobody."""
    fields = first_fields(block)
    place = place_of(fields, _MARK)
    if place is None:
        return None
    found = _MARK.match(fields[place])
    added = {place}
    if place and name_of(fields[place - 1]) == b"delivered-to":
        added.add(place - 1)
    above = min(added) - 1
    if above >= 0 and fields[above].strip().lower() == b"return-path: <unknown>":
        added.add(above)
    mark, unique_id = (found[1].decode("latin-1"), found[2].strip()) if found else ("", b"")
    return Restored(without(block, fields, added), unique_id, mark)


GETMAIL = Program("getmail", _usual_places, _is_configuration, _is_state, _accounts, _fetched, _restored, noted=_noted)
