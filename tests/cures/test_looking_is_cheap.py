"""What it costs to look: the ledger is opened once a command, and asked a bounded number of things for each account."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import pytest

from tests.command_line import account, maildir, mbox, source
from tests.cures.bench import Bench
from tests.servers.pop3 import Pop3Server

PER_ACCOUNT = 40
"""Statements for one more account with two archives, at most; the number of its messages does not matter."""


@dataclass
class Watch:
    """What was opened and asked while somebody watched."""

    is_on: bool = False
    opened: list[str] = field(default_factory=list)
    statements: int = 0

    def hears(self, event: str, arguments: tuple[object, ...]) -> None:
        """Hear an audit event of the interpreter (PEP 578), which nothing can take back."""
        if self.is_on and event == "sqlite3.connect":
            self.opened.append(str(arguments[0]))

    def _sees(self, _frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and isinstance(getattr(called, "__self__", None), sqlite3.Connection):
            self.statements += getattr(called, "__name__", "").startswith("execute")

    @contextmanager
    def on(self) -> Iterator[None]:
        self.opened, self.statements, self.is_on = [], 0, True
        before = sys.getprofile()
        sys.setprofile(self._sees)
        try:
            yield
        finally:
            sys.setprofile(before)
            self.is_on = False


WATCH = Watch()
sys.addaudithook(WATCH.hears)


def has_accounts(bench: Bench, server: Pop3Server, count: int) -> None:
    bench.writes(
        *(
            account(f"user{n}", source(server.port, user=f"user{n}"), mbox(f"mbox/{n}"), maildir(f"maildir/{n}"))
            for n in range(count)
        )
    )
    bench.migrates()


@pytest.mark.parametrize("command", ["status", "doctor", "check"])
def test_the_ledger_is_opened_once(bench: Bench, server: Pop3Server, command: str) -> None:
    has_accounts(bench, server, 2)
    with WATCH.on():
        assert bench.ferry(command).code == 0
    assert sum("ledger.sqlite3" in path for path in WATCH.opened) == 1, WATCH.opened


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_each_account_costs_a_few_statements(bench: Bench, server: Pop3Server, command: str) -> None:
    counted = []
    for count in (2, 12):
        has_accounts(bench, server, count)
        with WATCH.on():
            assert bench.ferry(command).code == 0
        counted.append(WATCH.statements)
    assert counted[0]
    assert counted[1] - counted[0] <= 10 * PER_ACCOUNT, counted
