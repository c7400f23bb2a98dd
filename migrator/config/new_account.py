"""Adds an account to a configuration: a file of its own, ``accounts.d/NAME.toml``, written whole or not at all.

Where there is no configuration yet, one is made. What a person wrote is never changed. Passwords do not pass through
here: a file says where each comes from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.config.account_files import FOLDER
from migrator.config.document import text_of
from migrator.config.locating import default_state_dir, find_config, usual_config, usual_places
from migrator.errors import ConfigError
from migrator.files import Device, LockTimeout, lock_file, make_folder, replace_file, storage_error, sync_folder
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from migrator.config.model import Account, Config
    from migrator.config.sheets import StoredSheets

_HEAD = """\
# Written by `mailferry add`. Each account stands in a file of its own, in {folder}/ beside this one.
# What you change or add here stays.
state_dir = {state_dir}
"""

MARK = "Written by `mailferry add`"
"""How the remark begins that stands first in a file of ours."""

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Site:
    """The configuration that an account is added to: its file, and what stands in it or will."""

    path: Path
    text: str
    is_new: bool = False
    stored: StoredSheets | None = None
    """Reads the accounts that are kept in the ledger's database."""

    def with_account(self, account: Raw) -> tuple[Config, Account]:
        """Return the whole configuration with one more account, checked; raises ``ConfigError``."""
        from migrator.config.reading import load_with

        config = load_with(self.path, self.text, account, self.stored)
        name = str(account["name"])
        if taken := [row.place.where() for row in config.bad_rows if row.name == name and row.place]:
            raise ConfigError([f'another account is named "{name}": {taken[0]}'])
        return config, config.select([name])[0]

    def place_of(self, name: str) -> str:
        """Return the file in which an account of this name stands already, as far as that is cheaply known."""
        file = self.path.absolute().parent / FOLDER / f"{name}.toml"
        if file.exists():
            return str(file)
        with suppress(tomllib.TOMLDecodeError, AttributeError, TypeError):  # what is wrong there is said elsewhere
            accounts = tomllib.loads(self.text).get("accounts", [])
            return str(self.path) if any(account.get("name") == name for account in accounts) else ""
        return ""


def site_of(explicit: Path | None, stored: StoredSheets | None = None) -> Site:
    """Return the configuration that was named, else the first of the usual ones, else one that is to be made.

    Raises ``ConfigError`` where it cannot be read.
    """
    path = explicit or usual_config()
    if path is not None and path.exists():
        path = find_config(path)
        return Site(path, text_of(path), stored=stored)
    import tomlkit  # only where something is to be written

    state_dir = "state" if path else str(default_state_dir())
    text = _HEAD.format(folder=FOLDER, state_dir=tomlkit.string(state_dir).as_string())
    return Site(path or usual_places()[1], text, is_new=True)


@dataclass(frozen=True, slots=True)
class Home:
    """Where files of accounts can be written: beside the configuration, else in the state folder."""

    folder: Path
    is_beside: bool

    def written(self, path: Path) -> str:
        """Return how a file of this place is named in an account's file."""
        return str(path.relative_to(self.folder)) if self.is_beside else str(path)


Fill = Callable[[Home, ExitStack], Raw]
"""Completes the account's table with where its passwords come from; what it stores, it undoes by the stack."""


def write_account(site: Site, config: Config, account: Account, fill: Fill) -> Path:
    """Write the account, and the configuration where there is none yet; all of it is durable on return, or none is.

    Raises ``ConfigError`` where another account has that file already, ``FerryError`` where nothing can be written.
    """
    holder = f"adding {account.name}"
    lock = lock_file(config.state_dir / "locks" / "config.lock", LockTimeout(), Device(), holder)
    with lock, ExitStack() as undo:
        try:
            home = _home(site, config, undo)
            file = home.folder / FOLDER / f"{account.file_name}.toml"
            if file.exists():
                raise ConfigError([f"{file} is there already; nothing was changed"])
            text = account_text(fill(home, undo))
            if site.is_new:
                _write_new(site, undo)
            undo.callback(_remove, file)
            _write(file, text)  # last: from here on there is an account
        except OSError as error:
            raise storage_error(error, f"writing the account {account.name}") from error
        undo.pop_all()
    return file


def account_text(account: Raw) -> str:
    """Return the file of one account, from its table as plain values."""
    import tomlkit

    source, destinations = account["source"], account["destinations"]
    if not isinstance(source, Mapping) or not isinstance(destinations, list):
        raise TypeError("an account has a source and destinations")
    table = tomlkit.table()
    table.add("name", account["name"])
    table.add(tomlkit.nl())
    table.add("source", table_of(source))
    places = tomlkit.aot()
    for place in destinations:
        places.append(table_of(place))
    table.add("destinations", places)
    document = tomlkit.document()
    document.add(tomlkit.comment(f"{MARK} or the page; what you change here stays."))
    document.add("accounts", tomlkit.aot())
    document["accounts"].append(table)
    return tomlkit.dumps(document).rstrip("\n") + "\n"


def table_of(values: Raw) -> Any:  # noqa: ANN401  # tomlkit's table
    """Return a table with plain values, as tomlkit writes it; where passwords come from stands on one line."""
    import tomlkit

    table = tomlkit.table()
    for key, value in values.items():
        if isinstance(value, Mapping):
            inline = tomlkit.inline_table()
            inline.update(value)
            table.add(key, inline)
        else:
            table.add(key, value)
    table.add(tomlkit.nl())
    return table


def _home(site: Site, config: Config, undo: ExitStack) -> Home:
    beside = site.path.absolute().parent
    try:
        make_own_folder(beside / FOLDER, undo)
        if (beside / FOLDER).is_dir() and os.access(beside / FOLDER, os.W_OK):
            return Home(beside, is_beside=True)
    except OSError:
        if site.is_new:
            raise
    make_own_folder(config.state_dir / FOLDER, undo)
    return Home(config.state_dir, is_beside=False)


def make_own_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder (0700); the stack takes it away again where it has stayed empty."""
    if not folder.is_dir():
        undo.callback(_remove_folder, folder)
        make_folder(folder)


def _write(file: Path, text: str) -> None:
    with replace_file(file) as written:
        written.write(text.encode())


def _write_new(site: Site, undo: ExitStack) -> None:
    if site.path.exists():
        raise ConfigError([f"{site.path} has appeared meanwhile; run the command again"])
    undo.callback(_remove, site.path)
    _write(site.path, site.text)


def _remove(file: Path) -> None:
    if file.exists():
        file.unlink()
        sync_folder(file.parent)


def _remove_folder(folder: Path) -> None:
    with suppress(OSError):  # somebody else has put something there, or it was never made
        folder.rmdir()
