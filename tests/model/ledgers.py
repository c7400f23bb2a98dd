"""Where a world's ledgers are: in its state folders, or each in a database of PostgreSQL beside one.

A state folder and its ledger are lost, kept and put back together, as one backup would be.
"""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import psycopg

from tests.servers.postgres import SUPERUSER, Postgres

_WORLDS = count(1)


class Ledgers:
    """The ledgers of one world, by the names of its state folders below ``folder``."""

    def __init__(self, folder: Path, server: Postgres | None) -> None:
        self._folder = folder
        self._server = server
        self._world = f"world{next(_WORLDS)}"
        self._made: set[str] = set()

    def is_in_files(self) -> bool:
        """Whether the ledger is in the state folder."""
        return self._server is None

    def address(self, name: str) -> str:
        """What stands in the configuration for this state, empty for a file."""
        if self._server is None:
            return ""
        if name not in self._made:
            self._administer(f"create database {self._database(name)}")
            self._made.add(name)
        return self._server.dsn(self._database(name))

    def copy(self, source: str, target: str) -> None:
        """Copy a state and its ledger in place of what may be there."""
        self.lose(target)
        shutil.copytree(self._folder / source, self._folder / target)
        if self._server is not None:
            self.address(source)
            self._administer(f"create database {self._database(target)} template {self._database(source)}")
            self._made.add(target)

    def lose(self, name: str) -> None:
        """Lose a state and its ledger."""
        shutil.rmtree(self._folder / name, ignore_errors=True)
        if name in self._made:
            self._administer(f"drop database {self._database(name)} with (force)")
            self._made.remove(name)

    def close(self) -> None:
        """Remove the databases."""
        for name in list(self._made):
            self.lose(name)

    def a_minute_passes(self, name: str) -> None:
        """Let run out what a command that was killed owned."""
        if name in self._made:
            with psycopg.connect(self.address(name)) as connection:
                if connection.execute("select to_regclass('leases')").fetchone() != (None,):
                    connection.execute("update leases set until = '-infinity'")

    def content(self, name: str) -> bytes:
        """What the ledger in a database says."""
        lines: list[str] = []
        with psycopg.connect(self.address(name)) as connection:
            tables = connection.execute(
                "select tablename from pg_tables where schemaname = 'public' and tablename != 'leases' order by 1"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f"select t::text from {table} t order by 1".encode())  # noqa: S608  # its own tables
                lines += [f"{table} {row}" for (row,) in rows]
        return "\n".join(lines).encode()

    def _database(self, name: str) -> str:
        return f"{self._world}_{name.replace('.', '_')}"

    def _administer(self, statement: str) -> None:
        assert self._server is not None
        with psycopg.connect(self._server.dsn("postgres"), user=SUPERUSER, autocommit=True) as connection:
            connection.execute(statement.encode())
