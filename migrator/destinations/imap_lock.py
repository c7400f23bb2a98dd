"""The lock on a mailbox: one run at a time stores into it, whatever its name is written like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from migrator.errors import FerryError, Kind


class MailboxLock:
    """A kernel lock, in a file that is named after the mailbox's ``identity`` and made when it is first needed."""

    def __init__(self, folder: Path, identity: str, label: str, *, timeout: float) -> None:
        """Wait for at most ``timeout`` seconds, each time; ``label`` is what a person calls the mailbox."""
        self._path = folder / f"{sha256(identity.encode()).hexdigest()[:32]}.lock"
        self._label = label
        self._timeout = timeout
        self._lock: FileLock | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raises ``locked`` when another run keeps it. It may be asked for twice."""
        if self._lock is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileLock(self._path, timeout=self._timeout, mode=0o600)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise FerryError(Kind.LOCKED, f"another run is storing into {self._label}") from error
        try:
            yield
        finally:
            self._lock.release()
