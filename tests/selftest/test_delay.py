"""What the delaying proxy claims to do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from threading import Event, Semaphore

from tests.servers.delay import DelayProxy
from tests.servers.line_client import LineClient
from tests.servers.pop3 import Command, Fault, Maildrop, Pop3Server
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import Wire
from tests.servers.process import answers

BODY = b"Subject: long\r\n\r\n" + b"x" * 2_000_000 + b"\r\n"


class Clock:
    """Time that passes only while somebody sleeps, and only as often as the test lets it."""

    def __init__(self) -> None:
        self.looks = Semaphore(0)
        self.may_sleep = Semaphore(0)
        self._now = 0.0

    def now(self) -> float:
        self.looks.release()
        return self._now

    def sleep(self, seconds: float) -> None:
        self.may_sleep.acquire()
        self._now += seconds


class CountedCommands(Fault):
    def __init__(self, enough: int) -> None:
        self._missing = enough
        self.all_came = Event()

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        self._missing -= command.verb == "USER"
        if not self._missing:
            self.all_came.set()
        return wire


def test_each_exchange_takes_a_round_trip() -> None:
    with (
        Pop3Server(Maildrop()) as server,
        DelayProxy(server.port, round_trip=0.02) as proxy,
        LineClient(proxy.port) as client,
    ):
        client.reply()
        start = time.monotonic()
        client.ask(b"CAPA")
        assert time.monotonic() - start >= 0.02


def test_what_is_sent_together_is_late_once() -> None:
    clock, plural = Clock(), CountedCommands(100)
    with (
        Pop3Server(Maildrop(), faults=[plural]) as server,
        DelayProxy(server.port, round_trip=60, clock=clock.now, sleep=clock.sleep) as proxy,
        LineClient(proxy.port) as client,
    ):
        for _ in range(2):  # the greeting: stamped, and looked at before the sleep that it needs
            clock.looks.acquire()
        for number in range(100):
            client.say(b"USER ann")
            clock.looks.acquire()  # stamped
            if number == 0:
                clock.looks.acquire()  # the first is on its way and sleeps; the others queue up behind it
        assert not server.commands
        clock.may_sleep.release(2)  # one sleep for the greeting, one for all the commands
        assert plural.all_came.wait(30)
        clock.may_sleep.release(1000)


def test_no_byte_is_changed_or_lost() -> None:
    with (
        Pop3Server(Maildrop([BODY])) as server,
        DelayProxy(server.port, round_trip=0) as proxy,
        LineClient(proxy.port) as client,
    ):
        client.log_in(server.password)
        client.say(b"RETR 1", b"QUIT")
        assert client.reply().startswith(b"+OK")
        assert client.body() == BODY
        assert client.reply() == b"+OK bye\r\n"
        assert client.rest() == b""


def test_an_end_that_hangs_up_is_passed_on() -> None:
    with Pop3Server(Maildrop()) as server, DelayProxy(server.port, round_trip=0) as proxy:
        with LineClient(proxy.port) as client:
            client.reply()
            server.stop()
            assert client.rest() == b""
        with LineClient(proxy.port) as client:
            assert client.rest() == b""


def test_serves_as_a_process_of_its_own_until_standard_input_closes() -> None:
    with Pop3Server(Maildrop()) as server:
        command = [sys.executable, "-m", "tests.servers.delay", str(server.port), "--round-trip", "2"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            with LineClient(port) as client:
                assert client.reply().startswith(b"+OK")
        assert process.returncode == 0
        assert not answers(port)


def test_a_line_that_carries_so_many_octets_breaks_behind_them_each_time() -> None:
    with Pop3Server(Maildrop([BODY])) as server, DelayProxy(server.port, carries=100_000) as proxy:
        for _ in range(2):
            with LineClient(proxy.port) as client:
                client.log_in(server.password)
                client.say(b"RETR 1")
                assert 99_000 < len(client.rest()) < 100_000
