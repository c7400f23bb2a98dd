"""What may pass in a moment is waited for once, for two seconds, wherever the server says it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.errors import FerryError, Kind
from migrator.net.tls import TlsMode, TlsSettings
from tests.contract.support import Memory, read, store
from tests.mail import simple
from tests.servers.imap import Answers, DropBefore, Greets, ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes

PASSING = b"NO Server Unavailable. 15"


class Once(Greets):
    """Greets with these words once."""

    has_greeted = False

    def greeting(self) -> bytes | None:
        words, self.has_greeted = None if self.has_greeted else self.words, True
        return words


def naps_of(fault: ImapFault, state_dir: Path, messages: int = 3) -> list[float]:
    """Store and read back through this fault; return the pauses that were made."""
    naps: list[float] = []
    with ImapServer(Mailboxes(), faults=[fault]) as server:
        settings = ImapSettings(server.host, server.port, "ann", tls=TlsSettings(TlsMode.NONE), folder="Old")
        destination = ImapDestination(settings, lambda: server.password, state_dir=state_dir, sleep=naps.append)
        with closing(destination):
            stored = store(destination, Memory(), [simple(number) for number in range(messages)])
            for error in stored.outcomes:
                if isinstance(error, FerryError):
                    raise error
            assert len(read(destination, stored)) == messages
    return naps


@pytest.mark.parametrize("command", ["LOGIN", "LIST", "CREATE", "EXAMINE", "APPEND", "UID FETCH"])
def test_one_passing_no_costs_one_pause(command: str, tmp_path: Path) -> None:
    assert naps_of(Answers(command, words=PASSING, times=1), tmp_path) == [2.0]


def test_a_greeting_that_turns_us_away_once_costs_one_pause(tmp_path: Path) -> None:
    assert naps_of(Once(b"* BYE [UNAVAILABLE] overloaded"), tmp_path) == [2.0]


def test_the_pause_is_as_long_as_the_server_asks_for(tmp_path: Path) -> None:
    throttled = b"NO Request is throttled. Suggested Backoff Time: 1500 milliseconds"
    assert naps_of(Answers("EXAMINE", words=throttled, times=1), tmp_path) == [1.5]


@pytest.mark.parametrize(
    "words",
    [
        b"NO Request is throttled. Suggested Backoff Time: 300000 milliseconds",
        b"NO [ALERT] Too many simultaneous connections. (Failure)",
    ],
)
def test_a_long_pause_and_too_many_connections_are_not_waited_for(words: bytes, tmp_path: Path) -> None:
    with pytest.raises(FerryError) as raised:
        naps_of(Answers("LOGIN", words=words), tmp_path)
    assert raised.value.kind is Kind.TEMPORARY


def test_a_server_that_always_goes_down_at_the_same_point_is_left_alone_in_the_end(tmp_path: Path) -> None:
    with pytest.raises(FerryError, match="going down"):
        naps_of(DropBefore("UID FETCH", bye=b"* BYE [UNAVAILABLE] going down\r\n"), tmp_path, messages=1)


@pytest.mark.parametrize("command", ["LOGIN", "CREATE", "EXAMINE"])
def test_what_does_not_pass_ends_the_run_after_one_pause(command: str, tmp_path: Path) -> None:
    with pytest.raises(FerryError, match=r"Server Unavailable\. 15") as raised:
        naps_of(Answers(command, words=PASSING), tmp_path)
    assert raised.value.kind is Kind.TEMPORARY
