"""What a check found, as a sheet for a person who moves many accounts: a row each, without a password."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import ConfigError
from migrator.files import replace_file
from migrator.ui.sanitize import spreadsheet_cell

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.config.model import BadRow
    from migrator.operations.check_account import CheckedAccount

COLUMNS = (
    *("name", "address", "host", "port", "status", "kind", "message", "messages", "octets", "destination_status"),
)

Cells = Sequence[object]


def report_rows(
    accounts: Sequence[Account], checked: Sequence[CheckedAccount], bad_rows: Sequence[BadRow]
) -> list[Cells]:
    """Return the rows: of each account how its ends answered, then of each row that is no account why."""
    return [*_checked(accounts, checked), *(_bad(row) for row in bad_rows)]


def _checked(accounts: Sequence[Account], checked: Sequence[CheckedAccount]) -> Iterator[Cells]:
    for account, answer in zip(accounts, checked, strict=True):
        source, error = account.source, next(iter(answer.errors), None)
        lost = [end for end in answer.destinations if end.error is not None]
        yield (
            account.name,
            account.address or source.username,
            source.host,
            source.port,
            "ok" if answer.is_ok else "failed",
            str(error.kind) if error else "",
            str(error) if error else "",
            answer.source.facts.get("messages", ""),
            answer.source.facts.get("bytes", ""),
            "; ".join(f"{end.label}: [{end.error.kind}] {end.error}" for end in lost if end.error) or "ok",
        )


def _bad(row: BadRow) -> Cells:
    return (row.name, row.address, "", "", "failed", "account-row", row.problem, "", "", "")


def write_report(path: Path, rows: Sequence[Cells]) -> None:
    """Write the sheet, whole and at once, readable by its owner alone; raises ``ConfigError`` where that cannot be."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([spreadsheet_cell(str(cell)) for cell in row])
    try:
        with replace_file(path) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise ConfigError([f"--report: {path} cannot be written: {error.strerror}"]) from error
