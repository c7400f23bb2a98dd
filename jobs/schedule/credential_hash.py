"""Keyed hashes of what an account logs in with, so that a parked one notices a change.

The key stays in the state folder (0600), never in the ledger: neither the ledger nor a backup of it can be used to
guess a password. Nothing here can be turned back into a configuration or a password.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from migrator.config import Account, Config
from migrator.config.problems import Place
from migrator.config.secrets import Secret
from migrator.config.settings import is_setting
from migrator.files import replace_file
from migrator.lazy_dataclasses import fields, is_dataclass

KEY_FILE = "parking.key"


class Fingerprints:
    """Hashes under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_state_dir(cls, state_dir: Path) -> Fingerprints:
        """Use the key of a state folder, made if there is none; losing it only makes parked accounts try once more."""
        return cls(cls.key_of(state_dir))

    @staticmethod
    def key_of(state_dir: Path) -> bytes:
        """Return the key of a state folder, made if there is none. Several workers of one ledger need the same."""
        path = state_dir / KEY_FILE
        if not path.exists():
            with replace_file(path) as file:  # one worker at a time, by its lock: nobody else makes a key
                file.write(secrets.token_bytes(32))
        return path.read_bytes()

    def configured(self, account: Account, config: Config) -> str:
        """Hash all that is configured for an account, and when it is worked; passwords are not fetched."""
        schedule = account.schedule or config.schedule
        return self._hash([_written(account), _written(schedule)])

    def current(self, account: Account, config: Config) -> str:
        """Hash what is configured together with the passwords as they are now. Tokens are known by their sign-in."""
        return self._hash([self.configured(account, config), *account.secret_identities()])

    def _hash(self, parts: Sequence[str]) -> str:
        text = "\0".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._key, text.encode(errors="surrogateescape"), "sha256").hex()


_PLAIN = frozenset({str, int, bool, type(None)})


def _written(value: object) -> str:
    """Write a configured value so that equal ones look equal. The result holds secrets: it is only ever hashed."""
    kind: type = type(value)
    if kind in _PLAIN:
        return repr(value)
    names = _field_names(kind)
    if names is not None:
        inner = [f"{name}={_written(getattr(value, name))}" for name in names]
        return f"{kind.__name__}({', '.join(inner)})"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_written, value)))}}}"
    return repr(value)


@cache
def _field_names(kind: type) -> Sequence[str] | None:
    if issubclass(kind, Place):
        return ()  # where an account is written changes nothing about it, and differs from machine to machine
    if issubclass(kind, Secret):
        return sorted(name for name in getattr(kind, "__dataclass_fields__", {}) if not name.startswith("_"))
    return [field.name for field in fields(kind) if is_setting(field)] if is_dataclass(kind) else None
