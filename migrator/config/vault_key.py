"""The master key of the vault: where it comes from, and where one is made.

Never inside the state folder: who takes that folder away, or a backup of it, must not have the key with it. In
order: a credential that systemd hands over, the file that ``[web] vault_key`` names, and a file that is made beside the
configuration, or else beside the state folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from migrator.errors import Advice, FerryError, Kind
from migrator.files import replace_file, storage_error
from migrator.lazy_dataclasses import dataclass, field

CREDENTIAL = "mailferry.vault-key"
"""What the credential is called (LoadCredential=, LoadCredentialEncrypted=)."""
FILE_NAME = "vault.key"
VAULT = "secrets/vault.json"
"""The vault itself, below ``state_dir``."""
FEWEST_OCTETS = 32


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key, and where it was found. ``is_fallback``: nobody has said where it is to be kept."""

    octets: bytes = field(repr=False)
    source: str
    is_fallback: bool = False

    @property
    def id(self) -> str:
        """What tells one key from another, and nothing else."""
        return sha256(b"mailferry vault key id" + self.octets).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """Where the key of one installation may be. ``configured`` is ``[web] vault_key``, ``beside`` the configuration."""

    state_dir: Path
    configured: Path | None = None
    beside: Path | None = None

    def found(self) -> Iterator[MasterKey]:
        """Yield the keys that are there, the first choice first; raises ``FerryError`` for one that cannot be read."""
        for path, source, is_fallback in self._places():
            if path.exists():
                yield MasterKey(_key_in(path, source), source, is_fallback)

    def best(self) -> MasterKey:
        """Return the key of the first choice, made (0600, durably) where there is none.

        Raises ``FerryError`` where none can be made.
        """
        if (given := _credential()) is not None and given.exists():
            return MasterKey(_key_in(given, _CREDENTIAL_WORDS), _CREDENTIAL_WORDS)
        if self.configured is not None:
            return self._known_or_made(self.configured, is_fallback=False)
        fallbacks = self.fallbacks()
        for path in [*filter(Path.exists, fallbacks), *fallbacks]:
            if path.exists() or (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
                return self._known_or_made(path, is_fallback=True)
        raise FerryError(
            Kind.INTERNAL,
            "there is no place outside the state folder for the key of the passwords that are typed into the page",
            cure=f"name a file that this program can write, by vault_key in [web], or hand over a credential"
            f" {CREDENTIAL} (docs/web.md)",
        )

    def _known_or_made(self, path: Path, *, is_fallback: bool) -> MasterKey:
        if not path.exists():
            import secrets

            try:
                with replace_file(path) as file:
                    file.write(secrets.token_hex(32).encode() + b"\n")
            except OSError as error:
                raise storage_error(error, f"writing the key of the vault, {path}") from error
        source = f"the file {path}"
        return MasterKey(_key_in(path, source), source, is_fallback)

    def fallbacks(self) -> tuple[Path, ...]:
        """Return the files that may stand in for a place that nobody has named."""
        places = [*([self.beside] if self.beside else []), self.state_dir.absolute().parent]
        files = dict.fromkeys(place.absolute() / FILE_NAME for place in places)
        return tuple(file for file in files if not self.is_inside_state(file))

    def nearby(self, key_id: str) -> Path | None:
        """Return the file that holds the key of this id, if that stands only where nobody has said that it should."""
        for path, source, is_fallback in self._places():
            if path.exists() and MasterKey(_key_in(path, source), source).id == key_id:
                return path if is_fallback else None
        return None

    def is_inside_state(self, path: Path) -> bool:
        """Say whether a file stands in the state folder, whatever symbolic links lead there."""
        inner = self.state_dir.resolve()
        return inner in path.resolve().parents or inner in path.absolute().parents

    def _places(self) -> Iterator[tuple[Path, str, bool]]:
        if (given := _credential()) is not None:
            yield given, _CREDENTIAL_WORDS, False
        if self.configured is not None:
            yield self.configured, f"the file {self.configured}", False
        for path in self.fallbacks():
            yield path, f"the file {path}", True


_CREDENTIAL_WORDS = f"the credential {CREDENTIAL}"


def _credential() -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder, CREDENTIAL) if folder else None


def _key_in(path: Path, source: str) -> bytes:
    """Return a key of 32 octets from whatever stands in a file; a final newline is no part of it."""
    try:
        content = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise FerryError(
            Kind.AUTH,
            f"the key of the vault cannot be read from {source}: {error.strerror}",
            cure="give the user that runs mailferry the right to read it",
            advice=Advice.LATER,
            finding="secret-missing",
        ) from error
    if len(content) < FEWEST_OCTETS:
        raise FerryError(
            Kind.AUTH,
            f"{source} is too short for a key: it needs {FEWEST_OCTETS} octets or more",
            cure="put the right key there; a new one is made by: openssl rand -hex 32",
            advice=Advice.LATER,
            finding="secret-missing",
        )
    return sha256(b"mailferry vault key" + content).digest()
