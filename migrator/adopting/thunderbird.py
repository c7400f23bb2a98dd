"""Thunderbird: ``prefs.js`` of a profile, ``popstate.dat`` of each account, its mail folders. Pure.

``popstate.dat`` has a line ``*host user``, then a letter, the unique-id (cut at its first blank) and seconds for each
message. With ``b`` only the headers were fetched. On top of a message stand fields of Thunderbird's own. Passwords are
encrypted in ``logins.json``: they are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from migrator.adopting.fields import first_fields, name_of, without
from migrator.adopting.model import Document, NotTaken, OldAccount, Program, Restored, tls_of
from migrator.net.tls import TlsMode

_PREFERENCE = re.compile(r'(?m)^user_pref\("((?:\\.|[^"\\])*)",\s*(.*)\);\s*$')
_SERVER = re.compile(r"mail\.server\.(server\d+)\.([\w.-]+)")
_ACCOUNT = re.compile(r"mail\.account\.(account\d+)\.server")
_OWN = frozenset({b"x-account-key", b"x-uidl", b"x-mozilla-status", b"x-mozilla-status2", b"x-mozilla-keys"})
_ALL_FETCHED = frozenset({b"k", b"d", b"f"})
_TLS = {"2": TlsMode.STARTTLS, "3": TlsMode.IMPLICIT}


def _usual_places(home: Path) -> Sequence[Path]:
    folders = [
        home / ".thunderbird",
        home / ".mozilla-thunderbird",
        home / "snap" / "thunderbird" / "common" / ".thunderbird",
        home / ".var" / "app" / "org.mozilla.Thunderbird" / ".thunderbird",
        home / "Library" / "Thunderbird" / "Profiles",
    ]
    return [profile for folder in folders for profile in sorted(folder.glob("*/prefs.js"))]


def _is_configuration(document: Document) -> bool:
    return document.path.name == "prefs.js"


def _is_state(document: Document) -> bool:
    return document.content.startswith(b"# POP3 State File")


def _accounts(document: Document, home: Path) -> list[OldAccount | NotTaken]:
    del home
    preferences = dict(_preferences(document.text))
    servers: dict[str, dict[str, str]] = {}
    keys: dict[str, str] = {}
    for name, value in preferences.items():
        if found := _SERVER.fullmatch(name):
            servers.setdefault(found[1], {})[found[2]] = value
        elif found := _ACCOUNT.fullmatch(name):
            keys[value] = found[1]
    folders = {
        keys[server]: _folder(table, document.path.parent) for server, table in servers.items() if server in keys
    }
    found_accounts: list[OldAccount | NotTaken] = []
    for server, table in servers.items():
        if table.get("type") == "pop3":
            found_accounts.append(_account(table, keys.get(server, ""), document.path.parent, folders))
        elif table.get("type") == "imap":
            found_accounts.append(NotTaken(table.get("name") or table.get("hostname", server), "it is imap, not pop3"))
    return found_accounts


def _preferences(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, written in _PREFERENCE.findall(text):
        try:
            value = json.loads(written)
        except ValueError:
            continue
        found.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return found


def _folder(table: dict[str, str], profile: Path) -> Path | None:
    """Return where an account's mail is; a path that is relative to the profile goes with it to another machine."""
    relative = table.get("directory-rel", "")
    if relative.startswith("[ProfD]"):
        return profile / relative.removeprefix("[ProfD]")
    return Path(table["directory"]) if table.get("directory") else None


def _account(table: dict[str, str], key: str, profile: Path, folders: dict[str, Path | None]) -> OldAccount | NotTaken:
    host = table.get("realhostname") or table.get("hostname", "")
    user = table.get("realuserName") or table.get("userName", "")
    if not host or not user:
        return NotTaken(table.get("name", key), "it names no host, or no user")
    port = int(table["port"]) if table.get("port", "").isdecimal() else None
    socket = table.get("socketType", "0")
    own = _folder(table, profile)
    shared = folders.get(table.get("deferred_to_account", ""))
    return OldAccount(
        host=host,
        username=user,
        port=port,
        tls=_TLS.get(socket) or tls_of(host, port, is_implicit=False),
        marks=frozenset({key}) if key else frozenset(),
        noted_as=f"{table.get('hostname', host)} {table.get('userName', user)}",
        state_files=(own / "popstate.dat",) if own else (),
        stores=tuple(store for store in (own, shared and shared / "Inbox") if store),
        deletes=table.get("leave_on_server", "false") != "true",
    )


def _fetched(document: Document, account: OldAccount) -> frozenset[bytes]:
    fetched: set[bytes] = set()
    names = {account.noted_as.encode(), f"{account.host} {account.username}".encode()}
    is_ours = False
    for line in document.content.splitlines():
        if line.startswith(b"*"):
            is_ours = line[1:].strip() in names
        elif is_ours and len(words := line.split(b" ")) > 1 and words[0] in _ALL_FETCHED and words[1]:
            fetched.add(words[1])
    return frozenset(fetched)


def _noted(unique_id: bytes) -> bytes:
    return unique_id.partition(b" ")[0]


def _restored(block: bytes) -> Restored | None:
    """Take out the fields of Thunderbird's own that stand before all others, each once."""
    fields = first_fields(block)
    names: dict[bytes, bytes] = {}
    for field in fields:
        name = name_of(field)
        if name not in _OWN or name in names:
            break
        names[name] = field.partition(b":")[2].strip()
    if b"x-mozilla-status" not in names:
        return None
    rest = without(block, fields, range(len(names)))
    return Restored(rest, names.get(b"x-uidl", b""), names.get(b"x-account-key", b"").decode("latin-1"))


THUNDERBIRD = Program(
    "thunderbird", _usual_places, _is_configuration, _is_state, _accounts, _fetched, _restored, noted=_noted
)
