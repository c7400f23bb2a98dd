"""A private PostgreSQL: one cluster, started once for a run of the tests, with a database of its own for each test.

Runs without privileges: as the caller, or as ``nobody`` when the caller is root, since it refuses root. It listens on
a socket in its folder and on loopback, trusts whoever comes, and writes nothing through to the disk (``fsync`` is off)
unless it is asked to. As a process of its own:

    python -m tests.servers.postgres

prints the address of a fresh database as one line of JSON, and serves until its standard input closes or SIGTERM comes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Self

from tests.servers.process import (
    LOOPBACK,
    ServerFailedError,
    ServerProcess,
    free_ports,
    give_to,
    group_of,
    unprivileged_user,
)

SUPERUSER = "mailferry"
STANDBY = "standby"
_ATTEMPTS = 5  # another process may take a port between our look and PostgreSQL's
_QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "autovacuum_naptime": "10s",
}


def why_missing() -> str | None:
    """Say why PostgreSQL cannot be used here; ``None`` when it can."""
    if _programs() is None:
        return "PostgreSQL is not installed (run tests/prepare)"
    if find_spec("psycopg") is None:
        return "psycopg is not installed (pip install 'mailferry[fleet]')"
    return None


@cache
def _programs() -> Path | None:
    """The folder of the newest version's programs, which Debian does not put into PATH."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name) if folder.parent.name.isdigit() else 0)
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else None


class Postgres:
    """A running cluster; it ends, and its folder goes, at the end of its ``with`` block.

    ``settings`` are any of postgresql.conf, by name. ``is_durable`` leaves fsync and full pages as PostgreSQL has them.
    One that ``follows`` another is its standby, known there as ``STANDBY``, until it is promoted.
    """

    host = LOOPBACK

    def __init__(
        self, *, settings: Mapping[str, str] | None = None, is_durable: bool = False, follows: Postgres | None = None
    ) -> None:
        self._user = unprivileged_user()
        self._settings = {**({} if is_durable else _QUICK), **(settings or {})}
        self._names = count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="mf-pg-", dir="/tmp"))  # a socket's path has at most 107 octets
        self.log_file = self.folder / "log"
        self.port = 0
        try:
            give_to(self._user, self.folder)
            self._make_cluster(follows)
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the cluster and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """End it in order, at once: sessions are cut off, what was committed stays. Harmless when it has ended."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it as a failing machine would: the next start recovers from its log. Harmless when it has ended."""
        self._end(signal.SIGQUIT)

    def start(self) -> None:
        """Start it again after ``stop`` or ``crash``, on the same port, with the same databases."""
        self._process = self._start()

    def restart(self) -> None:
        """Stop and start: whoever was connected is cut off."""
        self.stop()
        self.start()

    def promote(self) -> None:
        """Make a standby the one that is written to; on return it is."""
        self.administer("select pg_promote()")

    def wait_in_commits_for(self, names: str) -> None:
        """Let commits wait for the standby of this name, ``""`` for none; on return they do."""
        import psycopg

        self.administer(f"alter system set synchronous_standby_names = '{names}'")
        self.administer("select pg_reload_conf()")
        wanted = ("sync" if names == STANDBY else "async",)
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            while connection.execute("select sync_state from pg_stat_replication").fetchone() != wanted:
                time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether its first process lives."""
        return not self._process.has_ended()

    def dsn(self, database: str, *, over_tcp: bool = False) -> str:
        """The address of a database: by the socket, or by loopback, where a proxy can stand between."""
        if over_tcp:
            return f"postgresql://{SUPERUSER}@{self.host}:{self.port}/{database}"
        return f"postgresql:///{database}?host={self.folder}&port={self.port}&user={SUPERUSER}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh database, as its name; it goes at the end, whoever is still connected."""
        name = f"test_{next(self._names)}"
        self.administer(f"create database {name}")
        try:
            yield name
        finally:
            if self.is_running():
                self.administer(f"drop database if exists {name} with (force)")

    def log(self) -> str:
        """What it logged so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def administer(self, statement: str) -> None:
        """Say one statement as the superuser, outside any test's database."""
        import psycopg

        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _make_cluster(self, follows: Postgres | None) -> None:
        drop = ["--reuid", self._user, "--regid", str(group_of(self._user)), "--clear-groups"] if self._user else []
        folder = os.fspath(self.folder / "data")
        if follows is None:
            options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions"]
            command = [os.fspath(_program("initdb")), "-D", folder, "-U", SUPERUSER, *options]
        else:
            primary = f"host={follows.folder} port={follows.port} user={SUPERUSER} application_name={STANDBY}"
            options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
            command = [os.fspath(_program("pg_basebackup")), "-D", folder, "-d", primary, *options]
        made = subprocess.run(
            ["setpriv", *drop, "--", *command], capture_output=True, text=True, check=False, cwd=self.folder
        )
        if made.returncode:
            raise ServerFailedError(f"{Path(command[0]).name} failed: {made.stdout}{made.stderr}")

    def _start(self) -> ServerProcess:
        for _ in range(1 if self.port else _ATTEMPTS):
            port = self.port or free_ports(1)[0]
            before = len(self.log())
            with self.log_file.open("ab") as output:
                process = ServerProcess(self._command(port), output=output, user=self._user)
            if process.wait_until(partial(self._is_ready, before)):
                self.port = port
                return process
            process.stop()
            if "Address already in use" not in self.log()[before:]:
                break
        raise ServerFailedError(f"PostgreSQL did not start: {self.log()[-2000:]}")

    def _is_ready(self, since: int) -> bool:
        return re.search("ready to accept (read-only )?connections", self.log()[since:]) is not None

    def _command(self, port: int) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": str(port),
            "unix_socket_directories": os.fspath(self.folder),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [os.fspath(_program("postgres")), "-D", os.fspath(self.folder / "data"), *options]

    def _end(self, how: signal.Signals) -> None:
        if self._process.has_ended():
            return
        os.kill(self._process.pid, how)  # its sessions are groups of their own, and end with it
        if not self._process.wait_for_end():
            self._process.stop()


def _program(name: str) -> Path:
    folder = _programs()
    assert folder is not None, why_missing()
    return folder / name


def main() -> None:
    """Serve until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(description="Serve a private PostgreSQL until standard input closes.")
    parser.add_argument("--durable", action="store_true", help="write through to the disk, as PostgreSQL usually does")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of postgresql.conf")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = dict(pair.split("=", 1) for pair in options.set)
    with Postgres(settings=settings, is_durable=options.durable) as server, server.database() as name:
        facts = {"dsn": server.dsn(name), "tcp": server.dsn(name, over_tcp=True), "folder": os.fspath(server.folder)}
        print(json.dumps(facts), flush=True)  # noqa: T201  the answer of this command
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
