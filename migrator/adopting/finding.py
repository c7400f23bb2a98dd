"""Looks for what a program left, at the paths that a person names or at its usual places. Reads; changes nothing.

A file is a configuration, a state file or mail by what it holds. A folder that has a configuration in it is the
program's own; any other may have mail in it.
"""

from __future__ import annotations

import netrc
from collections.abc import Iterator, Sequence
from pathlib import Path

from migrator.adopting.model import Document, NotTaken, OldAccount, Program
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field, replace

_LARGEST = 64 * 1024 * 1024
"""Configurations and state files are smaller than this; what is larger is mail."""


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account with what is there of it: the unique-ids that were fetched, the places with mail."""

    old: OldAccount
    fetched: frozenset[bytes] = field(repr=False)
    stores: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """All that a program left; ``looked_at`` are its configurations."""

    accounts: tuple[FoundAccount, ...]
    not_taken: tuple[NotTaken, ...]
    looked_at: tuple[Path, ...]


@dataclass(slots=True)
class _Sorted:
    """What stands at the paths, by what it is."""

    configurations: list[Document] = field(default_factory=list)
    states: list[Document] = field(default_factory=list)
    stores: list[Path] = field(default_factory=list)


def find(program: Program, paths: Sequence[Path], home: Path) -> Found:
    """Return what a program left; raises ``ConfigError`` where no configuration of it is there, or one is unreadable.

    Where the paths have none, the usual places are looked at for it.
    """
    try:
        return _find(program, paths, home)
    except OSError as error:
        raise ConfigError([f"{error.filename}: cannot be read: {error.strerror}"]) from None


def _find(program: Program, paths: Sequence[Path], home: Path) -> Found:
    if missing := [str(path) for path in paths if not path.exists()]:
        raise ConfigError([f"{path}: there is no such file or folder" for path in missing])
    named = _sorted(program, paths)
    usual = _sorted(program, [path for path in program.usual_places(home) if path.exists()])
    configurations = named.configurations or usual.configurations
    if not configurations:
        places = ", ".join(map(str, paths or program.usual_places(home))) or "its usual places"
        raise ConfigError([f"no configuration of {program.name} was found ({places}); name its files as PATH"])
    accounts: dict[tuple[str, int | None, str], FoundAccount] = {}
    not_taken: list[NotTaken] = []
    for document in configurations:
        for one in program.accounts(document, home):
            if isinstance(one, NotTaken):
                not_taken.append(one)
            else:
                found = _found(program, one, named, home)
                key = (one.host.lower(), one.port, one.username)
                accounts[key] = _joined(accounts[key], found) if key in accounts else found
    looked_at = tuple(document.path for document in configurations)
    return Found(tuple(accounts.values()), tuple(not_taken), looked_at)


def _sorted(program: Program, paths: Sequence[Path]) -> _Sorted:
    found = _Sorted()
    for path in paths:
        if not path.is_dir():
            _sort_file(program, path, found)
            continue
        own = _Sorted()
        for file in _files_in(path):
            _sort_file(program, file, own)
        found.configurations += own.configurations
        found.states += own.states
        if not own.configurations and (own.stores or not own.states):
            found.stores.append(path)
    return found


def _files_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path


def _sort_file(program: Program, path: Path, found: _Sorted) -> None:
    document = _read(path)
    if document is None or document.content.startswith(b"From "):
        found.stores.append(path)
    elif program.is_state(document):
        found.states.append(document)
    elif program.is_configuration(document):
        found.configurations.append(document)
    else:
        found.stores.append(path)


def _read(path: Path) -> Document | None:
    """Read a file; None for one that is too large to be anything but mail."""
    return Document(path, path.read_bytes()) if path.stat().st_size < _LARGEST else None


def _found(program: Program, old: OldAccount, named: _Sorted, home: Path) -> FoundAccount:
    usual = [document for path in old.state_files if path.is_file() and (document := _read(path)) is not None]
    states = {document.path.resolve(): document for document in (*named.states, *usual)}
    fetched = frozenset[bytes]().union(*(program.fetched(document, old) for document in states.values()))
    stores = dict.fromkeys([*named.stores, *(path for path in old.stores if path.exists())])
    if old.password is None:
        old = replace(old, password=_in_netrc(home / ".netrc", old))
    return FoundAccount(old, fetched, tuple(_outermost(stores)))


def _joined(first: FoundAccount, other: FoundAccount) -> FoundAccount:
    """Return one account of two that fetch from one maildrop; what the first says of the server holds."""
    old = replace(
        first.old,
        password=first.old.password or other.old.password,
        marks=first.old.marks | other.old.marks,
        deletes=first.old.deletes or other.old.deletes,
    )
    stores = dict.fromkeys([*first.stores, *other.stores])
    return FoundAccount(old, first.fetched | other.fetched, tuple(_outermost(stores)))


def _outermost(paths: dict[Path, None]) -> Iterator[Path]:
    """Yield the paths that lie in no other of them, so that nothing is read twice."""
    real = {path: path.resolve() for path in paths}
    for path, place in real.items():
        is_inside = any(other in place.parents for other in real.values())
        is_repeated = any(other == place for earlier, other in real.items() if earlier is not path and earlier < path)
        if not is_inside and not is_repeated:
            yield path


def _in_netrc(path: Path, old: OldAccount) -> str | None:
    """Return the password that ``.netrc`` has for this very host and user, if any."""
    try:
        found = netrc.netrc(path).hosts.get(old.host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return found[2] if found and found[0] == old.username and found[2] else None
