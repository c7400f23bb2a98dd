"""Many accounts in one sheet (``accounts_file``): a row of a CSV file becomes the tables of an account.

The first row names the columns: ``name``, any key of ``[accounts.source]``, ``mbox`` and ``maildir`` (a path each),
``imap_`` and any key of a destination of type imap, ``every`` or ``cron``. A password's column is ``password`` (text)
or ``password_env``, ``password_file`` and so on. An empty cell is a key that is not there. Commas or semicolons
separate.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from migrator.config.model import ImapDestination, Source
from migrator.config.passwords import SOURCES
from migrator.config.problems import nearest
from migrator.config.worker import Schedule

_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False}
_TRUTHS = frozenset({"allow_plaintext", "leave_on_server", "seen"})
_LISTS = frozenset({"flags", "keywords"})


@dataclass(frozen=True, slots=True)
class Row:
    """One account of the sheet in the form of the file's tables, or what is wrong with its line."""

    line: int
    account: Mapping[str, object]
    problem: str = ""


def rows(text: str) -> Iterator[Row]:
    """Yield each account of a CSV text, and a row with a problem for each line that cannot be one."""
    lines = text.splitlines(keepends=True)
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        unusable = _unusable(columns)
        if unusable:
            yield Row(1, {}, unusable)
            return
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(reader.line_num, columns, cells)
    except csv.Error as error:
        yield Row(reader.line_num, {}, f"this is not CSV: {error}")


def _unusable(columns: list[str]) -> str:
    if "name" not in columns:
        return "the first row must name the columns, and one of them must be name"
    known = _columns()
    strange = [f'unknown column "{column}"{nearest(column, known)}' for column in columns if column not in known]
    repeated = [f'the column "{column}" stands twice' for column in sorted(set(columns)) if columns.count(column) > 1]
    return "; ".join(strange + repeated)


def _columns() -> set[str]:
    passwords = {f"password_{source}" for source in SOURCES}
    source = {*Source.key_names(), *passwords}
    imap = {f"imap_{key}" for key in {*ImapDestination.key_names(), *passwords} - {"type"}}
    return {"name", "mbox", "maildir", *Schedule.key_names(), *source, *imap}


def _row(line: int, columns: list[str], cells: list[str]) -> Row:
    if len(cells) > len(columns):
        return Row(line, {}, f"has {len(cells)} cells, but there are {len(columns)} columns")
    filled = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
    return Row(line, _account(filled))


def _account(filled: Mapping[str, str]) -> Mapping[str, object]:
    imap = {key.removeprefix("imap_"): cell for key, cell in filled.items() if key.startswith("imap_")}
    plain = {key: cell for key, cell in filled.items() if not key.startswith("imap_")}
    account: dict[str, object] = {key: plain.pop(key) for key in ("name",) if key in plain}
    destinations: list[object] = [
        {"type": kind, "path": plain.pop(kind)} for kind in ("mbox", "maildir") if kind in plain
    ]
    if imap:
        destinations.append({"type": "imap", **_values(imap)})
    if schedule := {key: plain.pop(key) for key in Schedule.key_names() if key in plain}:
        account["schedule"] = schedule
    return account | {"source": _values(plain), "destinations": destinations}


def _values(cells: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, cell in cells.items():
        if key.startswith("password_"):
            values["password"] = {key.removeprefix("password_"): cell}
        else:
            values[key] = _value(key, cell)
    return values


def _value(key: str, cell: str) -> object:
    if key == "port" and cell.isdecimal():
        return int(cell)
    if key in _TRUTHS:
        return _BOOLEANS.get(cell.lower(), cell)
    return cell.split() if key in _LISTS else cell
