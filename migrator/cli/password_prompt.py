"""Passwords for ``--from`` and ``--to``: from the options that go with them, else asked for on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.config import passwords
from migrator.config.secrets import FileSecret, Secret, TextSecret
from migrator.errors import ConfigError, FerryError

if TYPE_CHECKING:
    from migrator.config.urls import End

Written = dict[str, str]


class Passwords:
    """Hands each server its password: the first given to the first, and so on."""

    def __init__(self, source: Sequence[Written], destinations: Sequence[Written]) -> None:
        """Take what the options of the source and of the destinations say."""
        self._given = {"--from": list(source), "--to": list(destinations)}
        self._withheld = passwords.variables_in([*source, *destinations])

    def of(self, end: End) -> Secret:
        """Return the password of a server, which a person types if no option gave it; raises ``ConfigError``."""
        given = self._given[end.option]
        return self._read(given.pop(0), end) if given else self._asked(end)

    def all_used(self) -> None:
        """Raise ``ConfigError`` when more passwords were given than there are servers."""
        if left := [option for option, given in self._given.items() if given]:
            raise ConfigError([f"{option}-password-...: given more often than there are servers" for option in left])

    def _read(self, written: Written, end: End) -> Secret:
        try:
            secret = passwords.secret(written, path=_absolute, username=end.username, withheld=self._withheld)
            # At once: it may be a pipe, which gives its content but one time.
            return _read_now(secret) if isinstance(secret, FileSecret) else secret
        except (ValueError, FerryError) as error:
            [source] = written
            raise ConfigError([f"{end.option}-password-{source}: {error}"]) from None

    def _asked(self, end: End) -> Secret:
        if not questions.is_possible():
            how = f"{end.option}-password-env VAR, {end.option}-password-file FILE or {end.option}-password-command CMD"
            raise ConfigError([f"{end.option}: no password for {end.username} at {end.host}; give one by {how}"])
        typed = questions.hidden(f"Password of {end.username} at {end.host}:")
        if not typed:
            raise ConfigError([f"{end.option}: no password for {end.username} at {end.host} was typed"])
        return TextSecret(typed)


def _read_now(secret: FileSecret) -> TextSecret:
    is_lasting = (
        secret.path.is_file() and not secret.path.is_relative_to("/dev") and not secret.path.is_relative_to("/proc")
    )
    return TextSecret(secret.reveal(), secret.path if is_lasting else None)


def _absolute(written: str) -> Path:
    return Path(written).expanduser().absolute()
