"""What most commands begin with: the configuration, the accounts asked for, the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from migrator.config import Account, Config, Destination
    from migrator.ui.console import Console


def configuration(arguments: Namespace, screen: Console) -> Config:
    """Return the configuration that the command line means, all of it checked; tell its warnings."""
    from migrator.config import find_config, load

    config = load(find_config(arguments.config))
    for warning in config.warnings:
        screen.note(f"warning: {warning}")
    mask_secrets(config, screen)
    return config


def mask_secrets(config: Config, screen: Console) -> None:
    """Have the screen write stars for every password that stands in the configuration or the environment."""
    from migrator.config.secrets import EnvironmentSecret, TextSecret

    for account in config.accounts:
        for secret in account.secrets():
            if isinstance(secret, TextSecret | EnvironmentSecret):
                with suppress(FerryError):  # one that cannot be had will be told when somebody logs in with it
                    screen.mask([secret.reveal()])


def with_passwords(config: Config, accounts: Sequence[Account]) -> None:
    """Make sure, before anything is touched, that each password's source is there; raises ``ConfigError``."""
    if missing := config.missing_secrets(accounts):
        raise ConfigError(missing)


def ledger_in(config: Config) -> Ledger:
    """Open the ledger, made if need be; raises ``ConfigError`` when the folder cannot be used at all.

    An archive folder that was plainly moved is known where it is now.
    """
    from migrator.wiring.moved_archives import follow_moves

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
    """Open the ledger if there is one; a command that only looks makes none."""
    return ledger_in(config) if (config.state_dir / FILE_NAME).exists() else None


def read_ledger(config: Config, screen: Console) -> Ledger | None:
    """Open the ledger for a command about what is archived; None, which is told, where nothing is.

    An archive without a ledger is an error with its cure: "0 copies, all well" would be a lie about it.
    """
    ledger = existing_ledger(config)
    if ledger is None:
        if holding := _with_files(place for account in config.accounts for place in account.destinations):
            what = f"there is no ledger in {config.state_dir}, but something in {holding[0]}"
            raise FerryError(Kind.ARCHIVE, what, cure="if that is your archive, mailferry rebuild-ledger reads it")
        screen.note("Nothing has been archived yet.")
        return None
    tell_unknown_folders(config, ledger, screen)
    return ledger


def tell_unknown_folders(config: Config, ledger: Ledger, screen: Console) -> None:
    """Say which folders hold something that a command about the archive will pass over."""
    for folder in unknown_folders(config, config.accounts, ledger):
        cure = "if that is an archive that was moved there, mailferry rebuild-ledger reads it"
        screen.problem(plain(f"the ledger knows nothing of what is in {folder}; {cure}"))


def unknown_folders(config: Config, accounts: Sequence[Account], ledger: Ledger) -> list[Path]:
    """Return folders of these accounts that hold something, of which the ledger has never heard."""
    from migrator.wiring.account import destination_of

    known = ledger.archive.known_destinations()
    places = [place for account in accounts for place in account.destinations]
    unknown = [place for place in places if destination_of(place, config.state_dir).identity not in known]
    return _with_files(unknown)


def _with_files(places: Iterable[Destination]) -> list[Path]:
    from migrator.config import ImapDestination

    folders = dict.fromkeys(place.path for place in places if not isinstance(place, ImapDestination))
    return [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
