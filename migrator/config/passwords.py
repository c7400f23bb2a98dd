"""Where a password comes from, as it is written in the configuration.

Pure but for the paths. No message shows what was written as the password itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from migrator.config.problems import nearest
from migrator.config.secrets import (
    CommandSecret,
    CredentialSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    Secret,
    TextSecret,
)

SOURCES = ("command", "env", "file", "keyring", "credential", "oauth", "vault")

Tokens = Callable[[object, str], Secret]
"""Makes a secret of what stands under ``oauth``, for a user; raises ``ValueError``."""

Kept = Callable[[str], Secret]
"""Makes the secret that the vault has under a name."""

_HOW = 'write "text" or one of { command = "…" }, { env = "VAR" }, { file = "PATH" }, { keyring = "SERVICE" }'


def secret(
    written: object,
    *,
    path: Callable[[str], Path],
    username: str = "",
    withheld: frozenset[str] = frozenset(),
    tokens: Tokens | None = None,
    kept: Kept | None = None,
) -> Secret:
    """Read the value of ``password``; raises ``ValueError`` with words for a person.

    ``path`` makes a relative path absolute, ``username`` is the keyring's, and ``withheld`` are the environment
    variables that no command of ours gets to see. ``tokens`` is None where no access token can serve, ``kept`` where
    there is no vault.
    """
    if isinstance(written, str):
        if not written:
            raise ValueError("must not be empty")
        return TextSecret(written)
    if isinstance(written, Mapping) and set(written) == {"oauth"}:
        if tokens is None:
            raise ValueError("an access token (oauth) cannot serve here")
        return tokens(written["oauth"], username)
    source, reference = _source(written)
    if source == "vault":
        return _kept(kept, reference)
    match source:
        case "command":
            return CommandSecret(_command(reference), withheld)
        case "env":
            return EnvironmentSecret(reference)
        case "file":
            return FileSecret(path(reference))
        case "keyring":
            return KeyringSecret(reference, username)
        case _:
            return CredentialSecret(_credential(reference))


def _kept(kept: Kept | None, name: str) -> Secret:
    if kept is None:
        raise ValueError("there is no vault here: only a configuration file has one")
    return kept(name)


def _source(written: object) -> tuple[str, str]:
    if not isinstance(written, Mapping):
        raise ValueError(f"must be text or a table; {_HOW}")  # noqa: TRY004  # pydantic collects ValueError only
    for key in written:
        if key not in SOURCES:
            raise ValueError(f'unknown key "{key}"{nearest(str(key), SOURCES)}')
    if len(written) != 1:
        raise ValueError(f"must name exactly one source; {_HOW}")
    [(source, reference)] = written.items()
    if not isinstance(reference, str) or not reference.strip() or "\0" in reference:
        raise ValueError(f"{source} must be text and not empty")
    return source, reference


_PLAIN_WORDS = re.compile(r"[ \t\r\n!#-&(-\[\]-~]*")
"""A line in which nothing is quoted: a shell's words are what stands between blanks. Of a sheet most are such."""


def _command(line: str) -> str:
    try:
        words = line.split() if _PLAIN_WORDS.fullmatch(line) else shlex.split(line)
    except ValueError as error:
        raise ValueError(f"command cannot be split into words ({error})") from None
    if not words:
        raise ValueError("command has no words")
    return line


def _credential(name: str) -> str:
    if "/" in name or name in {".", ".."}:
        raise ValueError("credential is a name, not a path")
    return name


def variables_in(document: object) -> frozenset[str]:
    """Return the environment variables that hold passwords, anywhere in a document: children do not get them."""
    match document:
        case {"env": str(variable)}:
            return frozenset({variable})
        case Mapping():
            return frozenset().union(*map(variables_in, document.values()))
        case list():
            return frozenset().union(*map(variables_in, document))
        case _:
            return frozenset()


def stands_in_text(document: object) -> bool:
    """Say whether any password stands in the document itself."""
    match document:
        case {"password": str()} | {"client_secret": str()} | {"secret_access_key": str()}:
            return True
        case Mapping():
            return any(map(stands_in_text, document.values()))
        case list():
            return any(map(stands_in_text, document))
        case _:
            return False
