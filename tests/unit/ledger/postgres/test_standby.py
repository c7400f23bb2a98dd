"""A ledger with a standby: found wherever it is written to now, and not believed to be safe when it is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from migrator.errors import Advice, FerryError
from migrator.ledger import Ledger
from migrator.ledger.postgres.connection import connected, shown
from migrator.ledger.postgres.leases import lease_session
from tests.servers.postgres import STANDBY, SUPERUSER, Postgres, why_missing

ANYWHERE = "target_session_attrs=read-write"


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    if reason := why_missing():
        pytest.skip(reason)
    with Postgres() as primary, Postgres(follows=primary) as standby:
        yield primary, standby


def on_both(pair: tuple[Postgres, Postgres], database: str, role: str = SUPERUSER) -> str:
    standby_first = ",".join(f"{server.host}:{server.port}" for server in reversed(pair))
    return f"postgresql://{role}@{standby_first}/{database}?{ANYWHERE}"


def standby_words(address: str) -> list[str]:
    with closing(Ledger.open(address)) as ledger:
        return [words for words in ledger.weaknesses() if "standby" in words]


def test_of_several_machines_the_one_that_is_written_to_is_found(pair: tuple[Postgres, Postgres]) -> None:
    with pair[0].database() as name, closing(Ledger.open(on_both(pair, name))) as ledger:
        ledger.history.run_started("alice", 1.0)
        with ledger.owning("account alice"):
            ledger.history.run_started("alice", 2.0)


def test_a_standby_alone_is_no_ledger_for_now(pair: tuple[Postgres, Postgres]) -> None:
    primary, standby = pair
    primary.wait_in_commits_for(STANDBY)
    with primary.database() as name:
        Ledger.open(primary.dsn(name)).close()
        with connected(primary.dsn(name)) as session:
            session.execute(b"set synchronous_commit = remote_apply")
            session.execute(b"create table seen ()")
        with closing(Ledger.open(standby.dsn(name))) as ledger, pytest.raises(FerryError) as caught:
            ledger.history.run_started("alice", 1.0)
    primary.wait_in_commits_for("")
    assert (caught.value.finding, caught.value.advice) == ("ledger-away", Advice.LATER)
    assert ANYWHERE in (caught.value.cure or "")


@pytest.fixture
def poor(pair: tuple[Postgres, Postgres]) -> Iterator[str]:
    """A role without rights of its own: of what others do it sees less."""
    pair[0].administer("create role poor login")
    yield "poor"
    pair[0].administer("drop role poor")


def test_doctor_is_not_content_with_a_standby_that_may_lag(pair: tuple[Postgres, Postgres], poor: str) -> None:
    primary, _ = pair
    with primary.database() as name:
        primary.administer(f"alter database {name} owner to {poor}")
        primary.wait_in_commits_for("")
        [words] = standby_words(on_both(pair, name, poor))
        assert f"the standby {STANDBY} follows asynchronously" in words
        primary.wait_in_commits_for(STANDBY)
        assert standby_words(on_both(pair, name, poor)) == []
        primary.wait_in_commits_for("another")
        assert standby_words(on_both(pair, name)) == [words]
        primary.wait_in_commits_for("")


def test_every_session_notices_soon_that_a_machine_has_vanished_and_loses_no_commit(
    pair: tuple[Postgres, Postgres],
) -> None:
    primary, _ = pair
    with primary.database() as name:
        primary.administer(f"alter database {name} set synchronous_commit = off")
        address = primary.dsn(name, over_tcp=True)
        for open_session in (connected, lease_session):
            with open_session(address) as session, socket.fromfd(session.fileno(), socket.AF_INET, 0) as line:
                assert session.execute(b"show synchronous_commit").fetchone() == ("on",)
                assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 10
                assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 15_000


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://mailferry@db.example.org:5433/mail?sslmode=verify-full", "mail at db.example.org"),
        ("postgresql://mailferry@db1:5433,db2/mail", "mail at db1 or db2"),
        ("postgresql:///mail?host=db1,db2&port=1,2", "mail at db1 or db2"),
        ("postgresql://[::1]:5433/mail", "mail at ::1"),
        ("postgresql:///mail", "mail at localhost"),
        ("postgresql://db/mail?no-such=option", "mail at db"),
    ],
)
def test_a_database_is_called_by_where_it_is(address: str, words: str) -> None:
    assert shown(address) == words
