"""What an mbox folder and a Maildir have in common: where they are, who may write there, and what undoes a batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from migrator.copy_records import Found, KnownPlaces
from migrator.files import Device, LockTimeout, Step, key_of, lock_file, no_step, storage_error
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.body import Message
from migrator.model import Proof, folder_identity
from migrator.policy import WhenCopyIsGone


@dataclass(frozen=True, slots=True)
class LocalEffects:
    """What an archive folder takes from outside. ``clock`` tells the time of archiving; ``step`` each durable step."""

    clock: Callable[[], datetime]
    step: Step = no_step
    device: Device = field(default_factory=Device)


class LocalArchive:
    """An archive folder. One object serves one run and is not shared between threads."""

    kind = ""
    setting_place = ""
    required_proof = Proof.EXACT
    when_copy_is_gone = WhenCopyIsGone.KEEP

    def __init__(self, path: Path, state_dir: Path, lock_timeout: float, effects: LocalEffects) -> None:
        self.folder = Path(os.path.realpath(path))
        self.identity = folder_identity(self.kind, str(self.folder))
        self.label = f"{self.kind} {path}"
        self._key = key_of(self.identity)
        self._state_dir = state_dir
        self._lock_timeout = LockTimeout(lock_timeout)
        self._clock = effects.clock
        self._step = effects.step
        self._device = effects.device

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other runs of this program out of the folder; raises ``locked`` after a bounded wait."""
        path = self._state_dir / "locks" / f"{self.kind}-{self._key}.lock"
        return lock_file(path, self._lock_timeout, self._device, f"the archive {self.folder}")

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        """Find nothing: ``recover`` has found all that stands here."""
        del messages, known
        return iter(())

    @contextmanager
    def _undone_on_error(self, undo: Callable[[], None], doing: str) -> Iterator[None]:
        """Undo what a batch has written so far where the rest of it fails, for whatever reason."""
        try:
            yield
        except BaseException as error:
            undo()
            if isinstance(error, OSError):
                raise storage_error(error, doing) from error
            raise
