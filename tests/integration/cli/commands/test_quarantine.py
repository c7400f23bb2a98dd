from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, Ferry, archived_account
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Command, Fault, Pop3Server
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import HangUp, Wire, one


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
    assert "stays where it is and is no longer reported" in accepted.err
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


class RefusesMost(Fault):
    """Does not give the messages from the third on."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        is_refused = command.verb == "RETR" and (command.number or 0) >= 3
        return one(b"-ERR the disk has a bad block") if is_refused else None


@pytest.fixture
def mostly_refused(ferry: Ferry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Alice, of whose twelve messages ten are refused with the same words."""
    with Pop3Server(Maildrop(MESSAGES), faults=[RefusesMost()]) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
        assert ferry("migrate").code == 1
        yield


@pytest.mark.usefixtures("mostly_refused")
def test_equal_cases_are_one_line_and_one_decision_that_everything_respects(ferry: Ferry) -> None:
    [head, reason] = ferry("quarantine").out.splitlines()
    assert head.startswith("3-12  alice: 10 messages (")
    assert head.endswith(", 1 attempt")
    assert reason.startswith("    [refused] ")
    assert len(ferry("quarantine", "-v").out.splitlines()) == 20
    accepted = ferry("quarantine", "alice", "--accept", "--all")
    assert accepted.err.startswith("alice: 10 messages (3-12) stay where they are and are no longer reported\n")
    assert "[refused]" not in ferry("status").out
    assert ": done, but for what was accepted since\n" in ferry("status").out
    assert ferry("migrate").code == 0
    [alice] = ferry("status", "--json").document["accounts"]
    assert (alice["failed"], alice["accepted"], alice["oldest_not_safe"]) == (0, 10, None)
    status = ferry("status").out
    assert "set aside" not in status
    assert "+ 10 accepted; 0 deleted so far" in status
    assert "set aside" not in ferry("doctor").out
    assert "will be tried again at its next run" in ferry("quarantine", "--retry", "--kind", "refused").err
    assert ferry("quarantine", "--json").document == {"messages": []}


@pytest.mark.usefixtures("mostly_refused")
def test_numbers_and_names_may_stand_behind_one_option(ferry: Ferry) -> None:
    done = ferry("quarantine", "--accept", "3", "5", "alice")
    assert done.err.startswith("alice: 2 messages (3, 5) stay where they are")
    assert "3, 5  alice: 2 messages" in done.out
    assert "4, 6-12  alice: 8 messages" in done.out
    assert ferry("quarantine", "--retry", "3", "--retry", "5", "--json").code == 0
    kinds = ferry("quarantine", "--kind", "too-large", "--json").document
    assert kinds == {"messages": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all"], "--all: goes with --retry or --accept"),
        (["--accept"], "--accept: say which messages: their numbers, --all, or --kind KIND"),
        (["--accept", "all"], "did you mean --all?"),
        (["--retry", "3", "--all"], "--retry: takes numbers, or --all or --kind, not both"),
        (["--accept", "--kind", "unprooven"], "--kind: 'unprooven' is none of connect, "),
        (["--accept", "3", "bob"], 'there is no account "bob"'),
    ],
)
@pytest.mark.usefixtures("mostly_refused")
def test_a_choice_that_says_nothing_or_too_much_decides_nothing(ferry: Ferry, arguments: list[str], said: str) -> None:
    done = ferry("quarantine", *arguments)
    assert done.code == 2
    assert said in done.err
    assert [one["accepted"] for one in ferry("quarantine", "--json").document["messages"]] == [False] * 10


class HangsUp(Fault):
    """Closes the line where the third message is asked for."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        if command.verb == "RETR" and command.number == 3:
            raise HangUp
        return None


def test_a_run_is_one_attempt_however_many_of_its_sessions_tried(
    ferry: Ferry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Pop3Server(Maildrop(MESSAGES), faults=[HangsUp()]) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
        for runs in (1, 2):
            assert ferry("migrate").code == 1
            [message] = ferry("quarantine", "--json").document["messages"]
            assert message["attempts"] == runs
