"""Find the servers of a sheet's addresses: of each domain once, and only those that need no person's yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.config.found_servers import remember_servers
from migrator.discovery import Address, Discovery, Found, discover, read_address
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import replace
from migrator.wiring.stored_accounts import load

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.config.model import BadRow

AT_ONCE = 8

Discover = Callable[[Address], Discovery]


def find_servers(config: Config, *, discover: Discover = discover) -> Config:
    """Return the configuration with the rows in it whose servers were found; what was found is remembered.

    The problem of a row whose server was not found says what was, which a person may write down.
    """
    if config.path is None:
        return config
    wanted = {row.address: address for row in config.bad_rows if row.lacks_host and (address := _read(row.address))}
    domains = {address.domain.lower(): address for address in wanted.values()}
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="discovery") as pool:
        answers = dict(zip(domains, pool.map(discover, domains.values()), strict=True))
    found = {
        written: _keys(address, domains[address.domain.lower()], server)
        for written, address in wanted.items()
        if (server := answers[address.domain.lower()].trusted) is not None
    }
    with suppress(OSError):  # then it is looked for again the next time, and this time the rows stay bad
        remember_servers(config.state_dir, found)
    again = load(config.path)
    rows = tuple(replace(row, problem=_told(row, wanted, answers)) if row.lacks_host else row for row in again.bad_rows)
    return replace(again, bad_rows=rows)


def _read(written: str) -> Address | None:
    try:
        return read_address(written)
    except (ConfigError, ValueError):
        return None


def _keys(address: Address, asked: Address, server: Found) -> dict[str, object]:
    """Return a server's keys for an address of the domain of which another one was asked about."""
    is_whole = server.username.lower() == str(asked).lower()
    username = str(address) if is_whole else str(address).rpartition("@")[0]
    return {"host": server.host, "port": server.port, "tls": str(server.tls), "username": username}


def _told(row: BadRow, wanted: Mapping[str, Address], answers: Mapping[str, Discovery]) -> str:
    address = wanted.get(row.address)
    if address is None:
        return f"{row.problem}, and {row.address} is not an address"
    answer = answers[address.domain.lower()]
    if answer.found:
        best = answer.found[0]
        return f"{row.problem}; {best.host}, port {best.port}, {best.where}: write it down if that is right"
    return f"{row.problem}, and no POP3 server was found for {address.domain}"
