from __future__ import annotations

import pytest

from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import Ledger
from migrator.model import ListedMessage, MessageNumber, MessageRow, UniqueId
from migrator.operations.look_at_accounts import look_at_accounts
from migrator.operations.quarantine import Decision, Every, Quarantine, alike, review_quarantine, shared_reason
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


def test_a_cure_is_kept_apart_from_what_it_cures(office: Office, ledger: Ledger, row: int) -> None:
    said = Problem.of(FerryError(Kind.SHORT, "20 octets of 30 came", cure="look at the message on the server"))
    ledger.history.failed([(MessageRow(row), said)], 200.0)
    [message] = review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW).messages
    assert message.as_json()["message"] == said.message == "20 octets of 30 came; look at the message on the server"
    assert (shared_reason([message]), message.cure) == ("20 octets of 30 came", said.cure)
    assert ledger.history.problems([MessageRow(row)])[MessageRow(row)].cure == said.cure
    [looked_at] = look_at_accounts(office.config.accounts[:1], office.config, ledger)
    [aside] = looked_at.set_aside
    assert (aside.text, aside.cure) == ("20 octets of 30 came", said.cure)


@pytest.mark.parametrize("at_once", [1, 10_000])
def test_each_account_has_what_is_set_aside_of_it(at_once: int, office: Office, ledger: Ledger, row: int) -> None:
    maildrop = ledger.maildrop("bob", "localhost", 110, "bob")
    maildrop.match([ListedMessage(MessageNumber(1), UniqueId(b"new"), 100)])
    maildrop.note(100.0)
    [message] = maildrop.listed({})
    ledger.history.failed([(message.row, Problem(Kind.TOO_LARGE, "too large"))], 100.0)
    looked_at = look_at_accounts(office.config.accounts, office.config, ledger, at_once)
    said = {one.name: [aside.text for aside in one.set_aside] for one in looked_at if one.set_aside}
    assert said == {"alice": ["a bad block"], "bob": ["too large"]}


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
    with pytest.raises(ConfigError, match=f"{found[0].row}: somebody took its copy out"):
        review_quarantine(office.config.accounts, office.state_dir, ledger, retry=[found[0].row], now=NOW)
    assert not review_quarantine(office.config.accounts, office.state_dir, ledger, retry=Every(), now=NOW).decisions
    decided = review_quarantine(office.config.accounts, office.state_dir, ledger, accept=[found[0].row], now=NOW)
    assert [message.is_accepted for message in decided.messages] == [True]


@pytest.fixture
def rows(ledger: Ledger) -> list[int]:
    """Four messages: three were refused with the same words, one is too large."""
    maildrop = ledger.maildrop("alice", "localhost", 110, "alice")
    maildrop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 100) for n in (1, 2, 3, 4)])
    maildrop.note(100.0)
    numbers = [message.row for message in maildrop.listed({})]
    problems = [Problem(Kind.REFUSED, "no")] * 3 + [Problem(Kind.TOO_LARGE, "too large")]
    ledger.history.failed(list(zip(numbers, problems, strict=True)), 100.0)
    return list(numbers)


def test_one_decision_is_about_all_or_about_all_of_a_kind(office: Office, ledger: Ledger, rows: list[int]) -> None:
    accounts = office.config.accounts
    refused = review_quarantine(accounts, office.state_dir, ledger, accept=Every(Kind.REFUSED), now=NOW)
    assert [decision.row for decision in refused.decisions] == rows[:3]
    rest = review_quarantine(accounts, office.state_dir, ledger, accept=Every(), now=NOW)
    assert [decision.row for decision in rest.decisions] == rows[3:]
    taken_back = review_quarantine(accounts, office.state_dir, ledger, retry=Every(), now=NOW)
    assert [decision.row for decision in taken_back.decisions] == rows
    assert taken_back.messages == ()


def test_a_decision_about_all_is_about_the_accounts_named(office: Office, ledger: Ledger, rows: list[int]) -> None:
    bob = office.config.select(["bob"])
    assert review_quarantine(bob, office.state_dir, ledger, accept=Every(), now=NOW).decisions == ()
    assert ledger.history.numbers("alice").failed == len(rows)


def test_equal_cases_are_one_group_until_they_are_decided_otherwise(
    office: Office, ledger: Ledger, rows: list[int]
) -> None:
    def groups() -> list[int]:
        found = review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW)
        return sorted(map(len, alike(found.messages)))

    assert groups() == [1, 3]
    review_quarantine(office.config.accounts, office.state_dir, ledger, accept=rows[:1], now=NOW)
    assert groups() == [1, 1, 2]


def test_a_message_is_named_as_a_person_knows_it_where_the_index_does(
    office: Office, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    next((office.root / "archive" / "b" / "new").iterdir()).unlink()
    verify_archive(office.config.accounts, office.config, ledger)
    before = review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW)
    assert before.envelope(before.messages[0]).as_json() == {"date": None, "from": None, "subject": None}
    assert office.call("search", "bread") == 0
    after = review_quarantine(office.config.accounts, office.state_dir, ledger, now=NOW)
    assert after.envelope(after.messages[0]).subject in {"lunch", "dinner", "undated"}
    capsys.readouterr()
