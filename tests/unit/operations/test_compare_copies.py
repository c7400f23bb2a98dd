from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.message.digest import canonical
from migrator.model import ListedMessage, MessageNumber, MessageRow, UniqueId
from migrator.operations.compare_copies import Role, Version, first_difference, versions_of
from migrator.operations.quarantine import review_quarantine
from migrator.parse.process import Parser
from migrator.report import Problem
from tests.unit.archive.office import Office

FIRST = canonical(b"Subject: one\nFrom: ann@example.org\n\nthe first of two\n")
SECOND = canonical(b"Subject: two\nFrom: bob@example.org\n\nthe second of two\n")
SHARED = UniqueId(b"the same")


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


def seen(ledger: Ledger, *unique_ids: UniqueId) -> list[MessageRow]:
    """Let a maildrop of alice show these; returns their numbers."""
    drop = ledger.maildrop("alice", "pop.example.org", 995, "alice")
    drop.match([ListedMessage(MessageNumber(n), name, 10) for n, name in enumerate(unique_ids, 1)])
    drop.note(1.0)
    return [message.row for message in drop.listed({})]


def versions(office: Office, ledger: Ledger, row: MessageRow, parser: Parser) -> tuple[Version, ...]:
    [alice] = office.config.select(["alice"])
    [message] = review_quarantine([alice], office.state_dir, ledger, now=5.0).messages
    assert message.row == row
    return versions_of(message, alice, office.config, ledger, parser)


def test_messages_of_one_unique_id_stand_side_by_side(office: Office, ledger: Ledger, parser: Parser) -> None:
    one, two = office.copy([FIRST, SECOND])
    rows = seen(ledger, SHARED, SHARED)
    ledger.maildrop("alice", "pop.example.org", 995, "alice").identified(list(zip(rows, (one, two), strict=True)))
    ledger.history.failed([(rows[0], Problem(Kind.AMBIGUOUS, "which is it?"))], 2.0)
    found = versions(office, ledger, rows[0], parser)
    assert [(version.role, version.text) for version in found] == [
        (Role.RETRIEVED, "the first of two"),
        (Role.SAME_NAME, "the second of two"),
    ]
    assert [version.digest for version in found] == [one, two]
    assert [version.headers and version.headers.sender for version in found] == ["ann@example.org", "bob@example.org"]


def test_a_message_that_never_came_has_no_version(office: Office, ledger: Ledger, parser: Parser) -> None:
    [row] = seen(ledger, SHARED)
    ledger.history.failed([(row, Problem(Kind.SHORT, "it breaks off"))], 2.0)
    assert versions(office, ledger, row, parser) == ()


def test_a_copy_that_cannot_be_read_says_why(office: Office, ledger: Ledger, parser: Parser) -> None:
    [one] = office.copy([FIRST])
    [row] = seen(ledger, SHARED)
    ledger.maildrop("alice", "pop.example.org", 995, "alice").identified([(row, one)])
    ledger.history.failed([(row, Problem(Kind.CHANGED, "it is another now"))], 2.0)
    for file in [*(office.root / "archive").rglob("*.mbox"), *(office.root / "archive").rglob("new/*")]:
        file.unlink()
    [version] = versions(office, ledger, row, parser)
    assert (version.role, version.text, version.content) == (Role.RETRIEVED, "", b"")
    assert version.problem


@pytest.mark.parametrize(
    ("first", "second", "line", "shown"),
    [
        (b"a\r\nb\r\n", b"a\r\nc\r\n", 2, ("b", "c")),
        (b"a\r\nb\rc\r\n", b"a\r\nbc\r\n", 2, (r"b\rc", "bc")),
        (b"a\r\n", b"a\r\nb\r\n", 2, ("", "b")),
        (b"x" * 500 + b"1", b"x" * 500 + b"2", 1, ("x" * 100 + "1", "x" * 100 + "2")),
        (b"\xc3\xa4", b"\x1b[2J", 1, (r"\xc3\xa4", r"\x1b[2J")),
    ],
)
def test_the_first_difference_is_shown_and_harmless(
    first: bytes, second: bytes, line: int, shown: tuple[str, str]
) -> None:
    found = first_difference(first, second)
    assert found is not None
    assert (found.line, found.first, found.second) == (line, *shown)


def test_what_is_equal_differs_nowhere() -> None:
    assert first_difference(FIRST, FIRST) is None
