"""What the page changes of the configuration beside accounts: ``settings.toml`` in ``state_dir``.

It holds ``[notify]`` and ``[pings]`` and nothing else. A table that stands in the configuration itself is its owner's:
the one here is left out then, with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from migrator.config.document import document_of, text_of
from migrator.config.problems import Place, nearest
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field

FILE_NAME = "settings.toml"
KEYS = ("notify", "pings")
"""What may stand at the top of it."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What stands in the file, and where that is; empty where there is none. ``own`` is the configuration itself."""

    document: Mapping[str, object] = field(default_factory=dict)
    place: Place = field(default_factory=lambda: Place(""))
    own: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.place.file)

    def counts(self, key: str) -> bool:
        """Say whether a table is the page's: it belongs here, and the configuration itself has none of that name."""
        return key in KEYS and key not in self.own

    def warnings(self, config: Path) -> list[str]:
        """Name the tables that are left out."""
        left_out = [key for key in self.document if key in KEYS and key in self.own]
        return [f"{self.place.file}: [{key}] is left out, since {config} has one" for key in left_out]


def settings_file(state_dir: Path) -> Path:
    """Return where the file stands, be it there or not."""
    return (state_dir / FILE_NAME).absolute()


def read_settings(path: Path, own: Mapping[str, object], instead: Mapping[Path, str]) -> SettingsFile:
    """Return what stands in the file, with what is wrong at its top; ``instead`` are texts in place of some files'."""
    if path not in instead and not path.is_file():
        return SettingsFile(own=own)
    try:
        text = instead[path] if path in instead else text_of(path)
        document = document_of(path, text)
    except ConfigError as error:
        return SettingsFile(own=own, problems=tuple(error.problems))
    place = Place(file=str(path), text=text)
    strange = tuple(
        place.say(f'unknown key "{key}"{nearest(key, KEYS)}', beside=key) for key in document if key not in KEYS
    )
    return SettingsFile(document, place, own, strange)
