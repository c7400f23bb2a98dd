"""Write archived messages out with a manifest: nothing is overwritten, and one that was cut short goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from migrator.errors import ConfigError
from migrator.interchange.exporter import Exported, Form, disk_errors, export, parts
from migrator.interchange.file_names import safe_names
from migrator.report import OnProgress, no_progress
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.model import Digest

_SINGLE_FILES = {".mbox": Form.MBOX, ".zip": Form.EML}
_PACKED = frozenset({".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
_ONE_MESSAGE = frozenset({".eml", ".emlx", ".msg"})


def export_messages(
    path: Path,
    form: Form,
    accounts: Sequence[Account],
    config: Config,
    ledger: Ledger,
    *,
    wanted: set[Digest] | None = None,
    on_progress: OnProgress = no_progress,
) -> Exported:
    """Write the messages of these accounts (of them, only those ``wanted``) to a path; all is durable on return.

    Raises ``ConfigError`` for a path that does not go with the form.
    """
    refuse_unsuitable(path, form, is_folder=path.is_dir(), is_file=path.exists() and not path.is_dir())
    safe = safe_names(account.file_name for account in config.accounts)
    names = [(account.name, safe[account.file_name]) for account in accounts]
    with open_archive(config, ledger) as reader:
        with disk_errors():
            planned = parts(path.absolute(), form, names, reader, ledger.archive, wanted)
        return export(path.absolute(), planned, reader, on_progress=on_progress)


def refuse_unsuitable(path: Path, form: Form, *, is_folder: bool = False, is_file: bool = False) -> None:
    """Raise ``ConfigError`` where a path means another thing than what would be written there."""
    if is_folder:
        return
    ending = path.suffix.lower()
    suited = _SINGLE_FILES.get(ending)
    if ending in _PACKED:
        pack = f"write a folder and pack it (tar -caf {quote(path.name)} FOLDER)"
        raise ConfigError([f"--to {path}: no export is a {ending} file; {pack}, or write --format eml --to NAME.zip"])
    if ending in _ONE_MESSAGE:
        raise ConfigError([f"--to {path}: this is the name of a single message; name the folder for all of them"])
    if suited is not None and suited is not form:
        holds = "a zip holds eml files" if suited is Form.EML else "an .mbox file holds mbox"
        raise ConfigError([f"--to {path}: {holds}; write --format {suited}, or name a folder"])
    if is_file and suited is None:
        raise ConfigError([f"--to {path}: this is a file; --format {form} needs a folder"])
