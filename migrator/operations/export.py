"""Write archived messages out with a manifest: nothing is overwritten, and one that was cut short goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.interchange.exporter import Exported, Form, export, parts
from migrator.report import OnProgress, no_progress
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.model import Digest


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
    """Write the messages of these accounts (of them, only those ``wanted``) to a path; all is durable on return."""
    names = [(account.name, account.file_name) for account in accounts]
    with open_archive(config, ledger) as reader:
        planned = parts(path, form, names, reader, ledger.archive, wanted)
        return export(path, planned, reader, on_progress=on_progress)
