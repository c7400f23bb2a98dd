"""The cells of a sheet, however a spreadsheet saved it: CSV in UTF-8, UTF-16 or cp1252, or XLSX.

Commas, semicolons or tabs separate: what the first row has most of. Of an XLSX file the first sheet that can be seen is
read, as text: a formula or a date is a problem of its row, since what a person typed there cannot be known any more.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from migrator.errors import ConfigError, DefectError, contained
from migrator.lazy_dataclasses import dataclass

SEPARATORS = (",", ";", "\t")
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
HOW_TO_INSTALL = "reading XLSX needs one more package: pip install 'mailferry[xlsx]'; or save the sheet as CSV"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of cells, with its number; ``problem`` says why its cells cannot be taken as they are."""

    number: int
    cells: tuple[str, ...]
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


def lines_of(path: Path) -> list[Line]:
    """Return every row of a sheet; raises ``ConfigError`` where it cannot be read as one."""
    return list(opened(path))


def opened(path: Path) -> Iterable[Line]:
    """Return the rows of a sheet as it is now, to be gone through as often as one likes, of a CSV one at a time.

    Raises ``ConfigError`` where it cannot be read; so does going through a CSV, at the line that is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    if content.startswith(_OLD_EXCEL):
        raise ConfigError([f"{path}: this is an old Excel file; save it as XLSX or CSV"])
    if content.startswith(_ZIP):
        return tuple(_of_xlsx(path))
    encoding = encoding_of(content)
    if encoding is None:
        raise ConfigError([f"{path}: is neither UTF-8, UTF-16 nor cp1252; save it as CSV in UTF-8"])
    return _Csv(path, content, encoding)


def encoding_of(content: bytes) -> str | None:
    """Return how a CSV file is encoded; None where its octets are none of what a spreadsheet writes."""
    if content.startswith(tuple(_UTF_16)):
        encodings = ["utf-16"]
    elif b"\0" in content[:2]:
        encodings = ["utf-16-be" if content[:1] == b"\0" else "utf-16-le"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    return next((encoding for encoding in encodings if _is_encoded(content, encoding)), None)


def _is_encoded(content: bytes, encoding: str) -> bool:
    try:
        for _ in io.TextIOWrapper(io.BytesIO(content), encoding, newline=""):
            pass
    except UnicodeDecodeError:
        return False
    return True


def decoded(content: bytes) -> str | None:
    """Return the text of a CSV file; None where its octets are none of what a spreadsheet writes."""
    encoding = encoding_of(content)
    return None if encoding is None else content.decode(encoding)


def separator_of(text: str) -> str:
    """Return what separates the cells of a CSV text."""
    first = text.partition("\n")[0]
    return max(SEPARATORS, key=first.count)


@dataclass(frozen=True, slots=True)
class _Csv:
    """A text that is decoded and taken apart as its rows are asked for: it stands in memory once."""

    path: Path
    content: bytes
    encoding: str

    def __iter__(self) -> Iterator[Line]:
        separator = separator_of(next(self._text_lines(), ""))
        reader = csv.reader(self._text_lines(), delimiter=separator, strict=True)
        try:
            for cells in reader:
                yield Line(reader.line_num, tuple(cells))
        except csv.Error as error:
            raise ConfigError([f"{self.path}, line {reader.line_num}: this is not CSV: {error}"]) from None

    def _text_lines(self) -> Iterator[str]:
        """Yield what ``splitlines`` would, without a list of all."""
        for line in io.TextIOWrapper(io.BytesIO(self.content), self.encoding, newline=""):
            yield from line.splitlines(keepends=True)


def _of_xlsx(path: Path) -> Iterator[Line]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise ConfigError([f"{path}: {HOW_TO_INSTALL}"]) from None
    try:
        with contained():  # a file that a stranger made; the library says what is wrong in many ways
            book = load_workbook(path, read_only=True)
    except DefectError as error:
        raise ConfigError([f"{path}: this is not an XLSX file: {error.defect}"]) from None
    try:
        for sheet in book.worksheets:
            if sheet.sheet_state == "visible":
                yield from (_line(number, row) for number, row in enumerate(sheet.iter_rows(), start=1))
                return
    finally:
        book.close()


def _line(number: int, row: tuple[Any, ...]) -> Line:
    problems: list[str] = []
    cells: list[str] = []
    for place, cell in enumerate(row):
        text, problem = _text(cell.value, str(getattr(cell, "data_type", "")))
        cells.append(text)
        if problem:
            problems.append(f"{_letters(place)}{number} {problem}")
    while cells and not cells[-1].strip():
        cells.pop()
    return Line(number, tuple(cells), "; ".join(problems))


def _text(value: object, kind: str) -> tuple[str, str]:
    """Return a cell as text, and what is wrong with it."""
    as_text = "format the column as text and type it again"
    match value:
        case None:
            return "", ""
        case bool():
            return str(value).lower(), ""
        case int():
            return str(value), ""
        case float():
            return (str(int(value)), "") if value.is_integer() else ("", f"is a number with a fraction; {as_text}")
        case datetime() | date() | time():
            return "", f"is a date or a time; {as_text}"
        case _ if kind == "f":
            return "", f"is a formula; {as_text}"
        case _ if kind == "e":
            return "", "is an error of the spreadsheet"
        case _:
            return str(value), ""


def _letters(place: int) -> str:
    """Return what a spreadsheet calls a column: A, B, …, Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
