"""A transcript of what was said to servers and what they answered: lines as they went, bodies as sizes, no secret.

Off unless ``trace_to`` is under way; then every connection that is opened gets a number and writes its lines. A trace
is for a person who has to find out what a server does, so it holds no mail: names of users and folders it does hold.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from migrator.errors import ConfigError, printable
from migrator.files import share_decides

MASK = b"***"

_LONGEST = 400
_OFF = logging.CRITICAL + 1
_NUMBERS = count(1)

_LOG = logging.getLogger("migrator.trace")
_LOG.setLevel(_OFF)  # of its own, or -vv would print it
_LOG.propagate = False


class Transcript:
    """One connection's lines."""

    def __init__(self, peer: str) -> None:
        self._name = f"#{next(_NUMBERS)} {peer}"

    def client(self, words: bytes) -> None:
        """Write what was said to the server; secrets in it are masked by who says it."""
        _LOG.debug("%s C: %s", self._name, printable(words, limit=_LONGEST))

    def server(self, words: bytes, secrets: tuple[bytes, ...] = ()) -> None:
        """Write a line of the server's: printable, cut where it is long, without what it repeats of ours."""
        _LOG.debug("%s S: %s", self._name, printable(words, secrets=secrets, limit=_LONGEST))

    def body(self, octets: int) -> None:
        """Write that so much came that is not shown."""
        _LOG.debug("%s S: [%d octets]", self._name, octets)

    def note(self, words: str) -> None:
        """Write what happened to the connection."""
        _LOG.debug("%s *: %s", self._name, words)


def transcript(peer: str) -> Transcript | None:
    """Return where a new connection with ``peer`` writes its lines; None where nobody wants them."""
    return Transcript(peer) if _LOG.isEnabledFor(logging.DEBUG) else None


@contextmanager
def trace_to(path: Path) -> Iterator[None]:
    """Trace to a file (0600), behind what it holds, as long as this lasts. Raises ``ConfigError``."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with share_decides():
            os.fchmod(handle, 0o600)
    except OSError as error:
        raise ConfigError([f"--trace: {path} cannot be written: {error.strerror}"]) from error
    with open(handle, "a", encoding="ascii", errors="backslashreplace", buffering=1) as file:  # noqa: PTH123  # a descriptor
        handler = logging.StreamHandler(file)
        handler.setFormatter(_Line())
        _LOG.addHandler(handler)
        _LOG.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            _LOG.setLevel(_OFF)
            _LOG.removeHandler(handler)


class _Line(logging.Formatter):
    """``2026-11-23T06:00:00.123+00:00 #1 pop.example.org:995 C: STAT``."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{moment} {record.getMessage()}"
