from __future__ import annotations

import pytest

from migrator.errors import ConfigError, Kind
from migrator.ledger import Ledger
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.operations.quarantine import Decision, Quarantine, review_quarantine
from migrator.operations.verify import verify_archive
from migrator.report import Problem
from tests.unit.archive.office import Office

NOW = 2_000_000_000.0


@pytest.fixture
def row(ledger: Ledger) -> int:
    """The number of a message that could not be retrieved."""
    maildrop = ledger.maildrop("alice", "localhost", 110, "alice")
    maildrop.match([ListedMessage(MessageNumber(1), UniqueId(b"new"), 100)])
    maildrop.note(100.0)
    [message] = maildrop.listed({})
    ledger.history.failed([(message.row, Problem(Kind.REFUSED, "a bad block"))], 100.0)
    return message.row


def test_what_is_set_aside_is_listed_until_a_person_decides(office: Office, ledger: Ledger, row: int) -> None:
    accounts = office.config.accounts
    [message] = review_quarantine(accounts, office.state_dir, ledger, now=NOW).messages
    assert (message.row, message.account, message.as_json()["message"]) == (row, "alice", "a bad block")
    accepted = review_quarantine(accounts, office.state_dir, ledger, accept=[row], now=NOW)
    assert accepted.decisions == (Decision(row, "alice", is_retried=False),)
    assert [message.is_accepted for message in accepted.messages] == [True]
    retried = review_quarantine(accounts, office.state_dir, ledger, retry=[row], now=NOW)
    assert retried == Quarantine((), (Decision(row, "alice", is_retried=True),))


def test_a_strange_number_decides_nothing(office: Office, ledger: Ledger, row: int) -> None:
    with pytest.raises(ConfigError, match="4711: no message with this number"):
        review_quarantine(office.config.accounts, office.state_dir, ledger, retry=[row, 4711], now=NOW)
    assert len(review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW).messages) == 1


def test_without_a_ledger_nothing_is_set_aside(office: Office) -> None:
    assert review_quarantine(office.config.accounts, office.state_dir, None, now=NOW).as_json() == {"messages": []}
    with pytest.raises(ConfigError):
        review_quarantine(office.config.accounts, office.state_dir, None, accept=[7], now=NOW)


def test_what_a_person_took_out_can_be_accepted(office: Office, ledger: Ledger) -> None:
    next((office.root / "archive" / "b" / "new").iterdir()).unlink()
    verify_archive(office.config.accounts, office.config, ledger)
    found = review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW).messages
    assert [message.kind for message in found] == [Kind.MISMATCH]
    decided = review_quarantine(office.config.accounts, office.state_dir, ledger, accept=[found[0].row], now=NOW)
    assert [message.is_accepted for message in decided.messages] == [True]
