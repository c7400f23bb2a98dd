"""A password that stands in the vault: ``password = { vault = "alice/source-1" }``. The page writes it so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config.secrets import Secret
from migrator.config.vault_key import KeyPlaces
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from migrator.config.vault import Vault


@dataclass(frozen=True, slots=True, repr=False)
class VaultSecret(Secret):
    """What a vault holds under a name."""

    name: str
    path: Path
    keys: KeyPlaces

    @property
    def source(self) -> str:
        """Name the place."""
        return f"the password {self.name} in the vault"

    def vault(self) -> Vault:
        """Return the vault."""
        from migrator.config.vault import Vault  # what it is made of takes a while to import

        return Vault(self.path, self.keys)

    def _fetch(self) -> str:
        return self.vault().reveal(self.name)

    def missing(self) -> str | None:
        """Say that the vault has no such password, if so."""
        try:
            return None if self.vault().entry(self.name) else f"{self.source} is not there"
        except FerryError as error:
            return error.message

    def identity(self, *, is_fresh_each_time: bool = False) -> str:  # noqa: ARG002  # a person has typed it
        """Return what changes whenever a person sets it again; needs no key."""
        try:
            entry = self.vault().entry(self.name)
        except FerryError:
            return "cannot be had"
        return f"sealed as {entry.sealed.nonce}" if entry else "is not there"
