"""``mailferry backup-state``: ledger and configuration in one file, consistent while everything runs.

Passwords that stand in the configuration are replaced by stars; the key that parked accounts are compared with is left
out. docs/operations.md says how to restore.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError
from migrator.ledger import FILE_NAME
from migrator.ui.text import size

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Write the file, all of it or none."""
    config = configuration(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise ConfigError([f"state_dir {config.state_dir}: there is no ledger to back up"])
    path: Path = arguments.path.absolute()
    if not path.parent.is_dir():
        raise ConfigError([f"{path}: the folder {path.parent} is not there"])
    with closing(ledger):
        left_out = _write(path, config, ledger)
    for name in left_out:
        screen.note(f"warning: {name} was left out: its passwords could not be told from the rest; back it up by hand")
    written = path.stat().st_size
    if screen.is_json:
        screen.document({"path": str(path), "bytes": written, "left_out": left_out})
    screen.result(f"{path}: {size(written)}; docs/operations.md says how to restore it")
    return DONE


def _write(path: Path, config: Config, ledger: Ledger) -> list[str]:
    from migrator.config.redaction import without_passwords

    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".mailferry-", dir=path.parent) as folder:
        copy, fresh = Path(folder, FILE_NAME), Path(folder, "backup")
        ledger.copy_to(copy)
        with fresh.open("xb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            tar.add(copy, FILE_NAME, filter=_plain)
            for source in config.files:
                text = without_passwords(source)
                if text is None:
                    left_out.append(source.name)
                else:
                    _add(tar, source.name, text)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.chmod(0o600)
        fresh.replace(path)
    return left_out


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
    tar.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member
