"""A configuration as it was once found right, kept so that the next command need not check it again.

Most of a short command's time is the checking. What was found right is kept with the digests of all that it was read
from, in ``$XDG_CACHE_HOME/mailferry`` of the user who runs the command: nobody else's word is taken for it, so it is
not in ``state_dir``, which may be another user's. It holds no password. It counts only while every file, the place and
the program are those of then, and what depends on the machine is looked at each time. Whatever is wrong with it, or
missing, or not to be written, costs the check and nothing else. Accounts of a sheet or a
database are not kept.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from migrator import __version__
from migrator.config.account_files import account_files, folders_of
from migrator.config.document import document_of, exposed_password, text_of
from migrator.config.kept_values import UnknownValueError, form_of, value_of
from migrator.config.model import Config
from migrator.config.on_this_machine import holds_here
from migrator.config.passwords import stands_in_text
from migrator.config.settings_file import settings_file
from migrator.errors import ConfigError
from migrator.files import replace_file
from migrator.lazy_dataclasses import replace

if TYPE_CHECKING:
    from migrator.config.reading import Reading

FORMAT = 1
MOST = 16
"""This many configurations are kept; of more, those that were checked last."""

_NAME = "config-{}.json"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kept(path: Path) -> Config | None:
    """Return a configuration that was found right before and is so still; None where it must be checked.

    Raises ``ConfigError`` where the file cannot be read.
    """
    text = text_of(path)
    try:
        form = json.loads(_content(_place(path)))
        if form["circumstances"] != _circumstances(path):
            return None
        texts = {path: text} | {further: text_of(further) for further in _further(path, Path(form["state_dir"]))}
        if form["files"] != _digests(texts):
            return None
        documents = {file: cache(partial(document_of, file, text)) for file, text in texts.items()}
        config = value_of(form["config"], [(texts[file], document) for file, document in documents.items()])
        if not isinstance(config, Config) or not holds_here(config):
            return None
        if not form["has_passwords"]:
            return config
        exposures = _exposures({file: document() for file, document in documents.items()})
        return replace(config, warnings=(*config.warnings, *exposures))
    except (OSError, RuntimeError, ConfigError, UnknownValueError, ValueError, LookupError, TypeError):
        return None  # whatever it is, the check has the words for it


def keep(reading: Reading, config: Config) -> None:
    """Keep a configuration that was just found right, if it can be kept."""
    texts = {file: text for file, (text, _) in reading.read.items()}
    documents = {file: document for file, (_, document) in reading.read.items()}
    if config.ledger or not isinstance(config.accounts, tuple) or any(map(_names_a_home, documents.values())):
        return
    exposures = _exposures(documents)
    lasting = tuple(line for line in config.warnings if line not in exposures)
    with suppress(OSError, RuntimeError, UnknownValueError, ValueError):
        known = [(texts[file], partial(_itself, document)) for file, document in documents.items()]
        form = {
            "circumstances": _circumstances(reading.path),
            "state_dir": str(config.state_dir),
            "files": _digests(texts),
            "has_passwords": any(map(stands_in_text, documents.values())),
            "config": form_of(replace(config, warnings=lasting), known),
        }
        _write(_place(reading.path), json.dumps(form).encode())


def _itself(document: object) -> object:
    return document


def _exposures(documents: Mapping[Path, object]) -> list[str]:
    """Return the warnings about passwords that others can read, in the order of a check: the first file is the last."""
    first, *further = documents
    return [line for file in (*further, first) for line in exposed_password(file, documents[file])]


def _further(path: Path, state_dir: Path) -> Iterator[Path]:
    """Yield the files that are read beside the configuration itself, in the order of a check."""
    if (settings := settings_file(state_dir)).is_file():
        yield settings
    yield from account_files(folders_of(path, state_dir))


def _names_a_home(document: object) -> bool:
    """Say whether a text begins with somebody's home, ``~bob``: where that is can change without our seeing it."""
    match document:
        case str():
            return document.startswith("~") and document.partition("/")[0] != "~"
        case dict():
            return any(map(_names_a_home, document.values()))
        case list():
            return any(map(_names_a_home, document))
        case _:
            return False


def _circumstances(path: Path) -> list[object]:
    """Return what a configuration means something else under, beside its own files: place, home, program."""
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home fails where there is none
    return [FORMAT, __version__, _program(), sys.version, str(path), str(path.absolute()), home]


def _program() -> str:
    """Return what changes with the modules that check a configuration, whatever the version says."""
    with os.scandir(Path(__file__).parent) as found:
        files = sorted((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in found if file.is_file())
    return sha256(repr(files).encode()).hexdigest()


def _digests(texts: Mapping[Path, str]) -> list[list[str]]:
    return [[str(file), sha256(text.encode(errors="surrogatepass")).hexdigest()] for file, text in texts.items()]


def _place(path: Path) -> Path:
    """Return where a configuration is kept; raises ``RuntimeError`` where this user has no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(named) if os.path.isabs(named) else Path.home() / ".cache"  # noqa: PTH117  # it need not be a path
    key = sha256(f"{path}\0{path.absolute()}".encode(errors="surrogateescape")).hexdigest()[:32]
    return folder / "mailferry" / _NAME.format(key)


def _content(place: Path) -> bytes:
    """Return what is kept; raises ``ValueError`` where it is not this user's alone, or not what was written."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
            raise ValueError("another user may have written this")
        digest, _, content = file.read().partition(b"\n")
    if digest != sha256(content).hexdigest().encode():
        raise ValueError("this is not what was written")
    return content


def _write(place: Path, content: bytes) -> None:
    """Keep a content, and let go of the oldest others; raises ``OSError``. Nothing is made in another user's folder."""
    folder = place.parent
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    if nearest.stat().st_uid != os.geteuid():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replace_file(place, is_durable=False) as file:
        file.write(sha256(content).hexdigest().encode() + b"\n" + content)
    others = sorted(folder.glob(_NAME.format("*")), key=lambda one: one.stat().st_mtime_ns)
    for one in others[:-MOST]:
        one.unlink(missing_ok=True)
