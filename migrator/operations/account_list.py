"""Who is worked: the configured accounts, which of them are paused or parked, and taking one out of the configuration.

Every copy, and what the ledger knows, stays as it is whatever is done here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import account_files
from migrator.config.oauth_secret import OAuthSecret
from migrator.config.secrets import FileSecret, KeyringSecret
from migrator.config.vault_secret import VaultSecret
from migrator.errors import ConfigError, FerryError
from migrator.files import Device, sync_folder
from migrator.lazy_dataclasses import dataclass
from migrator.operations.kept_secrets import forget_keyring, is_kept_file
from migrator.wiring.account import label_of
from migrator.wiring.ledger import ledger_to_look_at
from migrator.wiring.stored_accounts import remove_stored

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.config.secrets import Secret
    from migrator.ledger import Ledger

PAUSED = "paused"
"""The topic under which the ledger remembers which accounts a person has paused."""


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """One account as ``accounts`` shows it. ``file`` is where it stands, empty where it stands in no file."""

    name: str
    host: str
    port: int
    username: str
    destinations: tuple[str, ...]
    file: str
    is_paused: bool = False
    is_parked: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the contract's object."""
        return {
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "username": self.username,
            "destinations": list(self.destinations),
            "paused": self.is_paused,
            "parked": self.is_parked,
            "file": self.file,
        }


def list_accounts(config: Config, ledger: Ledger | None, parked: Collection[str] = ()) -> list[ListedAccount]:
    """Return every configured account; the ledger is None where there is none yet."""
    paused = paused_accounts(ledger) if ledger else frozenset()
    return [
        ListedAccount(
            account.name,
            account.source.host,
            account.source.port,
            account.source.username,
            tuple(label_of(place) for place in account.destinations),
            account.place.file if account.place else "",
            account.name in paused,
            account.name in parked,
        )
        for account in config.accounts
    ]


def paused_accounts(ledger: Ledger) -> frozenset[str]:
    """Return the names of the accounts that a person has paused."""
    return frozenset(ledger.state_store.get_all(PAUSED))


def unpaused_accounts(config: Config) -> tuple[Sequence[Account], Sequence[str]]:
    """Return the accounts that are worked when none is named, and the names of those that a person has paused.

    A ledger that cannot be read has nobody paused: who works the accounts reports it.
    """
    try:
        ledger = ledger_to_look_at(config)
        if ledger is None:
            return config.accounts, ()
        with closing(ledger):
            paused = paused_accounts(ledger)
    except FerryError:
        return config.accounts, ()
    if not paused:
        return config.accounts, ()
    worked = [account for account in config.accounts if account.name not in paused]
    return worked, [name for name in config.names() if name in paused]


def pause(accounts: Sequence[Account], ledger: Ledger, now: float) -> None:
    """Let these accounts be worked only when they are named; durable on return, and heard by a running worker."""
    for account in accounts:
        ledger.state_store.put(PAUSED, account.name, {"since": now})


def resume(accounts: Sequence[Account], ledger: Ledger) -> frozenset[str]:
    """Let these accounts be worked as usual again; durable on return, and heard by a running worker.

    Returns the names of those that were paused.
    """
    paused = paused_accounts(ledger)
    for account in accounts:
        ledger.state_store.delete(PAUSED, account.name)
    return paused.intersection(account.name for account in accounts)


@dataclass(frozen=True, slots=True)
class RemovedAccount:
    """What was taken away, from which file or database, and where its mail still is."""

    name: str
    file: str
    kept: tuple[str, ...]


def remove(account: Account, config: Config) -> RemovedAccount:
    """Take the file of an account away, and the password and sign-ins that were kept for it alone; durable on return.

    One that is kept in the ledger's database is taken out there. Raises ``ConfigError``, naming the place, for an
    account that stands in the configuration itself or in a sheet.
    """
    place = account.place
    if place is not None and place.is_stored:
        remove_stored(config.ledger, account.name)
    elif place is not None and Path(place.file).parent.name == account_files.FOLDER:
        Path(place.file).unlink()
        sync_folder(Path(place.file).parent, Device())
        _forget_password(account, config)
    else:
        where = place.where() if place else "the command line"
        raise ConfigError([f'account "{account.name}" stands in {where}: take it out there'])
    _forget_sign_ins(account, config)
    return RemovedAccount(account.name, place.file, tuple(label_of(one) for one in account.destinations))


def _forget_password(account: Account, config: Config) -> None:
    """Remove the passwords that were kept for this account and that no other one uses."""
    others = [other for other in config.accounts if other.name != account.name]
    forget_unused(account.secrets(), others)


def forget_unused(secrets: Sequence[Secret], accounts: Sequence[Account]) -> None:
    """Remove those of some passwords that this program was given to keep, and that none of the accounts uses."""
    used = {one for account in accounts for one in account.secrets()}
    for secret in secrets:
        match secret:
            case _ if secret in used:
                continue
            case FileSecret(path) if is_kept_file(path):
                path.unlink(missing_ok=True)
            case KeyringSecret(service, username):
                forget_keyring(service, username)
            case VaultSecret(name):
                secret.vault().forget([name])
            case _:
                continue


def _forget_sign_ins(account: Account, config: Config) -> None:
    """Remove the sign-ins that no other account uses."""
    used = {key for other in config.accounts if other.name != account.name for key in _sign_ins(other)}
    for key, secret in _sign_ins(account).items():
        if key not in used:
            secret.signed_in().forget()


def _sign_ins(account: Account) -> dict[str, OAuthSecret]:
    secrets = [secret for secret in account.secrets() if isinstance(secret, OAuthSecret)]
    return {secret.provider.key_for(secret.user): secret for secret in secrets}
