"""Numbers and names as a person reads them. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from migrator.errors import legible_lines


def plain(text: str) -> str:
    """Return text that cannot move the cursor, change a terminal, run backwards or pretend to be a line of ours.

    Tabs stay, and line feeds before four blanks (``errors.legible_lines``).
    """
    return "\t".join(map(legible_lines, text.split("\t")))


def plural(number: int, word: str, plural: str = "") -> str:
    """Return ``1 message``, ``2 messages``."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def size(octets: float) -> str:
    """Return octets as a person reads them, in powers of ten: ``81 kB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "bytes" or octets >= 10 else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:.1f} TB"


def columns(text: str) -> int:
    """Return how many columns of a terminal text takes: an ideograph takes two, a combining mark none."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_HANGING = 4


def wrapped(line: str, width: int | None) -> list[str]:
    """Return a line as lines of at most ``width`` columns, broken between words, all but the first further in.

    A word that is longer stays whole, so that it can be copied. A text of several lines, and any without a width,
    stays as it is. Colours take no room.
    """
    if width is None or "\n" in line or columns(_STYLE.sub("", line)) <= width:
        return [line]
    start = len(line) - len(line.lstrip(" "))
    indent = " " * min(start + _HANGING, max(width // 2, 1))
    lines, current = [], line[:start]
    for word in line[start:].split(" "):
        is_first = not current.strip()
        longer = f"{current}{word}" if is_first else f"{current} {word}"
        if is_first or columns(_STYLE.sub("", longer)) <= width:
            current = longer
        else:
            lines.append(current)
            current = indent + word
    return [*lines, current]


def cut(text: str, width: int) -> str:
    """Return text that takes at most ``width`` columns; an ellipsis stands for what is left out."""
    if columns(text) <= width:
        return text
    kept: list[str] = []
    room = width - 1
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + "…"


def cell(text: str, width: int) -> str:
    """Return text that takes exactly ``width`` columns."""
    shown = cut(text, width)
    return shown + " " * (width - columns(shown))


def span(seconds: float) -> str:
    """Return a time span as a person reads it: ``1.2 s``, ``3 min``, ``2 h 5 min``, ``4 days``."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"


def day_and_time(seconds: float) -> str:
    """Return a moment (seconds since the epoch) in local time, to the minute."""
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(columns(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [indent + "  ".join(map(cell, row, widths)).rstrip() for row in rows]


def group_by_reason(things: Iterable[tuple[str, str]], named: int = 3) -> list[str]:
    """Return a line for each reason, with the things it happened to: ``a, b, c and 12 more: no answer``."""
    groups: dict[str, list[str]] = {}
    for name, reason in things:
        groups.setdefault(reason, []).append(name)
    return [
        f"{', '.join(names[:named])}{f' and {len(names) - named:,} more' if len(names) > named else ''}: {reason}"
        for reason, names in groups.items()
    ]
