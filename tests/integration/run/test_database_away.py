"""A run whose ledger stops answering hangs up without QUIT; when it answers again, everything is there once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from migrator.errors import Advice
from migrator.ledger import Ledger
from migrator.ledger.receipts import Filter
from migrator.report import AccountReport
from tests.mail import letters
from tests.rig import Rig, deleting
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.postgres import SUPERUSER, Postgres
from tests.servers.postgres_wire import RoundTrips

LETTERS = letters(5)


class Away:
    """A rig whose ledger stops answering at a step: what is asked arrives there, and its answer never here."""

    def __init__(self, folder: Path, server: Pop3Server, postgres: Postgres, name: str, line: RoundTrips) -> None:
        address = f"postgresql://{SUPERUSER}@127.0.0.1:{line.port}/{name}?sslmode=disable&gssencmode=disable"
        self.rig = deleting(Rig(folder, server, database=address))
        self._line = line
        self._direct = postgres.dsn(name)

    def run_until(self, step: str) -> AccountReport:
        """Run, without an answer from that step on."""

        def lose_the_answers(reached: str) -> None:
            self._line.is_deaf = self._line.is_deaf or reached == step

        self.rig.step = lose_the_answers
        return self.rig.migrate()

    def run_again(self) -> AccountReport:
        """Run a minute later, when it answers again."""
        self._line.is_deaf = False
        with psycopg.connect(self._direct) as connection:
            connection.execute("update leases set until = '-infinity'")
        self.rig.step = lambda _name: None
        return self.rig.migrate()


@pytest.fixture
def away(tmp_path: Path, server: Pop3Server, postgres: Postgres) -> Iterator[Away]:
    with postgres.database() as name, RoundTrips(postgres.port) as line:
        yield Away(tmp_path, server, postgres, name, line)


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(LETTERS)) as running:
        yield running


@pytest.mark.parametrize(
    "step",
    ["listing.noted", "copies.intended", "copies.written", "copies.stored", "copies.judged", "messages.copied"],
)
def test_a_run_without_its_ledger_hangs_up_without_quit(away: Away, server: Pop3Server, step: str) -> None:
    error = away.run_until(step).for_schedule.error
    assert error is not None
    assert ("does not answer" in error.message, error.advice) == (True, Advice.LATER)
    assert server.counts()["QUIT"] == 0
    assert sorted(server.maildrop.left()) == sorted(LETTERS)
    assert (away.run_again().status, server.maildrop.left()) == ("ok", [])
    assert sorted(away.rig.stored()) == sorted(LETTERS)


def test_what_was_proven_and_noted_may_be_deleted_without_its_ledger(away: Away, server: Pop3Server) -> None:
    """The answer to the wish for the deletion had come: all that deleting needs is durable. It is logged once."""
    assert away.run_until("deletion.requested").status == "failed"
    assert server.maildrop.left() == []
    again = away.run_again()
    assert (again.status, again.copied) == ("ok", 0)
    assert sorted(away.rig.stored()) == sorted(LETTERS)
    with closing(Ledger.open(away.rig.database)) as ledger:
        log = list(ledger.receipts.deletions(Filter()))
    assert len({one.digest for one in log}) == len(log) == len(LETTERS)
