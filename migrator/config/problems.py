"""What is wrong with a configuration, in lines that a person can act on.

Each line names the file, the line where it is cheaply known, the table and account, the key, what is wrong with the
value, and the nearest known key or word. No line shows what stands under ``password``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from migrator.config.values import shown
from migrator.lazy_dataclasses import dataclass, field, replace

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file something stands. ``path`` leads to the table: ``("accounts", 0, "source")``."""

    file: str
    text: str = field(default="", repr=False)
    table: str = ""
    account: str = ""
    path: KeyPath = ()
    line: int | None = None
    also: str = ""
    """How else a key of the table can be written."""
    is_stored: bool = False
    """Whether ``file`` is no file but the ledger's database, whose rows are known by the account's name."""

    def at(self, *steps: str | int, account: str = "") -> Place:
        """Return the place of a table within this one."""
        path = (*self.path, *steps)
        table = "[" + ".".join(step for step in path if isinstance(step, str)) + "]"
        if sum(isinstance(step, int) for step in path) and isinstance(path[-1], int):
            table = f"[{table}]"
        return replace(self, path=path, table=table, account=account or self.account)

    def say(self, problem: str, key: str = "", *, beside: str = "") -> str:
        """Return one line: the place, the key and the problem.

        ``beside`` is the key at whose line the problem is, where it is not ``key``.
        """
        line = self._line(beside or key)
        owner = f'"{self.account}"' if self.account else ""
        table = f"{self.table} of {owner}" if self.table and owner else self.table or owner
        place = [f"{self.file}, line {line}" if line else self.file, table, key, problem]
        return ": ".join(part for part in place if part)

    def for_setting(self) -> str:
        """Say where a key of this table is to be written, in words that follow it."""
        if not self.text:
            if self.is_stored:
                return f"in the row of {self.account} ({self.file}), with mailferry accounts import"
            return f"in the row of {self.account} ({self.file}, line {self.line})" if self.line else f"({self.file})"
        line = self._line("")
        where = f"{self.file}, line {line}" if line else self.file
        also = f", or {self.also}" if self.also else ""
        return f"under {self.table} of {self.account} ({where}){also}"

    def where(self) -> str:
        """Say where the table stands: the file and the line at which it begins, or the database."""
        return self.file if self.is_stored else f"{self.file}, line {self._line('') or 1}"

    def _line(self, key: str) -> int | None:
        if self.is_stored:
            return None
        return self.line or (line_of(self.text, self.path, key) if self.text else None)


def nearest(word: str, known: Collection[str]) -> str:
    """Return what to add to a line about an unknown word: the nearest known one, or all of them."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(sorted(known))}"


def described(errors: Collection[ErrorDetails], keys: Collection[str], place: Place) -> list[str]:
    """Return a line for each error that pydantic found in one table whose known keys are ``keys``."""
    # A default that depends on other values is not made when one of those is wrong: that is no problem of its own.
    return [_line(error, keys, place) for error in errors if error["type"] != "default_factory_not_called"]


def _line(error: ErrorDetails, keys: Collection[str], place: Place) -> str:
    key = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return place.say(f'unknown key "{key}"{nearest(key, keys)}', beside=key)
    return place.say(_reason(error), key)


def _reason(error: ErrorDetails) -> str:
    context: Mapping[str, object] = error.get("ctx", {})
    written = error["input"]
    match error["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "enum" | "literal_error":
            words = re.findall(r"'([^']*)'", str(context["expected"]))
            guess = nearest(str(written), words) if isinstance(written, str) else ""
            hint = guess if guess.startswith("; did") else ""
            return f"{shown(written)} is none of {', '.join(words)}{hint}"
        case "bool_type" | "bool_parsing":
            return f"{shown(written)} must be true or false"
        case "int_type" | "int_parsing" | "int_from_float":
            return f"{shown(written)} must be a whole number"
        case "greater_than_equal" | "less_than_equal":
            return f"{shown(written)} is out of range"
        case "string_type":
            return f"{shown(written)} must be text"
        case "list_type" | "tuple_type":
            return f"{shown(written)} must be a list"
        case other:
            return f"{error['msg']} ({other})"


_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"'\s-]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[.=]")


def line_of(text: str, path: KeyPath, key: str) -> int | None:
    """Return the line of a key in a table of a TOML text, or of the table's header, or None.

    A plain scan, good for tables and keys as people write them; it is only asked once something is wrong.
    """
    here: KeyPath = ()
    header: int | None = None
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _HEADER.match(line):
            here = _table_path(found, counts)
            if here == path and header is None:
                header = number
        elif here == path and key and (assigned := _KEY.match(line)) and assigned[1] == key:
            return number
    return header


def _table_path(header: re.Match[str], counts: dict[tuple[str, ...], int]) -> KeyPath:
    names = tuple(name.strip().strip("\"'") for name in header[2].split("."))
    if header[1] == "[[":
        counts[names] = counts.get(names, -1) + 1
        for inner in [known for known in counts if len(known) > len(names) and known[: len(names)] == names]:
            del counts[inner]
    path: KeyPath = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if (index := counts.get(names[:depth])) is not None:
            path = (*path, index)
    return path
