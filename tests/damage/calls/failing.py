"""Makes the n-th system call below a folder fail, once: the calls of ``os`` are replaced before anything else is imported.

What SQLite calls is not seen: it is C, with tests of its own.
"""

from __future__ import annotations

import errno
import json
import os
import posix
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

ORDERS = "failing.json"
"""What ``Orders`` stand in, beside the ``sitecustomize.py`` that has them obeyed."""

_BY_HANDLE = ("write", "fsync", "ftruncate", "fdatasync", "fchmod")
_BY_PATH = ("open", "rename", "replace", "mkdir", "unlink", "chmod", "link")


@dataclass(frozen=True, slots=True)
class Orders:
    """Fail the ``number``-th call below ``folder`` with ``error``; 0: none.

    How many calls there were is written to ``count_to``.
    """

    folder: str
    number: int
    error: int
    count_to: str

    def write(self, place: Path) -> None:
        """Leave the orders where children that copy obey them, if they have ``place`` on their path."""
        place.mkdir(exist_ok=True)
        (place / ORDERS).write_text(json.dumps(asdict(self)))
        (place / "sitecustomize.py").write_text(f"from tests.damage.calls.failing import obey\nobey({str(place)!r})\n")

    @classmethod
    def read(cls, place: Path) -> Self:
        """Read what was written."""
        return cls(**json.loads((place / ORDERS).read_text()))


def obey(place: str) -> None:
    """Replace the calls of ``os`` if this process copies for another."""
    if "migrator.copying.offload_process" in sys.orig_argv:
        failing = Failing()
        failing.install()
        failing.orders = Orders.read(Path(place))


class Failing:
    """Counts the calls, and fails one, once it has orders."""

    def __init__(self) -> None:
        self.orders: Orders | None = None
        self._seen = 0
        self._guard = Lock()
        self._readlink, self._open, self._write, self._close = os.readlink, os.open, os.write, os.close

    def install(self) -> None:
        for name in _BY_HANDLE:
            self._replace(name, self._path_of_handle)
        for name in _BY_PATH:
            self._replace(name, os.fsdecode)

    def _replace(self, name: str, path_of: Callable[[Any], str]) -> None:
        wrapped = self._wrapped(name, getattr(os, name), path_of)
        for module in (os, posix):  # by the second one functions travel to another process
            setattr(module, name, wrapped)

    def _wrapped(self, name: str, call: Callable[..., Any], path_of: Callable[[Any], str]) -> Callable[..., Any]:
        def wrapped(first: Any, *rest: Any, **options: Any) -> Any:  # any call of os
            orders = self.orders
            if orders and path_of(first).startswith(orders.folder) and self._is_to_fail(name, orders):
                raise OSError(orders.error, os.strerror(orders.error), first if name in _BY_PATH else None)
            return call(first, *rest, **options)

        return wrapped

    def _path_of_handle(self, handle: int) -> str:
        try:
            return self._readlink(f"/proc/self/fd/{handle}")
        except OSError:
            return ""

    def _is_to_fail(self, name: str, orders: Orders) -> bool:
        if name == "unlink" and orders.error == errno.ENOSPC:
            return False  # no disk is too full for that
        with self._guard:
            self._seen += 1
            self._note(orders.count_to, f"{name}\n")
            return self._seen == orders.number

    def _note(self, path: str, line: str) -> None:
        handle = self._open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._write(handle, line.encode())
        finally:
            self._close(handle)
