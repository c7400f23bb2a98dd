"""One event per step: a constant name, values as fields, on stderr, for people or as JSON lines.

``event`` says it, ``set_up`` decides who hears it. No event holds a mail's body, a password or a token; the names are
listed in docs/events.md and do not change.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_LOGGERS = ("migrator", "jobs")


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Say that something happened; costs next to nothing when nobody listens."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={"fields": fields})


def set_up(level: int, *, as_json: bool = False, stream: TextIO | None = None) -> None:
    """Send the events of this program from ``level`` on to a stream (stderr); replaces an earlier set-up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLine() if as_json else PlainLine())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


class PlainLine(logging.Formatter):
    """``2026-11-23T06:00:00.123+00:00 info pop3.listed account=alice messages=120``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line; values with spaces are quoted."""
        words = [_moment(record), record.levelname.lower(), record.getMessage()]
        words += [f"{key}={_plain(value)}" for key, value in _fields(record).items()]
        return " ".join(words)


class JsonLine(logging.Formatter):
    """One JSON object per line: ``time``, ``level``, ``event``, ``logger`` and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one object; what JSON has no form for is written as text."""
        frame = {"time": _moment(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**_fields(record), **frame, "logger": record.name}, default=str)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _plain(value: object) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    is_simple = text.isprintable() and text and not set(text) & set(' "=')
    return text if is_simple else json.dumps(text)
