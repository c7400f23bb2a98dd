"""Receipts as a table for a spreadsheet, and in the words that every front end uses."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from migrator.operations.receipts import Receipt, ReceiptCopy
from migrator.ui import sanitize
from migrator.ui.text import day_and_time

COLUMNS = (
    "account",
    "unique_id",
    "digest",
    "octets",
    "date",
    "from",
    "subject",
    "deleted_at",
    "confirmed_by",
    "reply",
    "copies",
)
"""The header row."""


def receipts_as_csv(receipts: Iterable[Receipt]) -> Iterator[str]:
    """Yield the rows as RFC 4180 has them, the header first."""
    row = io.StringIO()
    writer = csv.writer(row)
    fields = (receipt.as_json() | {"copies": "; ".join(map(copy_in_words, receipt.copies))} for receipt in receipts)
    for cells in chain([COLUMNS], ([_cell(one[column]) for column in COLUMNS] for one in fields)):
        writer.writerow(cells)
        yield row.getvalue()
        row.seek(0)
        row.truncate()


def _cell(value: object) -> str:
    return "" if value is None else sanitize.spreadsheet_cell(str(value))


def copy_in_words(copy: ReceiptCopy) -> str:
    """Say where a copy is, and how it was when it was last read."""
    place = f"{copy.destination}, {copy.where}"
    if not copy.state:
        return f"{place}, as it was then; the ledger does not know it any more"
    if copy.verified_at is None:
        return f"{place}, {copy.state}; never read again"
    read = day_and_time(copy.verified_at)
    return f"{place}, last read {read}" if copy.state == "verified" else f"{place}, {copy.state}; last equal {read}"
