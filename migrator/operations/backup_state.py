"""Ledger, configuration and vault in one file, consistent while everything runs.

The vault is sealed and its key is left out, as is the key that parked accounts are compared with. docs/operations.md
says how to restore.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config.account_files import FOLDER
from migrator.config.vault_key import VAULT
from migrator.errors import ConfigError
from migrator.files import replace_file
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import FILE_NAME

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger

Redact = Callable[[Path], str | None]
"""Returns the text of a configuration file without its passwords; None where they cannot be found in it."""


@dataclass(frozen=True, slots=True)
class StateBackup:
    """The file that was written; ``left_out`` are files of the configuration that could not be put into it.

    ``ledger_by`` is the command that backs up a ledger which is no file, and is not in this one.
    """

    path: Path
    octets: int
    left_out: tuple[str, ...]
    ledger_by: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the document of ``backup-state``."""
        return {"path": str(self.path), "bytes": self.octets, "left_out": list(self.left_out)}


def backup_state(
    path: Path, config: Config, ledger: Ledger, redact: Redact, *, clock: Callable[[], float] = time.time
) -> StateBackup:
    """Write the file, all of it or none, in place of one that is there; raises ``ConfigError`` without its folder."""
    path = path.absolute()
    if not path.parent.is_dir():
        raise ConfigError([f"{path}: the folder {path.parent} is not there"])
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".mailferry-", dir=path.parent) as folder:
        copy = Path(folder, FILE_NAME)
        if not ledger.backup_command():
            ledger.copy_to(copy)
        with replace_file(path) as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            if copy.exists():
                tar.add(copy, FILE_NAME, filter=_plain)
            for source in config.files:
                text, name = redact(source), _name(source)
                if text is None:
                    left_out.append(name)
                else:
                    _add(tar, name, text, clock())
            if (vault := config.state_dir / VAULT).is_file():
                _add(tar, VAULT, vault.read_text(encoding="utf-8"), clock())
    return StateBackup(path, path.stat().st_size, tuple(left_out), ledger.backup_command())


def _name(source: Path) -> str:
    """Return what a file of the configuration is called in the backup."""
    return f"{FOLDER}/{source.name}" if source.parent.name == FOLDER else source.name


def _add(tar: tarfile.TarFile, name: str, text: str, now: float) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(now)
    tar.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member
