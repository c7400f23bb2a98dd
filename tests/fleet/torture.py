"""What happens to a fleet by chance: killed, frozen and cut off workers, and a database that restarts."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Self

import psycopg

from migrator.ledger import Ledger
from migrator.ledger.postgres.leases import LEASE_SECONDS
from tests.fleet.effects import (
    DOVECOT_SETTINGS,
    WATCH,
    Effect,
    Record,
    deleted_unproven,
    effects_in,
    epochs_taken,
    violations,
)
from tests.fleet.lines import Lines
from tests.fleet.real import RealFleet
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres

ILLS = (
    "kill",
    "kill",
    "freeze",
    "freeze",
    "nap",
    "cut from the database",
    "cut from the servers",
    "cut from all",
    "nothing",
)
_CUT = {
    "cut from the database": ["database"],
    "cut from the servers": ["mail"],
    "cut from all": ["database", "mail"],
}


class Torture:
    """A fleet with all that is needed to hurt it, and to know what it did; it ends with the ``with`` block."""

    def __init__(self, folder: Path, server: Postgres, *, accounts: int, chance: Random) -> None:
        self.happened: Counter[str] = Counter()
        self._chance = chance
        self._server = server
        self._resources = ExitStack()
        self._away: dict[str, float] = {}
        self._hired = 0
        self._database = self._resources.enter_context(server.database())
        self._dovecot = self._resources.enter_context(Dovecot(settings=DOVECOT_SETTINGS))
        self.fleet = RealFleet(folder, "", self._dovecot, accounts, per_host=8, every="2 minutes")
        self._lines = self._resources.enter_context(Lines(self.fleet.processes))

    def __enter__(self) -> Self:
        Ledger.open(self._server.dsn(self._database)).close()
        with self._asked() as connection:
            connection.execute(WATCH)
        pop3, imap = self._dovecot.pop3_port, self._dovecot.imap_port
        self.fleet.ports = {"pop3_port": self._lines.to(pop3, "mail"), "imap_port": self._lines.to(imap, "mail")}
        direct = self._server.dsn(self._database, over_tcp=True)
        proxy = self._lines.to(self._server.port, "database")
        self.fleet.ledger = direct.replace(f":{self._server.port}/", f":{proxy}/")
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def hire(self) -> None:
        """Start one more worker."""
        self.fleet.hire(f"w{self._hired}")
        self._hired += 1

    def awake(self) -> list[str]:
        """Return the workers to which nothing happens now; those who have suffered for long enough are among them."""
        for name, until in list(self._away.items()):
            if time.monotonic() > until:
                self._relieve(name)
        return [name for name in self.fleet.workers if name not in self._away]

    def once(self) -> None:
        """Let something happen to somebody, unless only one is left to do the work."""
        awake = self.awake()
        what = self._chance.choice(ILLS)
        if len(awake) > 1 and what != "nothing":
            self.inflict(what, self._chance.choice(awake))

    def inflict(self, what: str, name: str, seconds: float = 0.0) -> None:
        """Let this happen to that worker: for so long, or, without a word about it, mostly for longer than a lease."""
        self.happened[what] += 1
        if what == "kill":
            self.fleet.kill(name)
            self.hire()
            return
        if what in _CUT:
            self._lines.cut(name, *_CUT[what])
        else:
            self.fleet.tell(name, signal.SIGSTOP)
        usual = self._chance.uniform(1, 8) if what == "nap" else self._chance.uniform(1, 1.5) * LEASE_SECONDS
        self._away[name] = time.monotonic() + (seconds or usual)

    def restart_database(self) -> None:
        """Restart the database, as a person would who upgrades it."""
        self.happened["restart"] += 1
        self._server.restart()

    @contextmanager
    def at_work(self, size: int) -> Iterator[None]:
        """Start that many workers; those that are left are killed at the end, and every line is whole then."""
        with self.fleet.working(0):
            for _ in range(size):
                self.hire()
            yield
            self.relieve_all()

    def relieve_all(self) -> None:
        """Wake everybody, and mend every line."""
        for name in list(self._away):
            self._relieve(name)

    def _relieve(self, name: str) -> None:
        del self._away[name]
        with suppress(KeyError):
            self.fleet.tell(name, signal.SIGCONT)
        self._lines.mend(name)

    def wrong(self) -> list[str]:
        """Return all that is not as it should be, once all is done."""
        with self._asked() as connection:
            record = Record(epochs_taken(connection), self._lines.opened)
            unproven = deleted_unproven(connection)
        effects = self._effects()
        wrong = [*self.fleet.wrong(), *violations(effects, record)]
        if unproven:
            wrong.append(f"{unproven} messages were deleted without a proven copy")
        if left := self.fleet.left():
            wrong.append(f"{left} messages are left at their sources")
        return wrong

    def counted(self) -> str:
        """Return how much was looked at."""
        with self._asked() as connection:
            taken = epochs_taken(connection)
        effects = Counter(effect.kind for effect in self._effects())
        newest: dict[str, int] = {}
        for one in taken:
            newest[one.account] = max(one.epoch, newest.get(one.account, 0))
        return (
            f"{effects['save']} copies, {effects['expunge']} deletions, {len(self._lines.opened)} connections,"
            f" {len(taken)} epochs of {len(newest)} accounts"
        )

    def _effects(self) -> list[Effect]:
        return list(effects_in(self._dovecot.log(), {"pop3": self._dovecot.pop3_port, "imap": self._dovecot.imap_port}))

    def _asked(self) -> psycopg.Connection:
        return psycopg.connect(self._server.dsn(self._database), autocommit=True)
