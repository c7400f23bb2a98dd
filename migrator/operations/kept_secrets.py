"""Keeps a password that a person typed: in the keyring where one works, else in a file of its own, 0600.

Never in the configuration. What is kept for an account has the account's name in its own, so that it goes with it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from migrator.config.new_account import Home, make_own_folder
from migrator.errors import ConfigError
from migrator.files import replace_file
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrator.config.vault import Vault

SECRETS = "secrets"
"""The folder, beside the configuration, of the passwords that this program was given to keep."""
_SERVICE = "mailferry "


class Keeping(Protocol):
    """Keeps the passwords of one account."""

    def keep(self, label: str, username: str, value: str) -> Mapping[str, str]:
        """Store a password durably and return where it comes from, as the configuration writes it."""


@dataclass(frozen=True, slots=True)
class VaultKeeper:
    """Keeps the passwords of one account in the vault, each under a name that was not used before.

    So what an account had until now is not lost before its file names the new one.
    """

    vault: Vault
    account: str
    undo: ExitStack
    now: float
    by: str

    def keep(self, label: str, username: str, value: str) -> Mapping[str, str]:  # noqa: ARG002  # the vault knows owners
        """Store a password durably and return where it comes from; the stack takes it away again."""
        what = label.removeprefix(self.account).lstrip("-") or "source"
        content = self.vault.content()
        names = (f"{self.account}/{what}-{number}" for number in count(1))
        name = next(name for name in names if content is None or name not in content.entries)
        self.undo.callback(self.vault.forget, [name])
        self.vault.keep(name, value, self.now, self.by)
        return {"vault": name}


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where passwords are kept: ``used`` are files that accounts already read theirs from."""

    home: Home
    undo: ExitStack
    used: Collection[Path] = ()

    def keep(self, label: str, username: str, value: str) -> Mapping[str, str]:
        """Store a password durably and return where it comes from, as the configuration writes it.

        The stack takes it away again. A file that no account uses is what a killed call has left, and is replaced.
        Raises ``OSError`` where it cannot be stored, ``ConfigError`` where its file is another account's.
        """
        service = _SERVICE + label
        if _is_in_keyring(service, username, value, self.undo):
            return {"keyring": service}
        folder = self.home.folder / SECRETS
        make_own_folder(folder, self.undo)
        path = folder / label
        if path in self.used:
            raise ConfigError([f"{path} holds the password of another account; choose another --name"])
        self.undo.callback(path.unlink, missing_ok=True)
        with replace_file(path) as file:
            file.write(value.encode())
        return {"file": self.home.written(path)}


def forget_keyring(service: str, username: str) -> None:
    """Remove an entry that this program has made in the keyring; an entry of somebody else stays."""
    if not service.startswith(_SERVICE):
        return
    keyring = _keyring()
    if keyring is not None:
        with suppress(keyring.errors.KeyringError):
            keyring.delete_password(service, username)


def _is_in_keyring(service: str, username: str, value: str, undo: ExitStack) -> bool:
    """Put a password into the keyring and read it back; False where there is none, or it keeps nothing."""
    keyring = _keyring()
    if keyring is None:
        return False
    undo.callback(forget_keyring, service, username)
    try:
        keyring.set_password(service, username, value)
        return bool(keyring.get_password(service, username) == value)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return False


def _keyring() -> Any | None:  # noqa: ANN401  # the package ships no types
    try:
        import keyring
    except ImportError:
        return None
    return keyring


def is_kept_file(path: Path) -> bool:
    """Say whether a password file is one that this program was given to keep."""
    return path.parent.name == SECRETS
