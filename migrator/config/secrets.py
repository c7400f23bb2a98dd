"""Passwords and tokens: where they come from, and a type that never shows them.

A ``Secret`` knows its source, not its value: ``reveal`` fetches the value when somebody logs in, and nothing keeps it.
No message, repr or traceback of this module contains a value, nor anything that a password command has printed; and a
process that has fetched one leaves no core dump.
"""

from __future__ import annotations

import os
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from migrator.config.no_dumps import forbid_dumps
from migrator.errors import Advice, FerryError, Kind
from migrator.lazy_dataclasses import dataclass, field

COMMAND_TIMEOUT = 60.0
"""Seconds that a password command may take; a person may have to touch a key or type a passphrase."""

_PUT_BACK = "put it back, or correct password.file"


class Secret(ABC):
    """A password or token at its source. Its repr and str are stars."""

    def reveal(self) -> str:
        """Fetch the value, now: not empty, one line. Bytes that are not UTF-8 stand in it as lone surrogates.

        Raises ``auth`` (finding ``secret-missing``) with the name of the source when it cannot be had, or has a line
        break or NUL inside: that would end the command that it is part of. No server has refused anything then, so
        the advice is to try again later.
        """
        forbid_dumps()
        value = self._fetch()
        if not value:
            raise _unavailable(f"{self.source} gives nothing")
        if any(character in value for character in "\r\n\0"):
            raise _unavailable(f"{self.source} gives more than one line")
        return value

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the value comes from, in words for a person."""

    @abstractmethod
    def _fetch(self) -> str: ...

    def missing(self) -> str | None:
        """Say in a few words what of the source is plainly not there, without fetching the value; else None."""
        return None

    @property
    def is_token(self) -> bool:
        """Whether it is an access token, which is never given as a password."""
        return False

    def for_login(self) -> Callable[[], str]:
        """Return what a log-in calls for the value."""
        return self.reveal

    def identity(self, *, is_fresh_each_time: bool = False) -> str:  # noqa: ARG002  # for those that may be
        """Return what changes when a person has changed the secret. It may be the value: it is only ever hashed.

        ``is_fresh_each_time``: the value is an access token, so that another one is no change.
        """
        try:
            return f"is {self.reveal()}"
        except FerryError:
            return "cannot be had"  # when it can be had again, that is a change

    def __repr__(self) -> str:
        """Show stars."""
        return f"{type(self).__name__}(***)"

    def __str__(self) -> str:
        """Show stars."""
        return "***"


@dataclass(frozen=True, slots=True, repr=False)
class TextSecret(Secret):
    """A value that stood in the configuration or was typed by a person, or that was read from a file for one run."""

    value: str
    read_from: Path | None = None
    """The file, where it can be read again."""

    @property
    def source(self) -> str:
        """Say that it was written down."""
        return "the password"

    def _fetch(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, repr=False)
class EnvironmentSecret(Secret):
    """The value of an environment variable."""

    variable: str

    @property
    def source(self) -> str:
        """Name the variable."""
        return f"the environment variable {self.variable}"

    def _fetch(self) -> str:
        if reason := self.missing():
            raise _unavailable(reason, f"set {self.variable} where mailferry is started, or correct password.env")
        return _text_of(os.environb[self.variable.encode()])

    def missing(self) -> str | None:
        """Say that the variable is not set or empty, if so."""
        return None if os.environ.get(self.variable) else f"{self.source} is not set"


@dataclass(frozen=True, slots=True, repr=False)
class FileSecret(Secret):
    """The content of a file, without one final newline."""

    path: Path

    @property
    def source(self) -> str:
        """Name the file."""
        return f"the password file {self.path}"

    def _fetch(self) -> str:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            cure = "give the user that runs mailferry the right to read it" if self.path.exists() else _PUT_BACK
            raise _unavailable(f"{self.source} cannot be read: {error.strerror}", cure) from error
        return _text_of(_without_newline(content))

    def missing(self) -> str | None:
        """Say that the file is not there, if so."""
        return None if self.path.exists() else f"{self.source} is not there"


@dataclass(frozen=True, slots=True, repr=False)
class CredentialSecret(Secret):
    """A credential that systemd hands to the service (LoadCredential=, LoadCredentialEncrypted=)."""

    name: str

    @property
    def source(self) -> str:
        """Name the credential."""
        return f"the credential {self.name}"

    def _fetch(self) -> str:
        if reason := self.missing():
            raise _unavailable(reason, f"give LoadCredential={self.name}:PATH in the unit, or correct the credential")
        return FileSecret(self._path()).reveal()

    def missing(self) -> str | None:
        """Say that systemd handed over no such credential, if so."""
        if not os.environ.get("CREDENTIALS_DIRECTORY"):
            return f"{self.source} is not there: $CREDENTIALS_DIRECTORY is not set (systemd sets it)"
        return None if self._path().is_file() else f"{self.source} is not in $CREDENTIALS_DIRECTORY"

    def _path(self) -> Path:
        return Path(os.environ["CREDENTIALS_DIRECTORY"]) / self.name


@dataclass(frozen=True, slots=True, repr=False)
class KeyringSecret(Secret):
    """What the desktop's keyring holds for a service and user name."""

    service: str
    username: str

    @property
    def source(self) -> str:
        """Name service and user."""
        return f"the keyring's entry for {self.username} at {self.service}"

    def _fetch(self) -> str:
        try:
            import keyring
        except ImportError as error:
            cure = f"install it beside mailferry: {sys.executable} -m pip install keyring"
            raise _unavailable("the keyring package is not installed", cure) from error
        try:
            value = keyring.get_password(self.service, self.username)
        except keyring.errors.KeyringError as error:
            raise _unavailable(f"the keyring cannot be asked ({type(error).__name__})") from error
        if not isinstance(value, str):
            raise _unavailable(f"{self.source} is not there", f"store it: keyring set {self.service} {self.username}")
        return value


@dataclass(frozen=True, slots=True, repr=False)
class CommandSecret(Secret):
    """What a command prints, without one final newline.

    The command is split into words as a shell would and run without one, with no input, and with an environment that
    lacks the variables in ``withheld``: those that hold passwords of ours, which say nothing of which secret this is.
    """

    command: str
    withheld: frozenset[str] = field(default=frozenset(), compare=False)
    timeout: float = COMMAND_TIMEOUT

    @property
    def source(self) -> str:
        """Name the program alone: its arguments may hold what nobody is to see."""
        return f'the password command "{shlex.split(self.command)[0]} …"'

    def _fetch(self) -> str:
        import subprocess

        environment = {name: value for name, value in os.environ.items() if name not in self.withheld}
        try:
            done = subprocess.run(
                shlex.split(self.command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=environment,
                timeout=self.timeout,
            )
        # The cause is left out: it would show what the command has printed in a traceback.
        except subprocess.TimeoutExpired:
            cure = "run it by hand: does it wait for somebody?"
            raise _unavailable(f"{self.source} did not end within {self.timeout:.0f} seconds", cure) from None
        except OSError as error:
            raise _unavailable(f"{self.source} cannot be run: {error.strerror}", self._cure(error)) from None
        if done.returncode != 0:
            cure = "run it by hand to see what it says"
            raise _unavailable(f"{self.source} failed with exit code {done.returncode}", cure)
        return _text_of(_without_newline(done.stdout))

    def identity(self, *, is_fresh_each_time: bool = False) -> str:
        """Return what the command prints; of one that prints a token the command itself, which is not run then."""
        return f"by {self.command}" if is_fresh_each_time else super(CommandSecret, self).identity()  # noqa: UP008

    def _cure(self, error: OSError) -> str:
        program = shlex.split(self.command)[0]
        if isinstance(error, PermissionError):
            return f"make {program} executable for the user that runs mailferry, or correct password.command"
        return f"install {program}, or correct password.command"


def _without_newline(content: bytes) -> bytes:
    return content.removesuffix(b"\r\n") if content.endswith(b"\r\n") else content.removesuffix(b"\n")


def _text_of(content: bytes) -> str:
    """Return bytes as text that gives them back: what a server was once told as a password need not be UTF-8."""
    return content.decode(errors="surrogateescape")


def _unavailable(message: str, cure: str = "") -> FerryError:
    return FerryError(Kind.AUTH, message, cure=cure, advice=Advice.LATER, finding="secret-missing")
