"""Change an account that stands in a file of its own which this program wrote.

The new text is checked with the whole configuration before anything is written, and what stands in the file is compared
with what the change was made from: where a person has changed it meanwhile, nothing is written. A file is replaced as
a whole; what stood there before is kept, the last ten times. A new password is in the vault, under a name of its own,
before the file names it, so that a crash anywhere leaves the account as it was or as it is to be.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.config import account_files
from migrator.config.document import text_of
from migrator.config.new_account import MARK
from migrator.config.secrets import TextSecret
from migrator.config.vault import vault_of
from migrator.config.vault_secret import VaultSecret
from migrator.errors import ConfigError, FerryError
from migrator.files import Device, LockTimeout, lock_file, make_folder, replace_file, storage_error
from migrator.lazy_dataclasses import dataclass, replace
from migrator.operations.account_list import forget_unused
from migrator.operations.add_account import look
from migrator.wiring.account import destination_of
from migrator.wiring.stored_accounts import load_instead

if TYPE_CHECKING:
    from typing import TypeVar

    from migrator.config import Account, Config, Destination, Source

    AnyEnd = TypeVar("AnyEnd", bound=Source | Destination)

VERSIONS = "versions"
"""The folder, below ``state_dir``, of what stood in the files before."""
MOST_VERSIONS = 10


class Why(StrEnum):
    """Why an account is not changed here."""

    NO_FILE = "no file"
    """It stands in no configuration file."""
    SHEET = "sheet"
    """It is a row of an ``accounts_file``."""
    BY_HAND = "by hand"
    """A person wrote the file that it stands in."""
    NOT_WRITTEN = "not written"
    """The file may not be written."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An account that is not changed here, and where it stands: file and line."""

    why: Why
    where: str = ""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """The file of an account that is changed here, with what stood in it when it was read."""

    path: Path
    text: str


class ConflictError(Exception):
    """The file has changed since it was read; nothing was written. ``theirs`` is what stands there now."""

    def __init__(self, theirs: str) -> None:
        super().__init__("the file has changed")
        self.theirs = theirs


def own_file(account: Account) -> OwnFile | Elsewhere:
    """Return the file in which an account is changed here, or where it stands otherwise."""
    place = account.place
    if place is None or not place.file:
        return Elsewhere(Why.NO_FILE)
    where = place.where()
    if account.is_row:
        return Elsewhere(Why.SHEET, where)
    path = Path(place.file).absolute()
    try:
        text = text_of(path)
    except ConfigError:
        return Elsewhere(Why.NOT_WRITTEN, where)
    if path.parent.name != account_files.FOLDER or not text.startswith(f"# {MARK}"):
        return Elsewhere(Why.BY_HAND, where)
    may_be_written = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return OwnFile(path, text) if may_be_written else Elsewhere(Why.NOT_WRITTEN, where)


def checked(own: OwnFile, text: str, name: str, config: Config) -> tuple[Config, Account]:
    """Return the configuration, and the account, as they will be with another text; raises ``ConfigError``."""
    if config.path is None:
        raise ConfigError(["there is no configuration file"])
    after = load_instead(config.path, own.path, text)
    found = after.named(name)
    if found is None:
        raise ConfigError([f'{own.path}: the account "{name}" is not there any more'])
    return after, found


def with_passwords(account: Account, typed: Mapping[str, str]) -> Account:
    """Return an account that logs in with passwords, by their names, that are not in the vault yet."""

    def with_typed(end: AnyEnd) -> AnyEnd:
        secret = getattr(end, "password", None)
        value = typed.get(secret.name) if isinstance(secret, VaultSecret) else None
        changes: dict[str, Any] = {} if value is None else {"password": TextSecret(value)}
        return replace(end, **changes)

    return replace(
        account,
        source=with_typed(account.source),
        destinations=tuple(map(with_typed, account.destinations)),
    )


def try_ends(account: Account, places: Sequence[Destination], state_dir: Path, *, source: bool) -> list[FerryError]:
    """Log in at the source, if that is wanted, and at some destinations; returns why some do not answer."""
    failed = []
    for end in [None, *places] if source else places:
        try:
            if end is None:
                look(account)
            else:
                with closing(destination_of(end, state_dir)) as destination:
                    destination.probe()
        except FerryError as error:
            failed.append(error)
    return failed


def free_name(account: str, what: str, config: Config, besides: Collection[str] = ()) -> str:
    """Return a name for a password that none in the vault has, nor any of some others: ``alice/source-2``."""
    content = vault_of(config).content()
    taken = {*(content.entries if content else ()), *besides}
    return next(name for number in range(1, len(taken) + 2) if (name := f"{account}/{what}-{number}") not in taken)


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and when."""

    name: str
    now: float


def save(own: OwnFile, text: str, account: Account, typed: Mapping[str, str], config: Config, author: Author) -> None:
    """Write the file of an account, and the passwords that its new text names; durable on return, or all is as it was.

    Raises ``ConflictError`` where the file is not as it was read, ``ConfigError`` where the new text is not right,
    ``FerryError`` where nothing can be written.
    """
    lock = lock_file(
        config.state_dir / "locks" / "config.lock", LockTimeout(), Device(), f"the change of {account.name}"
    )
    with lock, ExitStack() as undo:
        if (theirs := _text(own.path)) != own.text:
            raise ConflictError(theirs)
        after, changed = checked(own, text, account.name, config)
        vault = vault_of(config)
        for name, value in typed.items():
            undo.callback(vault.forget, [name])
            vault.keep(name, value, author.now, author.name)
        try:
            keep_version(own, account, config)
            with replace_file(own.path) as file:
                file.write(text.encode())
        except OSError as error:
            if _text(own.path) == text:  # it stands there, though nobody knows for how long: so must its passwords
                undo.pop_all()
            raise storage_error(error, f"writing {own.path}", read_only="state-read-only") from error
        undo.pop_all()  # from here on the account is as it is to be
        with suppress(FerryError, OSError):  # what is left over is sealed, and goes with the next change
            _tidy(account, changed, after)


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except ConfigError:
        return ""  # it is gone, or no text any more: not as it was read


def _tidy(before: Account, after: Account, config: Config) -> None:
    """Forget the passwords that this account has no more, and that no other one uses."""
    used = {secret.name for one in config.accounts for secret in one.secrets() if isinstance(secret, VaultSecret)}
    vault_of(config).sweep(lambda name: not name.startswith(f"{after.name}/") or name in used)
    forget_unused(before.secrets(), config.accounts)


@dataclass(frozen=True, slots=True)
class Version:
    """What stood in the file of an account until it was changed."""

    number: int
    at: float
    text: str


def versions(account: Account, config: Config) -> list[Version]:
    """Return what stood in the file before, the newest first."""
    found = []
    for path in sorted(_folder_of(account, config).glob("*.toml"), reverse=True):
        with suppress(OSError, ValueError):
            text = path.read_text(encoding="utf-8")
            found.append(Version(int(path.stem), path.stat().st_mtime, text))
    return found


def keep_version(own: OwnFile, account: Account, config: Config) -> None:
    """Keep what stands in the file, durably, and drop the oldest of more than ten."""
    keep_text(_folder_of(account, config), own.text)


def keep_text(folder: Path, text: str) -> None:
    """Keep a text in a folder of versions, durably, and drop the oldest of more than ten."""
    make_folder(folder)
    known = sorted(path for path in folder.glob("*.toml") if path.stem.isdecimal())
    number = int(known[-1].stem) + 1 if known else 1
    with replace_file(folder / f"{number:08}.toml") as file:
        file.write(text.encode())
    for path in known[: max(0, len(known) + 1 - MOST_VERSIONS)]:
        path.unlink(missing_ok=True)


def _folder_of(account: Account, config: Config) -> Path:
    return config.state_dir / VERSIONS / account.file_name
