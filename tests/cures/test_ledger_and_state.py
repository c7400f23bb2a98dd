"""Findings about what is remembered: the ledger, the folder it is in, and the search index."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from migrator.ledger.sqlite.connection import VERSION
from tests.command_line import MESSAGES, alice
from tests.cures.bench import Bench
from tests.faults import overwrite, read_only
from tests.servers import postgres as postgres_server
from tests.servers.pop3 import Pop3Server
from tests.servers.postgres import Postgres


def holds_all_once(bench: Bench, archive: str = "archive/alice") -> None:
    assert Counter(bench.site.stored(archive)) == Counter(MESSAGES)


@pytest.mark.parametrize("offset", [0, 4096])
def test_ledger_damaged(bench: Bench, server: Pop3Server, offset: int) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    overwrite(bench.site.state / "ledger.sqlite3", offset, b"\xff" * 4096)
    found = bench.finds("ledger-damaged", accounts=(), by_looking=offset == 0)
    bench.runs(found)
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)


def test_ledger_newer(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    bench.ledger("pragma user_version = 900")
    bench.no_machine_can(bench.finds("ledger-newer", accounts=(), says="its version is 900"))
    bench.ledger(f"pragma user_version = {VERSION}")
    bench.is_well()
    holds_all_once(bench)


def test_ledger_away(bench: Bench, server: Pop3Server, postgres: Postgres) -> None:
    with postgres.database() as name:
        bench.writes(f'ledger = "{postgres.dsn(name)}"', alice(server.port))
        bench.migrates()
        postgres.crash()
        assert bench.migrate().code == 1
        bench.no_machine_can(bench.finds("ledger-away", accounts=(), says="does not answer"))
        postgres.start()
        bench.migrates()
        holds_all_once(bench)


def test_ledger_settings(bench: Bench, server: Pop3Server) -> None:
    if reason := postgres_server.why_missing():
        pytest.skip(reason)
    safe = {"fsync": "on", "full_page_writes": "on"}
    for settings, is_safe in (({"fsync": "off"}, False), (safe, True)):
        with Postgres(settings={**safe, **settings}) as postgres, postgres.database() as name:
            bench.writes(f'ledger = "{postgres.dsn(name)}"', alice(server.port))
            bench.migrates()
            if is_safe:
                bench.is_well()
            else:
                bench.no_machine_can(bench.finds("ledger-settings", accounts=(), says="fsync is off", by_looking=False))


def test_state_read_only(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    with read_only(bench.site.state):
        bench.no_machine_can(bench.in_processes().finds("state-read-only", accounts=()))
    bench.is_well()
    bench.migrates()
    holds_all_once(bench)


def test_state_older(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrate("--limit", "5")
    shutil.copytree(bench.site.state, bench.folder / "backup")
    bench.migrates()
    shutil.rmtree(bench.site.state)
    (bench.folder / "backup").rename(bench.site.state)
    found = bench.finds("state-older", destination="mbox", says="the ledger is older than")
    bench.runs(found)
    bench.is_well()
    holds_all_once(bench)


def test_index_damaged(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    assert bench.ferry("search", "*").code == 0
    overwrite(bench.site.state / "search.sqlite3", 0, b"\xff" * 8192)
    found = bench.finds("index-damaged", accounts=(), by_looking=False)
    bench.runs(found)
    bench.is_well()
    assert bench.ferry("search", "*", "--json").document["total"] == len(MESSAGES)
    holds_all_once(bench)
