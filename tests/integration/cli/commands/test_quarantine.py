from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, Ferry, archived_account
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Command, Fault, Pop3Server
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import Wire, one


class Refuses(Fault):
    """Does not give the third message."""

    is_on = True

    def instead(self, session: Session, command: Command) -> Wire | None:
        refused = self.is_on and command.verb == "RETR" and command.number == 3
        return one(b"-ERR the disk has a bad block") if refused else None


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Pop3Server, Refuses]]:
    fault = Refuses()
    with Pop3Server(Maildrop(MESSAGES), faults=[fault]) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        yield server, fault


def test_without_a_ledger_nothing_is_set_aside(ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", 1110))
    assert ferry("quarantine", "--json").document == {"messages": []}
    assert ferry("quarantine").err == "Nothing is set aside.\n"
    assert ferry("quarantine", "--retry", "7").code == 2


def test_what_was_set_aside_has_its_reason_and_can_be_tried_again(
    ferry: Ferry, refusing: tuple[Pop3Server, Refuses], tmp_path: Path
) -> None:
    server, fault = refusing
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 1
    [message] = ferry("quarantine", "--json").document["messages"]
    assert (message["account"], message["kind"], message["uidl"]) == ("alice", "refused", "uid-00000003")
    assert "the disk has a bad block" in message["message"]
    text = ferry("quarantine", "alice").out
    assert text.startswith(f"{message['number']}  alice: message uid-00000003 (")
    assert "\n    [refused] " in text

    fault.is_on = False
    retried = ferry("quarantine", "--retry", str(message["number"]))
    assert (retried.code, retried.out) == (0, "")
    assert "will be tried again at the next run of alice" in retried.err
    assert ferry("migrate").code == 0
    assert ferry("quarantine", "--json").document == {"messages": []}


def test_what_a_person_accepts_is_no_failure_any_more(
    ferry: Ferry, refusing: tuple[Pop3Server, Refuses], tmp_path: Path
) -> None:
    server, _ = refusing
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 1
    [message] = ferry("quarantine", "--json").document["messages"]
    accepted = ferry("quarantine", "--accept", str(message["number"]))
    assert "stays where it is and is reported no more" in accepted.err
    assert ", accepted\n" in accepted.out
    assert ferry("migrate").code == 0
    assert len(server.maildrop.left()) == 12


def test_a_number_that_is_not_set_aside_is_wrong_usage(
    ferry: Ferry, refusing: tuple[Pop3Server, Refuses], tmp_path: Path
) -> None:
    server, _ = refusing
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 1
    done = ferry("quarantine", "--accept", "4711")
    assert (done.code, done.err) == (2, "4711: no message with this number is set aside; see mailferry quarantine\n")
