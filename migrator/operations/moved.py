"""Know an archive or a mailbox under its new path, host or spelling.

Only the ledger changes. Nothing is read at either place, nothing is moved, and the configuration is not edited: the
lines that still name the old place are part of the answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from migrator.config import Config, ImapDestination, S3Destination
from migrator.config.urls import destination_keys
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.moving import KnownDestination
from migrator.model import AMAZON, mailbox_identity, store_identity
from migrator.run.account_lock import account_locks
from migrator.wiring.account import destination_of
from migrator.wiring.moved_archives import move

_IMAP_URL = re.compile(r"imaps?://", re.IGNORECASE)
_IMAP_IDENTITY = re.compile(r"imap:(.*)@([^@/]*)/(.*)", re.DOTALL)
_KINDS = ("mbox", "maildir")
_STORE = "s3://"
_WRITTEN = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1""")


@dataclass(frozen=True, slots=True)
class Move:
    """One destination that was found under the old name, and what became of it; ``copies`` were taken along."""

    old: str
    new: str
    copies: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What is known under another name now, and the lines of the configuration that still have the old one."""

    moves: tuple[Move, ...]
    to_edit: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the document of ``moved``."""
        rows = [{"old": one.old, "new": one.new, "copies": one.copies} for one in self.moves]
        return {"moved": rows, "to_edit": list(self.to_edit)}


def record_move(old: str, new: str, state_dir: Path, config: Config | None) -> Moved:
    """Change what is known, all of it or nothing; ``old`` and ``new`` are folders, or URLs of mailboxes or stores.

    The accounts of the configuration, if there is one, are locked. Raises ``ConfigError`` where nothing is known.
    """
    place = config.ledger_place if config else state_dir
    if isinstance(place, Path) and not (place / FILE_NAME).exists():
        raise ConfigError([f"there is no ledger in {state_dir}: nothing is known of {old}"])
    accounts = [account.name for account in config.accounts] if config else []
    with ExitStack() as stack:
        stack.enter_context(account_locks(state_dir, accounts))
        ledger = stack.enter_context(closing(Ledger.open(place)))
        for account in accounts:
            stack.enter_context(ledger.owning(f"account {account}"))
        with ledger.together():
            moves = tuple(_moves(ledger, state_dir, old, new))
    lines = (line for one in moves for line in (_lines_naming(config, one.old) if config else ()))
    return Moved(moves, tuple(lines))


def _moves(ledger: Ledger, state_dir: Path, old: str, new: str) -> Iterator[Move]:
    known = ledger.moves.known()
    pairs = _pairs(known, old, new)
    for before, after in pairs:
        if before == after:
            raise ConfigError([f"{old} and {new} are one and the same place"])
        if before in known:
            yield Move(before, after, move(ledger, state_dir, known[before], after))
        elif ledger.moves.is_known_as(before, after):
            yield Move(before, after, 0)
    if not any(before in known or ledger.moves.is_known_as(before, after) for before, after in pairs):
        raise ConfigError([f"nothing is known of {old}; the ledger knows: {_listed(known)}"])


def _listed(known: dict[str, KnownDestination]) -> str:
    return ", ".join(one.identity for one in known.values()) or "nothing yet"


# ------------------------------------------------------------------------------------------- what is meant


def _pairs(known: dict[str, KnownDestination], old: str, new: str) -> list[tuple[str, str]]:
    """Return the identities that may be meant, old and new."""
    if old.startswith(_STORE) and new.startswith(_STORE):
        return _store_pairs(known, old, new)
    match bool(_IMAP_URL.match(old)), bool(_IMAP_URL.match(new)):
        case True, True:
            return _mailbox_pairs(known, old, new)
        case False, False:
            kind, path = _kind_and_path(old)
            target_kind, target = _kind_and_path(new)
            if kind and target_kind and kind != target_kind:
                raise ConfigError([f"{old} and {new}: an archive keeps its kind when it is moved"])
            chosen = [kind or target_kind] if kind or target_kind else _KINDS
            return [(f"{one}:{path}", f"{one}:{target}") for one in chosen]
        case _:
            raise ConfigError([f"{old} and {new}: must be two folders, two mailboxes, or two s3://bucket/prefix"])


def _kind_and_path(written: str) -> tuple[str, str]:
    kind, _, path = written.partition(":")
    if kind not in _KINDS:
        kind, path = "", written
    return kind, os.path.realpath(Path(path).expanduser())


def _store_pairs(known: dict[str, KnownDestination], old: str, new: str) -> list[tuple[str, str]]:
    """Return old and new of each store that is meant: of ``?endpoint=``, else of every one that has the old prefix."""
    before, after = destination_keys(old), destination_keys(new)
    if "endpoint" in before or "endpoint" in after:
        return [(_store_of(before), _store_of(after))]
    at = _store_of(before).removeprefix(f"s3:{AMAZON}")
    inside = _store_of(after).removeprefix(f"s3:{AMAZON}")
    stores = [one.removesuffix(at) for one in known if one.startswith("s3:") and one.endswith(at)]
    return [(f"{store}{at}", f"{store}{inside}") for store in stores if "/" not in store]


def _store_of(keys: Mapping[str, object]) -> str:
    return store_identity(str(keys["bucket"]), str(keys["prefix"]), str(keys.get("endpoint", "")))


def _mailbox_pairs(known: dict[str, KnownDestination], old: str, new: str) -> list[tuple[str, str]]:
    """Return old and new of every mailbox that is meant: one, or that of each user where none is named."""
    before, after = _parts(old), _parts(new)
    source, target = _folder(before), _folder(after)
    users = [unquote(before.username)] if before.username else _users_at(known, before.hostname or "", source)
    return [
        (
            mailbox_identity(user, before.hostname or "", source),
            mailbox_identity(unquote(after.username) if after.username else user, after.hostname or "", target),
        )
        for user in users
    ]


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url, allow_fragments=False)
        if parts.password is None and parts.hostname and (parts.port is None or parts.port):
            return parts
    except ValueError:
        pass
    # The URL is not repeated: a password may stand in it.
    raise ConfigError(["a mailbox is written imaps://user@host/Folder, with %40 for an @ in the user"])


def _folder(parts: SplitResult) -> str:
    return unquote(parts.path.removeprefix("/")) or "INBOX"


def _users_at(known: dict[str, KnownDestination], host: str, folder: str) -> list[str]:
    places = [parts.groups() for identity in known if (parts := _IMAP_IDENTITY.fullmatch(identity))]
    wanted = mailbox_identity("", host, folder)
    return [user for user, at, inside in places if mailbox_identity("", at, inside) == wanted]


# ------------------------------------------------------------------------------------------ what is left


def _lines_naming(config: Config, identity: str) -> Iterator[str]:
    """Yield file and line of what the configuration still says of the old place, if it does."""
    places = [place for account in config.accounts for place in account.destinations]
    named = [place for place in places if destination_of(place, config.state_dir).identity == identity]
    if not named:
        return
    for path in config.files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            written = [found[2] for found in _WRITTEN.finditer(line)]
            if any(_names(value, place, path.parent) for value in written for place in named):
                yield f"{path}:{number}: {line.strip()}"


def _names(value: str, place: object, folder: Path) -> bool:
    """Tell whether a word of the configuration is the folder or the host of a destination."""
    if isinstance(place, ImapDestination):
        return value.lower() == place.host.lower()
    if isinstance(place, S3Destination):
        return value.strip("/") == place.prefix if place.prefix else value == place.bucket
    path = getattr(place, "path", None)
    return path is not None and os.path.realpath(folder / value) == os.path.realpath(path)
