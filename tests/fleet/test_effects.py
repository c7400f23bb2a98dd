"""The torture would notice: each thing that must not be is planted, and found."""

from __future__ import annotations

import imaplib
import os
import poplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest

from migrator.ledger import Ledger
from tests.conftest import StartDovecot
from tests.fleet.effects import DOVECOT_SETTINGS, WATCH, Effect, Record, Taken, effects_in, epochs_taken, violations
from tests.fleet.lines import Lines, Opened, owner_of
from tests.mail import letters
from tests.servers.dovecot import Dovecot
from tests.servers.process import LOOPBACK

ONE, TWO = 101, 102
"""Two processes."""
TAKEN = [Taken("n1", 1, ONE, 10.0), Taken("n1", 2, TWO, 30.0), Taken("n1", 3, ONE, 50.0), Taken("n2", 1, TWO, 5.0)]
IMAP, POP3 = 143, 110
OPENED = [
    Opened(IMAP, 7001, ONE, 11.0),
    Opened(POP3, 7001, ONE, 11.0),
    Opened(IMAP, 7002, TWO, 31.0),
    Opened(POP3, 7002, ONE, 31.5),
    Opened(POP3, 7003, ONE, 51.0),
    Opened(IMAP, 7001, TWO, 60.0),
]
RECORD = Record(TAKEN, OPENED)


def stored(message: str, port: int, at: float) -> Effect:
    return Effect("n1", "save", message, IMAP, port, at)


def deleted(message: str, port: int, at: float) -> Effect:
    return Effect("n1", "expunge", message, POP3, port, at)


def test_what_each_did_while_it_had_the_account_is_as_it_should_be() -> None:
    effects = [stored("<a>", 7001, 12.0), stored("<b>", 7002, 32.0), deleted("<a>", 7003, 52.0)]
    assert violations(effects, RECORD) == []
    assert [RECORD.epoch_of(effect) for effect in effects] == [1, 2, 3]


def test_a_session_whose_log_in_is_logged_late_is_known() -> None:
    log = (
        "2026-11-30 18:57:02.980785 imap(to-1)<s1>: Info: save: box=INBOX, uid=12, msgid=<a@x>\n"
        "2026-11-30 18:57:02.983771 imap-login: Info: Login: user=<to-1>, rport=<7001>, session=<s1>\n"
    )
    [effect] = effects_in(log, {"imap": IMAP, "pop3": POP3})
    assert (effect.account, effect.kind, effect.message, effect.server, effect.port) == (
        "n1",
        "save",
        "<a@x>",
        143,
        7001,
    )


@pytest.mark.parametrize(
    ("effects", "says"),
    [
        ([stored("<a>", 7001, 31.0)], "under epoch 1, though 2 had been taken"),
        ([stored("<a>", 7002, 32.0), deleted("<a>", 7001, 32.5)], "expunge of <a> at 32.500 under epoch 1, though 2"),
        ([stored("<a>", 7002, 52.0)], "under epoch 2, though 3"),
        ([stored("<a>", 7004, 12.0)], "by nobody known"),
        ([stored("<a>", 7001, 10.5)], "by nobody known"),
        ([stored("<a>", 7001, 12.0), deleted("<b>", 7001, 13.0)], "expunge of <b> at 13.000 though no copy"),
    ],
)
def test_what_must_not_be_is_named(effects: list[Effect], says: str) -> None:
    [found] = violations(effects, RECORD)
    assert says in found


@dataclass
class Scene:
    """A ledger whose epochs are watched, and a Dovecot behind lines on which this process is the worker."""

    connection: psycopg.Connection
    dovecot: Dovecot
    lines: Lines
    pop3_port: int
    imap_port: int

    def take(self, epoch: int, process: int) -> None:
        """Count the epoch of the account up, as a worker in that process would."""
        self.connection.execute(
            "insert into leases values ('account n1', %s, %s, now()) on conflict (name)"
            " do update set epoch = excluded.epoch, holder = excluded.holder",
            [epoch, f"here, process {process}"],
        )

    def found(self) -> list[str]:
        effects = list(effects_in(self.dovecot.log(), {"pop3": self.dovecot.pop3_port, "imap": self.dovecot.imap_port}))
        return violations(effects, Record(epochs_taken(self.connection), self.lines.opened))

    def pop3(self) -> poplib.POP3:
        session = poplib.POP3(LOOPBACK, self.pop3_port, timeout=20)
        session.user("from-1")
        session.pass_(self.dovecot.password)
        return session

    def append(self, message: bytes) -> None:
        with imaplib.IMAP4(LOOPBACK, self.imap_port, timeout=20) as session:
            session.login("to-1", self.dovecot.password)
            session.append("INBOX", "", "", message)


@pytest.fixture
def scene(database: str, start_dovecot: StartDovecot) -> Iterator[Scene]:
    Ledger.open(database).close()
    dovecot = start_dovecot(settings=DOVECOT_SETTINGS)
    with (
        psycopg.connect(database, autocommit=True) as connection,
        Lines(lambda: {"me": os.getpid()}) as lines,
    ):
        connection.execute(WATCH)
        pop3, imap = lines.to(dovecot.pop3_port, "mail"), lines.to(dovecot.imap_port, "mail")
        yield Scene(connection, dovecot, lines, pop3, imap)


def test_a_zombie_that_deletes_after_it_was_overtaken_is_found_in_the_servers_log(scene: Scene) -> None:
    message, other = letters(2)
    scene.dovecot.deliver("from-1", [message, other])
    scene.take(1, os.getpid())
    scene.append(message)
    session = scene.pop3()
    session.dele(1)
    session.quit()
    assert scene.found() == []
    scene.append(other)
    sleeper = scene.pop3()
    sleeper.dele(1)
    scene.take(2, os.getpid() + 1)
    sleeper.quit()
    [found] = scene.found()
    assert "expunge of <2@example.org>" in found
    assert "under epoch 1, though 2 had been taken" in found


def test_a_line_that_is_cut_holds_what_is_said_until_it_is_mended(scene: Scene) -> None:
    scene.take(1, os.getpid())
    scene.append(letters(1)[0])
    session = scene.pop3()
    began = time.time()
    scene.lines.cut("me", "mail")
    session.sock.sendall(b"NOOP\r\n")
    session.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        session.sock.recv(100)
    with socket.create_connection((LOOPBACK, scene.pop3_port)) as other:
        other.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.recv(100)
    scene.lines.mend("me")
    session.sock.settimeout(20)
    assert session.sock.recv(100).startswith(b"+OK")
    session.quit()
    assert began - 60 < scene.lines.opened[0].at <= began


def test_what_was_taken_back_by_a_reset_is_not_forwarded_when_the_line_is_mended(scene: Scene) -> None:
    scene.dovecot.deliver("from-1", letters(1))
    session = scene.pop3()
    session.dele(1)
    scene.lines.cut("me", "mail")
    session.sock.sendall(b"QUIT\r\n")
    mended = threading.Event()
    mended.wait(0.3)  # the line takes it in
    session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    session.file.close()
    session.sock.close()
    scene.lines.mend("me")
    with closing(scene.pop3()) as after:
        assert after.stat()[0] == 1


def test_only_workers_are_let_through(scene: Scene) -> None:
    code = f"import socket; s = socket.create_connection(('127.0.0.1', {scene.pop3_port})); print(s.recv(10))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout == "b''\n"
    assert owner_of(1, scene.pop3_port, {"me": os.getpid()}) is None
