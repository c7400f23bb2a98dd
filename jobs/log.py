"""How the worker writes one event."""

from __future__ import annotations

import logging

from migrator.events import event

_LOG = logging.getLogger("jobs.journal")  # a name that log readers rely on


def say(name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one event of the worker, under its stable name (docs/events.md)."""
    event(_LOG, name, level=level, **fields)
