"""The configuration that a run without one leaves in its state folder, so that what it archived can be looked at.

It holds no password, only where one comes from. What a person writes into it stays: a later run adds its account or its
destinations, and changes the keys that its own command line says. A configuration that somebody else wrote there is
left alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.config.model import Account, Config, Destination, ImapDestination, Server
from migrator.config.problems import Place
from migrator.config.secrets import CommandSecret, EnvironmentSecret, KeyringSecret, Secret, TextSecret
from migrator.errors import ConfigError, FerryError
from migrator.files import Device, LockTimeout, lock_file, replace_file
from migrator.lazy_dataclasses import dataclass, fields, replace
from migrator.model import mailbox_identity, store_identity
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

FILE_NAME = "config.toml"

_LEDGER = "ledger.sqlite3"
_PLACEHOLDER = "MAILFERRY_PASSWORD_"

_MARK = "# Written by `mailferry migrate --from … --to …`"
_HEAD = f"""\
{_MARK}, for what it archived with this state folder.
# Commands that read an archive take it by --state-dir (or -c). It holds no password, only where each comes from.
# What you change or add here stays; a later --from/--to run adds its account and its destinations.
state_dir = "."

"""

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A configuration whose settings have a place in a file; ``problem`` says why they have none, if so."""

    config: Config
    problem: str = ""


def remember(config: Config) -> Remembered:
    """Write the one account of a configuration without a file into that of its state folder (0600, all or nothing)."""
    path = config.state_dir / FILE_NAME
    try:
        with lock_file(config.state_dir / "locks" / "config.lock", LockTimeout(), Device(), str(path)):
            text = _merged(path, [_written(account) for account in config.accounts])
            _check(path, text)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                with replace_file(path) as file:
                    file.write(text.encode())
    except ConfigError as error:
        return Remembered(config, "; ".join(error.problems))
    except FerryError as error:
        return Remembered(config, error.message)
    except OSError as error:
        return Remembered(config, f"{path}: cannot be written: {error.strerror}")
    accounts = tuple(_placed(account, Place(str(path), text), path) for account in config.accounts)
    return Remembered(replace(config, accounts=accounts))


def config_in(state_dir: Path) -> Path:
    """Return the configuration that a run left in this state folder; raises ``ConfigError`` where there is none."""
    path = state_dir / FILE_NAME
    if path.is_file():
        return path
    if not (state_dir / _LEDGER).exists():
        raise ConfigError([f"--state-dir {state_dir}: nothing was archived with this state folder"])
    what = (
        f"--state-dir {state_dir}: there is a ledger without a {FILE_NAME}. If it belongs to a configuration, name that"
    )
    again = (
        "run mailferry migrate --from … --to … with this --state-dir once more: it writes one, and stores nothing twice"
    )
    raise ConfigError([f"{what} by -c FILE; if an older mailferry made it, {again}"])


def is_placeholder(secret: Secret) -> bool:
    """Say whether a variable stands in for a password that a person typed: nobody needs it to look at what is there."""
    return isinstance(secret, EnvironmentSecret) and secret.variable.startswith(_PLACEHOLDER)


def _merged(path: Path, accounts: Sequence[Raw]) -> str:
    """Return the text of the file with these accounts in it."""
    before = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    if not before.startswith(_MARK):
        raise ConfigError([f"{path} is a configuration of your own; nothing was added to it"])
    try:
        document = tomllib.loads(before)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: this is not TOML: {error}"]) from None
    if not any(_lacks_account(document, account, path) for account in accounts):
        return before
    import tomlkit  # only where something is to be written

    editable = tomlkit.parse(before)
    for account in accounts:
        _add_account(editable, account, path)
    return tomlkit.dumps(editable)


def _check(path: Path, text: str) -> None:
    """Raise ``ConfigError`` where the file could not be read as a configuration."""
    from migrator.config.reading import Reading

    Reading(path, text, tomllib.loads(text)).config()


def _written(account: Account) -> Raw:
    """Return an account as it is written down."""
    destinations = [_keys(place) for place in account.destinations]
    return {"name": account.name, "source": _keys(account.source), "destinations": destinations}


def _keys(table: Server | Destination) -> dict[str, Any]:
    """Return what was said of an end; a password is where it comes from, or missing where it was typed."""
    names = [one.name for one in fields(table) if one.name in table.written]
    names.sort(key=lambda name: name != "type")
    keys = {name: _plain(getattr(table, name)) for name in names if name != "password"}
    if isinstance(table, Server) and (reference := _reference(table.password)):
        keys["password"] = reference
    return {name: value for name, value in keys.items() if value is not None}


def _plain(value: object) -> object:
    """Return a value as TOML has it."""
    match value:
        case Keep():
            return True
        case DeleteWhenVerified():
            return False
        case DeleteAfter(age):
            return _duration(age)
        case timedelta():
            return _duration(value)
        case StrEnum() | Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def _duration(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:f}".rstrip("0").rstrip(".") + " seconds"


def _reference(secret: Secret) -> dict[str, str] | None:
    """Return where a password comes from, None where a person typed it or it can be read but once."""
    match secret:
        case EnvironmentSecret(variable):
            return {"env": variable}
        case CommandSecret(command=command):
            return {"command": command}
        case KeyringSecret(service=service):
            return {"keyring": service}
        case TextSecret(read_from=Path() as path):
            return {"file": str(path)}
        case _:
            return None


def _placeholder(table: Raw) -> dict[str, str]:
    """Return a variable to stand in for a password that was typed; ``check`` says that it is not set."""
    owner = re.sub("[^A-Za-z0-9]", "_", f"{table['username']}@{table['host']}").upper()
    return {"env": f"{_PLACEHOLDER}{owner}"}


def _lacks_account(document: Raw, wanted: Raw, path: Path) -> bool:
    known = _account_in(document, wanted["name"])
    if known is None or _lacks(known.get("source", {}), wanted["source"]):
        return True
    there = {_identity(place, path): place for place in known.get("destinations", [])}
    return any(_lacks(there.get(_identity(place, path), {}), place) for place in wanted["destinations"])


def _lacks(known: Raw, wanted: Raw) -> bool:
    lacks_password = "username" in wanted and "password" not in known
    return lacks_password or any(known.get(key) != value for key, value in wanted.items() if key != "path")


def _account_in(document: Raw, name: str) -> Any | None:  # noqa: ANN401  # a table of tomllib or one of tomlkit
    return next((account for account in document.get("accounts", ()) if account.get("name") == name), None)


def _identity(table: Raw, path: Path) -> str:
    """Return what a destination is known by, as it is written in the file."""
    if table.get("type") == "imap":
        return mailbox_identity(str(table.get("username")), str(table.get("host")), str(table.get("folder", "INBOX")))
    if table.get("type") == "s3":
        return store_identity(str(table.get("bucket")), str(table.get("prefix", "")), str(table.get("endpoint", "")))
    return f"{table.get('type')}:{(path.parent / Path(str(table.get('path'))).expanduser()).resolve()}"


def _add_account(document: TOMLDocument, wanted: Raw, path: Path) -> None:
    import tomlkit

    account = _account_in(document, wanted["name"])
    if account is None:
        account = tomlkit.table()
        account.add("name", wanted["name"])
        account.add("source", _new_table(wanted["source"]))
        account.add("destinations", tomlkit.aot())
        _add_destinations(account, wanted["destinations"], path)
        if "accounts" not in document:
            document.add("accounts", tomlkit.aot())
        document["accounts"].append(account)
        return
    _updated(account["source"], wanted["source"])
    _add_destinations(account, wanted["destinations"], path)


def _add_destinations(account: Any, wanted: Sequence[Raw], path: Path) -> None:  # noqa: ANN401  # tomlkit's table
    there = {_identity(place, path): place for place in account["destinations"]}
    for place in wanted:
        known = there.get(_identity(place, path))
        if known is None:
            account["destinations"].append(_new_table(place))
        else:
            _updated(known, {key: value for key, value in place.items() if key != "path"})


def _new_table(wanted: Raw) -> Any:  # noqa: ANN401  # tomlkit's table
    import tomlkit

    table = _updated(tomlkit.table(), wanted)
    table.add(tomlkit.nl())
    return table


def _updated(table: Any, wanted: Raw) -> Any:  # noqa: ANN401  # tomlkit's table
    import tomlkit

    for key, value in wanted.items():
        if isinstance(value, dict):
            inline = tomlkit.inline_table()
            inline.update(value)
            table[key] = inline
        elif table.get(key) != value:
            table[key] = value
    if "username" in wanted and "password" not in table:
        _updated(table, {"password": _placeholder(wanted)})
    return table


def _placed(account: Account, top: Place, path: Path) -> Account:
    """Return the account with mailboxes that know where in the file their settings are written."""
    document = tomllib.loads(top.text)
    index = [known["name"] for known in document["accounts"]].index(account.name)
    there = [_identity(place, path) for place in document["accounts"][index]["destinations"]]
    here = replace(top.at("accounts", index, account=account.name), also="?KEY=VALUE in --to")
    places = [
        place.written_at(here.at("destinations", there.index(_identity(_keys(place), path))))
        if isinstance(place, ImapDestination)
        else place
        for place in account.destinations
    ]
    return replace(account, destinations=tuple(places))
