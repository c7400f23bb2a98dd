"""From the configuration to its ledger, in which archive folders that were moved are known where they are now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from migrator.config import Account, Config, Destination, ImapDestination
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.wiring.account import destination_of
from migrator.wiring.moved_archives import follow_moves

if TYPE_CHECKING:
    from pathlib import Path


def open_ledger(config: Config) -> Ledger:
    """Open the ledger, made if need be; raises ``ConfigError`` when the folder cannot be used at all.

    An archive folder that was plainly moved is known where it is now.
    """
    try:
        ledger = Ledger.open(config.state_dir)
    except OSError as error:
        raise ConfigError([f"state_dir {config.state_dir}: cannot be used: {error.strerror}"]) from error
    try:
        follow_moves(config, ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger


def existing_ledger(config: Config) -> Ledger | None:
    """Open the ledger if there is one; a use case that only looks makes none."""
    return open_ledger(config) if (config.state_dir / FILE_NAME).exists() else None


def ledger_of_archive(config: Config) -> Ledger | None:
    """Open the ledger for a use case about what is archived; None where nothing is.

    An archive without a ledger is an error with its cure: "0 copies, all well" would be untrue.
    """
    ledger = existing_ledger(config)
    if ledger is None and (holding := _with_files(_places(config.accounts))):
        what = f"there is no ledger in {config.state_dir}, but something in {holding[0]}"
        raise FerryError(Kind.ARCHIVE, what, cure="if that is your archive, mailferry rebuild-ledger reads it")
    return ledger


def unknown_folders(config: Config, accounts: Sequence[Account], ledger: Ledger) -> list[Path]:
    """Return folders of these accounts that hold something, of which the ledger has never heard."""
    known = ledger.archive.known_destinations()
    places = _places(accounts)
    return _with_files(place for place in places if destination_of(place, config.state_dir).identity not in known)


def _places(accounts: Sequence[Account]) -> list[Destination]:
    return [place for account in accounts for place in account.destinations]


def _with_files(places: Iterable[Destination]) -> list[Path]:
    folders = dict.fromkeys(place.path for place in places if not isinstance(place, ImapDestination))
    return [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
