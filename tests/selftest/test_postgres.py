"""What the PostgreSQL of the tests claims to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import STANDBY, Postgres


def test_a_database_is_fresh_and_goes_with_its_test(postgres: Postgres) -> None:
    with postgres.database() as first, postgres.database() as second:
        with psycopg.connect(postgres.dsn(first)) as connection:
            connection.execute("create table t (n int)")
        with psycopg.connect(postgres.dsn(second)) as connection:
            assert connection.execute("select to_regclass('t')").fetchone() == (None,)
        kept = psycopg.connect(postgres.dsn(first))
    with pytest.raises(psycopg.OperationalError), kept:
        kept.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(postgres.dsn(first))


def test_it_is_reached_by_its_socket_and_by_loopback(postgres: Postgres, database: str) -> None:
    with psycopg.connect(database) as by_socket:
        assert by_socket.info.host == os.fspath(postgres.folder)
    with postgres.database() as name, psycopg.connect(postgres.dsn(name, over_tcp=True)) as by_loopback:
        assert (by_loopback.info.host, by_loopback.info.port) == ("127.0.0.1", postgres.port)


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_what_was_committed_is_there_after_it_ended(postgres: Postgres, database: str, how: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table t (n int)")
    cut_off = psycopg.connect(database)
    if how == "restart":
        postgres.restart()
    else:
        postgres.crash()
        assert not postgres.is_running()
        postgres.start()
    with pytest.raises(psycopg.OperationalError), cut_off:
        cut_off.execute("select 1")
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)


def test_a_standby_follows_until_it_is_promoted() -> None:
    with Postgres() as primary, primary.database() as name, Postgres(follows=primary) as standby:
        primary.wait_in_commits_for(STANDBY)
        with psycopg.connect(primary.dsn(name), autocommit=True) as connection:
            connection.execute("create table t (n int)")
            connection.execute("set synchronous_commit = remote_apply")
            connection.execute("insert into t values (1)")
        with psycopg.connect(standby.dsn(name), autocommit=True) as connection:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("insert into t values (2)")
            primary.crash()
            standby.promote()
            connection.execute("insert into t values (2)")
            assert connection.execute("select count(*) from t").fetchone() == (2,)


def test_as_a_process_it_ends_with_whoever_started_it() -> None:
    command = [sys.executable, "-m", "tests.servers.postgres", "--set", "work_mem=7MB"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        with psycopg.connect(facts["tcp"]) as connection:
            assert connection.execute("show work_mem").fetchone() == ("7MB",)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert not Path(facts["folder"]).exists()
