"""Notices that the files of the configuration have changed."""

from __future__ import annotations

from pathlib import Path

from migrator.config import Config, account_files
from migrator.config.settings_file import settings_file

Signature = tuple[int, int, int] | None


class Watched:
    """The files that a configuration came from, as they were when it was read."""

    def __init__(self, config: Config) -> None:
        """Take them to be as they are now."""
        self.look(config)

    def look(self, config: Config) -> None:
        """Take the files of this configuration to be known as they are now."""
        self._known = {path: _signature(path) for path in (*config.files, *_places(config))}
        self._seen = self._known

    def has_changed(self) -> bool:
        """Tell whether a file has changed, and has stayed the same since the last call: nobody is writing it."""
        now = {path: _signature(path) for path in self._known}
        is_settled, self._seen = now == self._seen, now
        return is_settled and now != self._known


def _places(config: Config) -> tuple[Path, ...]:
    """Return where files with accounts may appear, and what the page writes."""
    if config.path is None:
        return ()
    return (*account_files.folders_of(config.path, config.state_dir), settings_file(config.state_dir))


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
