"""Finds the configuration file when nobody says where it is."""

from __future__ import annotations

import os
from pathlib import Path

from migrator.errors import ConfigError

SYSTEM_WIDE = Path("/etc/mailferry/config.toml")


def find_config(explicit: Path | None = None) -> Path:
    """Return the file that was asked for, else the first of the usual ones; raises ``ConfigError`` if there is none.

    The usual ones: ``./config.toml``, ``$XDG_CONFIG_HOME/mailferry/config.toml``, ``/etc/mailferry/config.toml``.
    """
    if explicit is not None:
        if not explicit.is_file():
            why = "this is no ordinary file" if explicit.exists() else "there is no such file"
            raise ConfigError([f"{explicit}: {why}"])
        return explicit
    places = usual_places()
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(map(str, places))
    without = "only `mailferry migrate --from URL --to URL` needs none"
    raise ConfigError([f"no configuration found ({looked}); name one with -c FILE; {without}"])


def usual_places() -> tuple[Path, ...]:
    """Return where a configuration is looked for, in order."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (Path("config.toml"), home / "mailferry" / "config.toml", SYSTEM_WIDE)
