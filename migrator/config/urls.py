"""A configuration without a file: what ``--from`` and ``--to`` say.

``pop3s://user@host[:995]``, ``pop3://user@host[:110]?tls=starttls|none``, ``imaps://user@host[:993]/Folder``,
``imap://user@host[:143]/Folder?tls=starttls|none``, ``mbox:PATH``, ``maildir:PATH``, ``s3://bucket/prefix`` (RFC 3986).
What follows ``?`` are keys of the configuration's tables. A password never stands in a URL; no message shows one that
does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import ValidationError

from migrator.config import values
from migrator.config.locating import default_state_dir
from migrator.config.model import (
    Account,
    Config,
    Destination,
    FolderDestination,
    ImapDestination,
    Source,
)
from migrator.config.problems import Place, described, nearest
from migrator.config.secrets import Secret
from migrator.config.server_tables import ImapTable, MaildirTable, MboxTable, ServerTable, SourceTable
from migrator.config.store_table import S3Table
from migrator.config.table import Checking, Context
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, replace
from migrator.net.tls import TlsMode

_SCHEMES: dict[str, tuple[type[ServerTable], TlsMode]] = {
    "pop3s": (SourceTable, TlsMode.IMPLICIT),
    "pop3": (SourceTable, TlsMode.STARTTLS),
    "imaps": (ImapTable, TlsMode.IMPLICIT),
    "imap": (ImapTable, TlsMode.STARTTLS),
}
_FOLDERS: dict[str, type[Checking[FolderDestination]]] = {"mbox": MboxTable, "maildir": MaildirTable}
_IN_THE_URL_ITSELF = frozenset(
    {"host", "port", "username", "password", "type", "folder", "leave_on_server"}
    | {"bucket", "prefix", "access_key_id", "secret_access_key"}
)
_STORE = "s3://"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_TRUTHS = {"true": True, "false": False}

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class End:
    """A server of which a password is needed: the source, or the ``number``-th (from 1) IMAP destination."""

    option: str
    number: int
    username: str
    host: str


Passwords = Callable[[End], Secret]


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


def destination_keys(url: str) -> dict[str, object]:
    """Return the table of a destination as a file would have it, without a password; raises ``ConfigError``.

    A relative path in it is made absolute: it starts where the person is who writes the URL.
    """
    kind, _, path = url.partition(":")
    _destination(url)
    if kind in _FOLDERS:
        return {"type": kind, "path": str(Path(path).expanduser().absolute())}
    if url.startswith(_STORE):
        return _made_absolute({"type": "s3", **_store(url)})
    return _made_absolute({"type": "imap", **_server(url, ImapTable, "--to")})


def _made_absolute(keys: dict[str, object]) -> dict[str, object]:
    if isinstance(ca_file := keys.get("ca_file"), str):
        keys["ca_file"] = str(Path(ca_file).expanduser().absolute())
    return keys


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
        source=replace(source, password=secret),
        destinations=tuple(_unlocked(destinations, passwords)),
    )


def _unlocked(destinations: Sequence[Destination], passwords: Passwords) -> Iterator[Destination]:
    number = 0
    for destination in destinations:
        if isinstance(destination, ImapDestination):
            number += 1
            secret = passwords(End("--to", number, destination.username, destination.host))
            yield replace(destination, password=secret)
        else:
            yield destination


def _source(url: str, leave_on_server: str) -> Source:
    try:
        policy = values.leave_on_server(_TRUTHS.get(leave_on_server.lower(), leave_on_server))
    except ValueError as error:
        raise ConfigError([f"--leave-on-server: {error}"]) from None
    return _validated(SourceTable, {**_server(url, SourceTable, "--from"), "leave_on_server": policy}, "--from")


def _destination(url: str) -> Destination:
    kind, _, path = url.partition(":")
    folder = _FOLDERS.get(kind)
    if url.startswith(_STORE):
        return _validated(S3Table, {"type": "s3", **_store(url)}, "--to")
    if folder is None:
        mailbox = _validated(ImapTable, {**_server(url, ImapTable, "--to"), "type": "imap"}, "--to")
        return mailbox.written_at(Place("in --to: ?KEY=VALUE"))
    if path.startswith("//") and not path.startswith("///"):
        raise ConfigError([f"--to: the path follows {kind}: directly, without //"])
    return _validated(folder, {"type": kind, "path": path}, "--to")


def _server(url: str, model: type[ServerTable], option: str) -> dict[str, object]:
    """Read a server's URL as a table.

    No message repeats a part of it before the user was found where he should stand: in a URL that is written in a
    wrong way, a password may be anywhere.
    """
    scheme = url.partition("://")[0]
    wanted, tls = _SCHEMES.get(scheme, (None, TlsMode.IMPLICIT))
    if wanted is not model:
        raise ConfigError([f"{option}: must be {_how(model)}{_guess(url, model)}"])
    parts, port = _split(url, option)
    if not parts.username:
        raise ConfigError([f"{option}: has no user; write {scheme}://user@host, with %40 for an @ in the user"])
    if parts.password is not None:
        raise ConfigError(
            [f"{option}: a password must not stand in a URL; use {option}-password-env, -file or -command"]
        )
    username = _unquoted(parts.username, f"{option}: the user")
    raw: dict[str, object] = {"username": username, "host": parts.hostname or "", "tls": str(tls)}
    if port:
        raw["port"] = port
    folder = _unquoted(parts.path.removeprefix("/"), f"{option}: the folder")
    if folder and model is SourceTable:
        raise ConfigError([f"{option}: a POP3 mailbox has no folders; drop what follows the host"])
    if folder:
        raw["folder"] = folder
    return raw | _query(parts.query, model, scheme, option)


def _store(url: str) -> dict[str, object]:
    """Read the URL of a prefix in a bucket as a table; what requests are signed with is for the SDK to find."""
    parts, _ = _split(url, "--to")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ConfigError(["--to: s3://bucket/prefix has no user, key or port; the store is named by ?endpoint=URL"])
    raw: dict[str, object] = {"bucket": parts.netloc, "prefix": _unquoted(parts.path.strip("/"), "--to: the prefix")}
    return raw | _query(parts.query, S3Table, "s3", "--to")


def _split(url: str, option: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url, allow_fragments=False)
        return parts, parts.port
    except ValueError:
        # The cause repeats the URL.
        raise ConfigError([f"{option}: host and port cannot be made out; an IPv6 address stands in brackets"]) from None


def _how(model: type[ServerTable]) -> str:
    if model is SourceTable:
        return "pop3s://user@host or pop3://user@host?tls=starttls"
    return (
        "imaps://user@host/Folder, imap://user@host/Folder?tls=starttls, mbox:PATH, maildir:PATH or s3://bucket/prefix"
    )


def _guess(url: str, model: type[ServerTable]) -> str:
    """Return the URL that a mere address may stand for; "pop." and its domain is how many providers call a server."""
    if model is not SourceTable or not _ADDRESS.fullmatch(url):
        return ""
    user, _, domain = url.partition("@")
    return f"; did you mean pop3s://{user}%40{domain}@pop.{domain} (the server may have another name)?"


def _query(query: str, model: type[Checking[object]], scheme: str, option: str) -> dict[str, object]:
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
        value = _unquoted(written, f"{option}: {key}")
        raw[key] = _TRUTHS.get(value, value)
    return raw


def _unquoted(written: str, what: str) -> str:
    """Undo percent-encoding (RFC 3986, section 2.1) where it is one; half of one, or other than UTF-8, is refused."""
    try:
        if not _LONE_PERCENT.search(written):
            return unquote(written, errors="strict")
        problem = 'has a "%" that two hexadecimal digits must follow'
    except UnicodeDecodeError:
        problem = 'has bytes behind "%" that are not UTF-8'
    raise ConfigError([f'{what} {problem}; write "%25" for a "%" itself'])


def _validated(model: type[Checking[Value]], raw: dict[str, object], option: str) -> Value:
    stand_in: dict[str, object] = {"password": "-"} if "password" in model.key_names() else {}
    try:
        return model.model_validate(raw | stand_in, context=Context(folder=Path.cwd())).value()
    except ValidationError as error:
        raise ConfigError(described(error.errors(), model.key_names(), Place(option))) from None
