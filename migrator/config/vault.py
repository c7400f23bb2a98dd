"""Passwords that were typed into the page: sealed, each bound to its owner and what it is for, in one file.

``state_dir/secrets/vault.json``, 0600, replaced as a whole. Each value is sealed by AES-256-GCM under a data key, with
its name as associated data, so that none can be put in the place of another. The data key stands there sealed under the
master key (``vault_key``), which is never in the state folder, and under the recovery key, if one was made. A backup
may hold this file: without one of these keys it tells nobody anything but names and dates.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from migrator.config.vault_key import VAULT, KeyPlaces, MasterKey
from migrator.errors import Advice, FerryError, Kind
from migrator.files import Device, LockTimeout, lock_file, make_folder, replace_file, storage_error
from migrator.lazy_dataclasses import asdict, dataclass, field, replace

if TYPE_CHECKING:
    from migrator.config.model import Config

_NONCE_OCTETS = 12
_KEY_OCTETS = 32
_GROUP = 4


@dataclass(frozen=True, slots=True)
class Sealed:
    """Something sealed, in base64. ``by`` is the id of the master key that sealed it, empty for the others."""

    nonce: str
    content: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One password as it stands in the file, and who has set it when."""

    sealed: Sealed
    set_at: float
    set_by: str


@dataclass(frozen=True, slots=True)
class Content:
    """The whole file. ``number`` is new with each vault, and part of what its keys are sealed with."""

    number: str
    master: Sealed
    recovery: Sealed | None = None
    recovery_made_at: float = 0.0
    entries: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vault:
    """The vault of one state folder; any number of processes may use it at one time."""

    path: Path
    keys: KeyPlaces

    def content(self) -> Content | None:
        """Return what stands in the file, sealed; None where there is none. Raises ``archive`` if it cannot be read."""
        try:
            return _read(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error(error, f"reading the vault {self.path}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FerryError(
                Kind.AUTH,
                f"the vault {self.path} is damaged: it cannot be read",
                cure="put it back from a backup; or begin another one (mailferry vault begin-again) and type the"
                " passwords again",
                advice=Advice.LATER,
                finding="secret-missing",
            ) from error

    def entry(self, name: str) -> Entry | None:
        """Return who has set a password and when, None where there is none of that name."""
        content = self.content()
        return content.entries.get(name) if content else None

    def reveal(self, name: str) -> str:
        """Return a password. Raises ``auth`` (finding ``secret-missing``) where it or the master key cannot be had."""
        content = self.content()
        entry = content.entries.get(name) if content else None
        if content is None or entry is None:
            raise _missing(f"there is no password {name} in the vault", "type it into the page again")
        key, _ = self._opened(content)
        try:
            return _unseal(key, entry.sealed, _bound_to(name)).decode(errors="surrogateescape")
        except InvalidTag:
            raise _missing(
                f"the password {name} in the vault is damaged, or was put in the place of another",
                "type it into the page again",
            ) from None

    def keep(self, name: str, value: str, now: float, by: str) -> None:
        """Keep a password under a name, in place of one before; durable on return.

        The vault, and its master key, are made where there is none. Raises ``FerryError``.
        """
        with self._writing():
            content = self.content()
            content, key = self._begun() if content is None else self._under_best(content)
            sealed = _seal(key, value.encode(errors="surrogateescape"), _bound_to(name))
            self._write(replace(content, entries={**content.entries, name: Entry(sealed, now, by)}))

    def forget(self, names: Collection[str]) -> None:
        """Remove passwords; harmless where they are not there. Durable on return."""
        self.sweep(lambda name: name not in names)

    def sweep(self, keeps: Callable[[str], bool]) -> None:
        """Remove every password whose name is not to be kept; durable on return."""
        with self._writing():
            content = self.content()
            if content is None or all(map(keeps, content.entries)):
                return
            left = {name: entry for name, entry in content.entries.items() if keeps(name)}
            self._write(replace(content, entries=left))

    def new_recovery_key(self, now: float) -> str:
        """Return a recovery key, in groups of four letters, which is kept nowhere; one before opens nothing any more.

        It opens the vault where the master key is lost (``recover``). Makes the vault where there is none.
        """
        with self._writing():
            content = self.content()
            content, key = self._begun() if content is None else self._under_best(content)
            own = secrets.token_bytes(_KEY_OCTETS)
            sealed = _seal(own, key, _bound_to_recovery(content.number))
            self._write(replace(content, recovery=sealed, recovery_made_at=now))
        return _in_groups(own)

    def recover(self, written: str) -> None:
        """Have the master key that is there now, or a new one, open the vault, for somebody who has the recovery key.

        Durable on return. Raises ``auth`` where that is not its recovery key, or it has none.
        """
        with self._writing():
            content = self.content()
            if content is None or content.recovery is None:
                raise _missing("there is no vault here that has a recovery key", "type the passwords again")
            try:
                key = _unseal(_from_groups(written), content.recovery, _bound_to_recovery(content.number))
            except (InvalidTag, ValueError):
                raise _missing(
                    "that is not the recovery key of this vault",
                    "look for a typing mistake; only the last one made fits",
                ) from None
            self._write(replace(content, master=_sealed_by(self.keys.best(), key, content.number)))

    def set_aside(self) -> Path | None:
        """Give the file another name, so that the next password begins a new vault; returns it, None where none was."""
        with self._writing():
            if not self.path.exists():
                return None
            aside = next(
                path
                for n in range(1, 10_000)
                if not (path := self.path.with_name(f"{self.path.name}.{n}.aside")).exists()
            )
            self.path.rename(aside)
            return aside

    def master(self) -> MasterKey | None:
        """Return the key that opens the vault, None where there is no vault; raises ``auth`` where it is not there."""
        content = self.content()
        return self._opened(content)[1] if content else None

    def _opened(self, content: Content) -> tuple[bytes, MasterKey]:
        """Return the data key, and the master key that opened it."""
        found = list(self.keys.found())
        master = next((key for key in found if key.id == content.master.by), None)
        if master is None:
            what = "is another one than that of this vault" if found else "is not there"
            raise _missing(
                f"the key of the vault {what}",
                "put the right one back, or give the recovery key: mailferry vault recover",
            )
        try:
            return _unseal(master.octets, content.master, _bound_to_master(content.number)), master
        except InvalidTag:
            raise _missing(
                f"the vault {self.path} is damaged: its key does not open it", "put it back from a backup"
            ) from None

    def _begun(self) -> tuple[Content, bytes]:
        """Return an empty vault and its data key, nothing written but the master key where there was none."""
        key, number = secrets.token_bytes(_KEY_OCTETS), secrets.token_hex(16)
        return Content(number, _sealed_by(self.keys.best(), key, number)), key

    def _under_best(self, content: Content) -> tuple[Content, bytes]:
        """Return the vault under the master key of the first choice, which may be a new one, and its data key."""
        key, master = self._opened(content)
        best = self.keys.best()
        is_same = master.id == best.id
        return content if is_same else replace(content, master=_sealed_by(best, key, content.number)), key

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with lock_file(self.path.with_suffix(".lock"), LockTimeout(), Device(), "the vault"):
            yield

    def _write(self, content: Content) -> None:
        text = json.dumps({"version": 1, **asdict(content)}, indent=1, sort_keys=True) + "\n"
        try:
            make_folder(self.path.parent)
            self.path.parent.chmod(0o700)
            with replace_file(self.path) as file:
                file.write(text.encode())
        except OSError as error:
            raise storage_error(error, f"writing the vault {self.path}") from error


def vault_of(config: Config) -> Vault:
    """Return the vault of an installation."""
    configured = config.web.vault_key if config.web else None
    beside = config.path.absolute().parent if config.path else None
    return Vault(config.state_dir / VAULT, KeyPlaces(config.state_dir, configured, beside))


def _sealed_by(master: MasterKey, key: bytes, number: str) -> Sealed:
    return replace(_seal(master.octets, key, _bound_to_master(number)), by=master.id)


def _seal(key: bytes, content: bytes, bound_to: bytes) -> Sealed:
    nonce = secrets.token_bytes(_NONCE_OCTETS)
    return Sealed(_text(nonce), _text(AESGCM(key).encrypt(nonce, content, bound_to)))


def _unseal(key: bytes, sealed: Sealed, bound_to: bytes) -> bytes:
    return AESGCM(key).decrypt(base64.b64decode(sealed.nonce), base64.b64decode(sealed.content), bound_to)


def _bound_to(name: str) -> bytes:
    """Return what binds a password to its owner and field: ``OWNER/FIELD``."""
    owner, _, what = name.rpartition("/")
    return f"mailferry password\0{owner}\0{what}".encode()


def _bound_to_master(number: str) -> bytes:
    return f"mailferry vault\0{number}".encode()


def _bound_to_recovery(number: str) -> bytes:
    return f"mailferry vault recovery\0{number}".encode()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _in_groups(octets: bytes) -> str:
    letters = base64.b32encode(octets).decode().rstrip("=")
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def _from_groups(written: str) -> bytes:
    """Read a recovery key as a person types it: in any case and grouping, with 0 for O and 1 for I. ``ValueError``."""
    letters = "".join(letter for letter in written if letter.isalnum()).upper()
    try:
        octets = base64.b32decode(letters + "=" * (-len(letters) % 8), map01="I")
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("no recovery key") from error
    if len(octets) != _KEY_OCTETS:
        raise ValueError("no recovery key")
    return octets


def _missing(message: str, cure: str) -> FerryError:
    return FerryError(Kind.AUTH, message, cure=cure, advice=Advice.LATER, finding="secret-missing")


def _read(document: Mapping[str, object]) -> Content:
    """Return the content of a file; raises what it likes for anything else."""
    if document["version"] != 1:
        raise ValueError("written by a newer mailferry")
    recovery, entries = document["recovery"], document["entries"]
    made_at = document["recovery_made_at"]
    if not isinstance(entries, Mapping) or not isinstance(made_at, int | float):
        raise TypeError("no vault")
    return Content(
        str(document["number"]),
        _sealed(document["master"]),
        _sealed(recovery) if recovery is not None else None,
        float(made_at),
        {str(name): _entry(one) for name, one in entries.items()},
    )


def _entry(written: Mapping[str, object]) -> Entry:
    set_at = written["set_at"]
    if not isinstance(set_at, int | float):
        raise TypeError("no moment")
    return Entry(_sealed(written["sealed"]), float(set_at), str(written["set_by"]))


def _sealed(written: object) -> Sealed:
    if not isinstance(written, Mapping):
        raise TypeError("nothing sealed")
    nonce, content, by = str(written["nonce"]), str(written["content"]), str(written["by"])
    for part in (nonce, content):
        base64.b64decode(part, validate=True)
    return Sealed(nonce, content, by)
