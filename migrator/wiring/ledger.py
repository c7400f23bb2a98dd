"""From the configuration to its ledger, in which archive folders that were moved are known where they are now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from migrator.config import Account, Config, Destination, FolderDestination
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.sqlite.read_only import can_be_written
from migrator.ledger.transfer import check_is_here
from migrator.wiring.account import identity_of
from migrator.wiring.moved_archives import follow_moves

if TYPE_CHECKING:
    from pathlib import Path


def open_ledger(config: Config) -> Ledger:
    """Open the ledger, made if need be; raises ``ConfigError`` when the folder cannot be used at all.

    An archive folder that was plainly moved is known where it is now.
    """
    try:
        ledger = Ledger.open(config.ledger_place)
    except OSError as error:
        raise ConfigError([f"state_dir {config.state_dir}: cannot be used: {error.strerror}"]) from error
    return _following(config, ledger)


def _following(config: Config, ledger: Ledger) -> Ledger:
    try:
        follow_moves(config, ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger


def existing_ledger(config: Config, *, only_to_read: bool = False) -> Ledger | None:
    """Open the ledger if there is one; a use case that only looks makes none.

    With ``only_to_read``, which says that nothing is lost if what it notes is forgotten, the ledger of a folder that
    cannot be written (a mounted backup, another user's) will do.
    """
    if config.ledger:
        found = Ledger.open_existing(config.ledger)
        return None if found is None else _following(config, found)
    path = config.state_dir / FILE_NAME
    check_is_here(config.state_dir, path)
    if not path.exists():
        return None
    if only_to_read and not can_be_written(path):
        return _following(config, Ledger.open_to_read(config.state_dir))
    return open_ledger(config)


def ledger_to_look_at(config: Config) -> Ledger | None:
    """Open the ledger if there is one, and change nothing in it: not even its version. A dry run does no more."""
    if config.ledger:
        return Ledger.open_existing(config.ledger)
    path = config.state_dir / FILE_NAME
    check_is_here(config.state_dir, path)
    return Ledger.open_dry(config.state_dir) if path.exists() else None


def ledger_of_archive(config: Config, *, only_to_read: bool = False) -> Ledger | None:
    """Open the ledger for a use case about what is archived; None where nothing is.

    An archive without a ledger is an error with its cure: "0 copies, all well" would be untrue.
    """
    ledger = existing_ledger(config, only_to_read=only_to_read)
    if ledger is None and (holding := _with_files(_places(config.accounts))):
        what = f"there is no ledger in {config.ledger_place}, but something in {holding[0]}"
        raise FerryError(Kind.ARCHIVE, what, cure="if that is your archive, mailferry rebuild-ledger reads it")
    return ledger


def unknown_folders(config: Config, accounts: Sequence[Account], ledger: Ledger) -> list[Path]:
    """Return folders of these accounts that hold something, of which the ledger has never heard."""
    known = ledger.archive.known_destinations()
    places = _places(accounts)
    return _with_files(place for place in places if identity_of(place, config.state_dir) not in known)


def _places(accounts: Sequence[Account]) -> list[Destination]:
    return [place for account in accounts for place in account.destinations]


def _with_files(places: Iterable[Destination]) -> list[Path]:
    folders = dict.fromkeys(place.path for place in places if isinstance(place, FolderDestination))
    return [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
