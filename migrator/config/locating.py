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
        try:
            if not explicit.is_file():
                why = "this is not a regular file" if explicit.exists() else "there is no such file"
                raise ConfigError([f"{explicit}: {why}"])
        except PermissionError as error:
            raise ConfigError([f"{explicit}: this user may not look into its folder"]) from error
        return explicit
    if (usual := usual_config()) is not None:
        return usual
    looked = ", ".join(map(str, usual_places()))
    without = "`mailferry add ADDRESS` makes one, `mailferry migrate --from URL --to URL` needs none" + _what_is_there()
    raise ConfigError([f"no configuration found ({looked}{_unreadable()}); name one with -c FILE; {without}"])


def usual_config() -> Path | None:
    """Return the first configuration that is at a usual place; the system's only where this user may read it.

    The service's own belongs to its user alone; everybody else on that machine works as if it were not there.
    """
    return next((place for place in usual_places() if place != SYSTEM_WIDE and place.is_file()), None) or _system_wide()


def _system_wide() -> Path | None:
    return SYSTEM_WIDE if os.access(SYSTEM_WIDE, os.R_OK) and SYSTEM_WIDE.is_file() else None


def _unreadable() -> str:
    """Say that a configuration of the system is there, or may be, which this user may not read."""
    try:
        is_there = SYSTEM_WIDE.is_file()
    except PermissionError:
        is_there = True
    return ", which this user may not read" if is_there else ""


def _what_is_there() -> str:
    """Say where what was archived without a configuration is seen, if anything was."""
    from migrator.config.one_shot import FILE_NAME

    state_dir = default_state_dir()
    is_there = (state_dir / FILE_NAME).is_file()
    return f"; what that has archived is seen with --state-dir {state_dir}" if is_there else ""


def usual_places() -> tuple[Path, ...]:
    """Return where a configuration is looked for, in order."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (Path("config.toml"), home / "mailferry" / "config.toml", SYSTEM_WIDE)


def default_state_dir() -> Path:
    """Return where the ledger is without a configuration file: ``$XDG_STATE_HOME/mailferry``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mailferry"
