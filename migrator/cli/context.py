"""What most commands begin with: the configuration, the ledger of an archive, a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ledger import Ledger
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
                with suppress(FerryError):  # one that cannot be had is named when somebody logs in with it
                    screen.mask([secret.reveal()])


def with_passwords(config: Config, accounts: Sequence[Account]) -> None:
    """Make sure, before anything is touched, that each password's source is there; raises ``ConfigError``."""
    if missing := config.missing_secrets(accounts):
        raise ConfigError(missing)


def archive_ledger(config: Config, screen: Console) -> Ledger | None:
    """Open the ledger for a command that reads the archive; None, which is said, where nothing is archived."""
    from migrator.wiring.ledger import ledger_of_archive

    ledger = ledger_of_archive(config)
    if ledger is None:
        screen.note("Nothing has been archived yet.")
    else:
        show_unknown_folders(config, ledger, screen)
    return ledger


def needed_ledger(config: Config, screen: Console) -> Ledger:
    """Open the ledger for a command that can do nothing without one; raises ``ConfigError`` where there is none."""
    from migrator.wiring.ledger import existing_ledger

    ledger = existing_ledger(config)
    if ledger is None:
        raise ConfigError(["there is no ledger yet; if there is an archive, `mailferry rebuild-ledger` reads it"])
    show_unknown_folders(config, ledger, screen)
    return ledger


def show_unknown_folders(config: Config, ledger: Ledger, screen: Console) -> None:
    """Say which folders hold something that a command about the archive will pass over."""
    from migrator.wiring.ledger import unknown_folders

    for folder in unknown_folders(config, config.accounts, ledger):
        cure = "if that is an archive that was moved there, mailferry rebuild-ledger reads it"
        screen.problem(plain(f"the ledger knows nothing of what is in {folder}; {cure}"))


def every(step: int, say: Callable[[int], None]) -> Callable[[int], None]:
    """Return a listener to progress that speaks up each time another ``step`` is reached."""
    said = 0

    def listen(count: int) -> None:
        nonlocal said
        if count // step > said:
            said = count // step
            say(count)

    return listen
