"""What people and providers write: SASL challenges, search queries, configuration values, addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from migrator.config import load, values
from migrator.config.secrets import TextSecret
from migrator.config.urls import config_from_urls
from migrator.discovery.address import read_address
from migrator.discovery.autoconfig import servers_in
from migrator.errors import ConfigError, FerryError
from migrator.net import sasl
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.parse.content import NotParsedError, leaves, read
from migrator.search.index import SearchIndex
from migrator.search.query import Calendar, QueryError, parse, remarks
from tests.fuzz.draw import Draw, explained, said_well

SECRET = b"pass-word-1"
MECHANISMS = ("plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", "oauthbearer")


def challenges(data: bytes) -> None:
    """Answer challenges that make no sense."""
    draw = Draw(data)
    credentials = sasl.Credentials(draw.one_of(("ann", "ann,=b", "änn")), SECRET)
    exchange = sasl.begin(draw.one_of(MECHANISMS), credentials, host="host", port=110)
    try:
        for challenge in draw.rest().split(b"\n"):
            exchange.respond(challenge)
        exchange.finish()
    except FerryError as error:
        said_well(error, SECRET.decode())
    assert exchange.explanation().isprintable()


def queries(data: bytes) -> None:
    """Read what somebody looks for, and ask an index for it."""
    written = data.decode("utf-8", "surrogateescape")
    try:
        query = parse(written, Calendar(date(2026, 11, 23), UTC))
    except QueryError as error:
        explained(error)
        return
    remarks(written)
    assert _empty_index().search(query) == (0, [])


def autoconfig(data: bytes) -> None:
    """Read what a web server says of a domain's mail servers."""
    for one in servers_in(data, read_address("ann@example.org"), Service.POP3):
        assert values.host(one.host) == one.host
        assert one.username.isprintable() or not one.username.isascii()
        assert 1 <= one.port <= 65535
        assert one.tls is not TlsMode.NONE


@cache
def _empty_index() -> SearchIndex:
    with TemporaryDirectory(prefix="mailferry-fuzz-") as folder:
        return SearchIndex.open(Path(folder))  # it stays open although its file has no name any more


def mail(data: bytes) -> None:
    """Take a message apart, as the parsing worker does."""
    message = Draw(data).rest()
    try:
        found = read(message)
        listed = sum(not leaf.is_text for leaf in leaves(message))
    except (NotParsedError, RecursionError, MemoryError):
        return
    assert len(found.attachments) == min(listed, 500)
    found.text.encode("utf-8", "surrogatepass")


_READERS: tuple[Callable[[object], object], ...] = (
    values.duration,
    values.positive_duration,
    values.size,
    values.leave_on_server,
    values.host,
    values.one_line,
    values.fingerprint,
    values.account_name,
)


def configured(data: bytes) -> None:
    """Read values as they stand in a configuration; a problem is one line."""
    draw = Draw(data)
    reader = draw.one_of(_READERS)
    written = draw.rest().decode("utf-8", "replace")
    try:
        reader(written)
    except ValueError as error:
        explained(error)


def urls(data: bytes) -> None:
    """Read source and destination as they stand on the command line."""
    source, _, destination = data.decode("utf-8", "replace").partition("\n")
    try:
        config = config_from_urls(source, [destination], passwords=lambda _end: TextSecret("x"), state_dir=Path("/s"))
    except ConfigError as error:
        explained(error)
        return
    assert len(config.accounts) == 1


def files(data: bytes) -> None:
    """Read a whole configuration file."""
    with TemporaryDirectory(prefix="mailferry-fuzz-") as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(data)
        try:
            load(path)
        except ConfigError as error:
            explained(error)
