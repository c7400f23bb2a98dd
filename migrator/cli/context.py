"""What most commands begin with: the configuration, the ledger of an archive, a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.ui.console import Console


def configuration(arguments: Namespace, screen: Console, *, is_to_find_out: bool = False) -> Config:
    """Return the configuration that the command line means, all of it checked; tell its warnings.

    With ``--state-dir`` it is the one that ``migrate --from … --to …`` left there. Raises ``FerryError`` where accounts
    are kept in a database that cannot be read, unless the command is there to find out what is wrong.
    """
    from migrator.wiring.stored_accounts import load_quickly

    config = load_quickly(_file(arguments))
    if config.unread is not None and not is_to_find_out:
        raise config.unread
    return _shown(config, screen)


def configuration_in_files(arguments: Namespace, screen: Console) -> Config:
    """Return the configuration without the accounts that are kept in a database, for a command that needs none."""
    from migrator.config.loading import load_quickly

    return _shown(load_quickly(_file(arguments)), screen)


def _shown(config: Config, screen: Console) -> Config:
    for warning in config.warnings:
        screen.note(f"warning: {warning}")
    mask_secrets(config, screen)
    return config


def configuration_to_work(arguments: Namespace, screen: Console) -> Config:
    """Return the configuration, for a command that works accounts: servers of rows without a host are looked for."""
    config = configuration(arguments, screen)
    if any(row.lacks_host for row in config.bad_rows):
        from migrator.operations.find_servers import find_servers

        screen.note("Looking for the servers of addresses ...")
        config = find_servers(config)
    return config


def show_bad_rows(config: Config, screen: Console) -> None:
    """Name the rows of the sheet that are no accounts."""
    for row in config.bad_rows:
        screen.problem(plain(row.problem))


def _file(arguments: Namespace) -> Path:
    from migrator.config import find_config
    from migrator.config.one_shot import config_in

    state_dir: Path | None = getattr(arguments, "state_dir", None)
    if state_dir is None:
        return find_config(arguments.config)
    if arguments.config is not None:
        raise ConfigError(["--state-dir: goes in place of -c, not with it"])
    return config_in(state_dir.expanduser())


def as_named(arguments: Namespace) -> str:
    """Return how the configuration was named, to be written into a command line behind its verb; empty if not."""
    import shlex

    for option, path in (("-c", arguments.config), ("--state-dir", getattr(arguments, "state_dir", None))):
        if path is not None:
            return f" {option} {shlex.quote(str(path))}"
    return ""


def mask_secrets(config: Config, screen: Console) -> None:
    """Have the screen write stars for every password that stands in the configuration or the environment."""
    from migrator.config.secrets import EnvironmentSecret, TextSecret

    for account in config.accounts:
        for secret in account.secrets():
            if isinstance(secret, TextSecret | EnvironmentSecret):
                with suppress(FerryError):  # one that cannot be had is named when somebody logs in with it
                    screen.mask([secret.reveal()])


def with_passwords(config: Config, accounts: Sequence[Account]) -> None:
    """Make sure, before anything is touched, that each password's source is there; raises ``ConfigError``.

    An account of a sheet fails by itself, when it is worked.
    """
    alone = [account for account in accounts if not account.is_row]
    if alone and (missing := config.missing_secrets(alone)):
        raise ConfigError(missing)


def archive_ledger(config: Config, screen: Console, *, only_to_read: bool = False) -> Ledger | None:
    """Open the ledger for a command that reads the archive; None, which is said, where nothing is archived."""
    from migrator.wiring.ledger import ledger_of_archive

    ledger = ledger_of_archive(config, only_to_read=only_to_read)
    if ledger is None:
        screen.note("Nothing has been archived yet.")
    else:
        _show_what_is_read(config, ledger, screen)
    return ledger


def needed_ledger(config: Config, screen: Console, *, only_to_read: bool = False) -> Ledger:
    """Open the ledger for a command that can do nothing without one; raises ``ConfigError`` where there is none."""
    from migrator.wiring.ledger import existing_ledger

    ledger = existing_ledger(config, only_to_read=only_to_read)
    if ledger is None:
        raise ConfigError(["there is no ledger yet; if there is an archive, `mailferry rebuild-ledger` reads it"])
    _show_what_is_read(config, ledger, screen)
    return ledger


def _show_what_is_read(config: Config, ledger: Ledger, screen: Console) -> None:
    if ledger.is_read_only:
        screen.note(plain(f"{config.state_dir} cannot be written: it is only read, and nothing is remembered"))
    show_unknown_folders(config, ledger, screen)


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
