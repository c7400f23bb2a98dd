"""A configuration without a file: what ``--from`` and ``--to`` say.

``pop3s://user@host[:995]``, ``pop3://user@host[:110]?tls=starttls|none``, ``imaps://user@host[:993]/Folder``,
``imap://user@host[:143]/Folder?tls=starttls|none``, ``mbox:PATH``, ``maildir:PATH`` (RFC 3986). What follows ``?`` are
keys of the configuration's tables. A password never stands in a URL; no message shows one that does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import ValidationError

from migrator.config import values
from migrator.config.model import (
    Account,
    Config,
    Destination,
    ImapDestination,
    MaildirDestination,
    MboxDestination,
    Server,
    Source,
)
from migrator.config.problems import Place, described, nearest
from migrator.config.secrets import Secret
from migrator.config.table import Context, Table
from migrator.errors import ConfigError
from migrator.net.tls import TlsMode

_SCHEMES: dict[str, tuple[type[Server], TlsMode]] = {
    "pop3s": (Source, TlsMode.IMPLICIT),
    "pop3": (Source, TlsMode.STARTTLS),
    "imaps": (ImapDestination, TlsMode.IMPLICIT),
    "imap": (ImapDestination, TlsMode.STARTTLS),
}
_FOLDERS: dict[str, type[MboxDestination | MaildirDestination]] = {
    "mbox": MboxDestination,
    "maildir": MaildirDestination,
}
_IN_THE_URL_ITSELF = frozenset({"host", "port", "username", "password", "type", "folder", "leave_on_server"})
_TRUTHS = {"true": True, "false": False}

AnyTable = TypeVar("AnyTable", bound=Table)


@dataclass(frozen=True, slots=True)
class End:
    """A server of which a password is needed: the source, or the ``number``-th (from 1) IMAP destination."""

    option: str
    number: int
    username: str
    host: str


Passwords = Callable[[End], Secret]


def default_state_dir() -> Path:
    """Return where the ledger is without a configuration file: ``$XDG_STATE_HOME/mailferry``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mailferry"


def config_from_urls(
    source: str,
    destinations: Sequence[str],
    *,
    passwords: Passwords,
    leave_on_server: str = "true",
    state_dir: Path | None = None,
) -> Config:
    """Return the configuration of one account, named ``user@host``; raises ``ConfigError`` with every problem.

    ``passwords`` is asked once for each server, the source first, and only when everything else is right.
    """
    if not destinations:
        raise ConfigError(["--to: is missing; say where the mail goes"])
    problems: list[str] = []
    reads: list[Callable[[], Source | Destination]] = [
        partial(_source, source, leave_on_server),
        *(partial(_destination, url) for url in destinations),
    ]
    ends = [_collected(read, problems) for read in reads]
    if problems:
        raise ConfigError(problems)
    account = _account([end for end in ends if end is not None], passwords)
    return Config(state_dir=(state_dir or default_state_dir()).expanduser().absolute(), accounts=(account,))


def destination_from_url(url: str, *, passwords: Passwords) -> Destination:
    """Return one destination, for a command that only writes; raises ``ConfigError`` with every problem."""
    return next(_unlocked([_destination(url)], passwords))


def _collected(read: Callable[[], Source | Destination], problems: list[str]) -> Source | Destination | None:
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
        return None


def _account(ends: Sequence[Source | Destination], passwords: Passwords) -> Account:
    [source] = [end for end in ends if isinstance(end, Source)]
    destinations = [end for end in ends if not isinstance(end, Source)]
    secret = passwords(End("--from", 1, source.username, source.host))
    return Account(
        name=f"{source.username}@{source.host}",
        source=source.model_copy(update={"password": secret}),
        destinations=tuple(_unlocked(destinations, passwords)),
    )


def _unlocked(destinations: Sequence[Destination], passwords: Passwords) -> Iterator[Destination]:
    number = 0
    for destination in destinations:
        if isinstance(destination, ImapDestination):
            number += 1
            secret = passwords(End("--to", number, destination.username, destination.host))
            yield destination.model_copy(update={"password": secret})
        else:
            yield destination


def _source(url: str, leave_on_server: str) -> Source:
    try:
        policy = values.leave_on_server(_TRUTHS.get(leave_on_server.lower(), leave_on_server))
    except ValueError as error:
        raise ConfigError([f"--leave-on-server: {error}"]) from None
    return _validated(Source, {**_server(url, Source, "--from"), "leave_on_server": policy}, "--from")


def _destination(url: str) -> Destination:
    kind, _, path = url.partition(":")
    folder = _FOLDERS.get(kind)
    if folder is None:
        mailbox = _validated(ImapDestination, {**_server(url, ImapDestination, "--to"), "type": "imap"}, "--to")
        return mailbox.written_at(Place("in --to: ?KEY=VALUE"))
    if path.startswith("//") and not path.startswith("///"):
        raise ConfigError([f"--to: the path follows {kind}: directly, without //"])
    return _validated(folder, {"type": kind, "path": path}, "--to")


def _server(url: str, model: type[Server], option: str) -> dict[str, object]:
    """Read a server's URL as a table.

    No message repeats a part of it before the user was found where he should stand: in a URL that is written in a
    wrong way, a password may be anywhere.
    """
    scheme = url.partition("://")[0]
    wanted, tls = _SCHEMES.get(scheme, (None, TlsMode.IMPLICIT))
    if wanted is not model:
        raise ConfigError([f"{option}: must be {_how(model)}"])
    parts, port = _split(url, option)
    if not parts.username:
        raise ConfigError([f"{option}: has no user; write {scheme}://user@host, with %40 for an @ in the user"])
    if parts.password is not None:
        raise ConfigError(
            [f"{option}: a password must not stand in a URL; use {option}-password-env, -file or -command"]
        )
    raw: dict[str, object] = {"username": unquote(parts.username), "host": parts.hostname or "", "tls": str(tls)}
    if port:
        raw["port"] = port
    folder = unquote(parts.path.removeprefix("/"))
    if folder and model is Source:
        raise ConfigError([f"{option}: a POP3 maildrop has no folders; drop what follows the host"])
    if folder:
        raw["folder"] = folder
    return raw | _query(parts.query, model, scheme, option)


def _split(url: str, option: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url, allow_fragments=False)
        return parts, parts.port
    except ValueError:
        # The cause repeats the URL.
        raise ConfigError([f"{option}: host and port cannot be made out; an IPv6 address stands in brackets"]) from None


def _how(model: type[Server]) -> str:
    if model is Source:
        return "pop3s://user@host or pop3://user@host?tls=starttls"
    return "imaps://user@host/Folder, imap://user@host/Folder?tls=starttls, mbox:PATH or maildir:PATH"


def _query(query: str, model: type[Server], scheme: str, option: str) -> dict[str, object]:
    known = [key for key in model.key_names() if key not in _IN_THE_URL_ITSELF]
    raw: dict[str, object] = {}
    for pair in filter(None, query.split("&")):
        key, _, written = pair.partition("=")
        if key not in known:
            raise ConfigError([f'{option}: unknown key "{key}"{nearest(key, known)}'])
        if key == "tls" and (scheme.endswith("s") or written not in {"starttls", "none"}):
            raise ConfigError(
                [f"{option}: tls: pop3:// and imap:// take starttls or none; pop3s:// and imaps:// take nothing"]
            )
        raw[key] = _TRUTHS.get(unquote(written), unquote(written))
    return raw


def _validated(model: type[AnyTable], raw: dict[str, object], option: str) -> AnyTable:
    stand_in = {"password": "-"} if issubclass(model, Server) else {}
    try:
        return model.model_validate(raw | stand_in, context=Context(folder=Path.cwd()))
    except ValidationError as error:
        raise ConfigError(described(error.errors(), model.key_names(), Place(option))) from None
