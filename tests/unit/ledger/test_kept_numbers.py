"""The numbers kept of an account are those that counting gives, whatever happened in whatever order."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from migrator.copy_records import MaildirAnchor
from migrator.errors import FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.archive import DoubtfulMessage
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.maildrops import MaildropLedger
from migrator.model import (
    CopyState,
    Digest,
    ListedMessage,
    MaildirLocator,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.policy import WhenCopyIsGone
from migrator.report import AccountReport, Problem
from migrator.run.counters import RunCounters
from tests.kept_numbers import kept_accounts_in, wrongly_kept, wrongly_kept_in
from tests.mail import simple
from tests.unit.ledger.test_connection import put_first_release

ACCOUNTS = ("alice", "bob")
HOSTS = ("old.example.org", "new.example.org")

accounts = st.sampled_from(ACCOUNTS)
numbers = st.integers(1, 6)


def report_of(account: str) -> AccountReport:
    return RunCounters(account).report(0.0)


def kept_accounts(ledger: Ledger) -> set[str]:
    with ledger._connection.reading() as sql:  # noqa: SLF001  # what it keeps is the point
        return kept_accounts_in(sql)


class Histories(RuleBasedStateMachine):
    """What runs, verification and people may say to the ledger of two accounts; what it refuses changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mailferry-numbers-"))
        self.ledger = Ledger.open(self.folder)
        self.other = self.ledger.another()
        self.places = [self.ledger.copies(name, "maildir") for name in ("maildir:/a", "maildir:/b")]
        self.now = 1.0
        self.runs: dict[str, int] = {}
        self.is_kept_at_once = True

    def teardown(self) -> None:
        self.other.close()
        self.ledger.close()
        shutil.rmtree(self.folder)

    @initialize(is_kept_at_once=st.booleans())
    def how_often_runs_end(self, is_kept_at_once: bool) -> None:
        self.is_kept_at_once = is_kept_at_once

    @property
    def wishes(self) -> dict[int, WhenCopyIsGone]:
        return {place.destination_id: WhenCopyIsGone.KEEP for place in self.places}

    def drop(self, account: str, host: str = HOSTS[0]) -> MaildropLedger:
        self.now += 1.0
        return self.ledger.maildrop(account, host, 995, account)

    @rule(account=accounts, host=st.sampled_from(HOSTS), shown=st.lists(numbers, max_size=6), shift=st.integers(0, 1))
    def a_listing(self, account: str, host: str, shown: list[int], shift: int) -> None:
        drop = self.drop(account, host)
        listing = [
            ListedMessage(MessageNumber(place), UniqueId(b"%d" % (number + 10 * shift)), 100 + number)
            for place, number in enumerate(shown, 1)
        ]
        drop.match(listing)
        known = {candidate.octets: candidate.row for candidate in drop.last_listed()}
        unknown = drop.unknown(known.keys())
        drop.recognised([(place, known.pop(octets)) for place, octets in unknown.items() if octets in known])
        drop.note(self.now)

    @rule(place=st.integers(0, 1), number=numbers, state=st.sampled_from([*CopyState]))
    def a_copy(self, place: int, number: int, state: CopyState) -> None:
        copies, message = self.places[place], simple(number)
        known = copies.find([message.digest])
        proof = Proof.EXACT if state is CopyState.VERIFIED else Proof.NONE
        with suppress(FerryError):
            copy_id = known[message.digest].copy_id if known else self._stored(copies, number)
            copies.judged([Judged(copy_id, state, proof, "why")], self.now)

    def _stored(self, copies: CopiesLedger, number: int) -> int:
        [copy_id] = copies.intended(MaildirAnchor(""), [(simple(number), b"")], self.now).values()
        copies.stored([(copy_id, MaildirLocator(f"f{number}"))], [])
        return copy_id

    @rule(account=accounts, row=numbers, number=numbers)
    def is_copied(self, account: str, row: int, number: int) -> None:
        with suppress(FerryError):
            self.drop(account).copied(self._pairs(account, row, number), self.now)

    @rule(account=accounts, row=numbers, number=numbers)
    def is_identified(self, account: str, row: int, number: int) -> None:
        with suppress(FerryError):
            self.drop(account).identified(self._pairs(account, row, number))

    def _pairs(self, account: str, row: int, number: int) -> list[tuple[MessageRow, Digest]]:
        rows = self._rows(account)
        return [(rows[row % len(rows)], simple(number).digest)] if rows else []

    def _rows(self, account: str) -> list[MessageRow]:
        with closing(sqlite3.connect(self.folder / FILE_NAME)) as sql:
            query = "select m.id from messages m join maildrops d on d.id = m.maildrop_id where d.account = ?"
            return [MessageRow(row) for (row,) in sql.execute(query, (account,))]

    @rule(account=accounts, number=numbers)
    def is_taken_over(self, account: str, number: int) -> None:
        drop = self.drop(account)
        drop.match([ListedMessage(MessageNumber(1), UniqueId(b"%d" % number), 100 + number)])
        drop.note(self.now)
        drop.taken_over([(MessageNumber(1), simple(number).digest)], self.wishes, self.now)

    @rule(account=accounts)
    def what_is_held_is_settled(self, account: str) -> None:
        with suppress(FerryError):
            self.drop(account).settle(self.wishes, self.now)

    @rule(account=accounts, row=numbers, kind=st.sampled_from([Kind.REFUSED, Kind.UNPROVEN]))
    def fails(self, account: str, row: int, kind: Kind) -> None:
        if rows := self._rows(account):
            self.ledger.history.failed([(rows[row % len(rows)], Problem(kind, "why"))], self.now)

    @rule(account=accounts, row=numbers, decision=st.sampled_from(["retry", "accept", "accept_doubtful"]))
    def a_person_decides(self, account: str, row: int, decision: str) -> None:
        self.now += 1.0
        if not (rows := self._rows(account)):
            return
        chosen = rows[row % len(rows)]
        match decision:
            case "retry":
                self.other.history.retry(chosen)
            case "accept":
                self.other.history.accept(chosen, self.now)
            case _:
                self.other.archive.accept_doubtful(doubtful(chosen), self.now)

    @rule(account=accounts)
    def acceptances_lapse(self, account: str) -> None:
        self.drop(account).let_acceptances_lapse({place.destination_id: [Proof.NONE] for place in self.places})

    @rule(account=accounts, row=numbers, is_confirmed=st.booleans())
    def goes_at_the_source(self, account: str, row: int, is_confirmed: bool) -> None:
        drop = self.drop(account)
        if rows := self._rows(account):
            with suppress(FerryError):
                drop.headers_read([rows[row % len(rows)]])
                drop.deletion_requested([rows[row % len(rows)]])
                if is_confirmed:
                    drop.deleted([rows[row % len(rows)]], "+OK", self.now)

    @rule(account=accounts)
    def a_run_begins(self, account: str) -> None:
        self.runs[account] = self.ledger.history.run_started(account, self.now)

    @rule(account=accounts)
    def a_run_ends(self, account: str) -> None:
        if run := self.runs.pop(account, 0):
            self.ledger.history.run_ended(run, report_of(account), self.now)
            assert account in kept_accounts(self.ledger)

    @rule(account=accounts)
    def the_ledger_is_opened_again(self, account: str) -> None:
        self.ledger.history.numbers(account)
        self.ledger.close()
        self.ledger = Ledger.open(self.folder)
        self.places = [self.ledger.copies(name, "maildir") for name in ("maildir:/a", "maildir:/b")]

    @invariant()
    def asked_of_all_it_says_the_same(self) -> None:
        history = self.ledger.history
        assert history.numbers_of(ACCOUNTS) == {account: history.numbers(account) for account in ACCOUNTS}

    @invariant()
    def kept_numbers_are_counted_ones(self) -> None:
        assert wrongly_kept(self.folder) == {}
        if self.is_kept_at_once:
            for account in ACCOUNTS:
                self.a_run_begins(account)
                self.a_run_ends(account)
            assert wrongly_kept(self.folder) == {}


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def doubtful(row: MessageRow) -> DoubtfulMessage:
    return DoubtfulMessage(
        row, UniqueId(b"1"), 10, simple(1).digest, "maildir:/a", CopyState.GONE, Proof.NONE, "", 1.0, is_listed=True
    )


def traced(ledger: Ledger) -> sqlite3.Connection:
    with ledger._connection.reading() as sql:  # noqa: SLF001  # what it asks is the point
        assert isinstance(sql, sqlite3.Connection)
        return sql


class Statements:
    """The statements of a ledger that go through messages."""

    def __init__(self, ledger: Ledger) -> None:
        self.found: list[str] = []
        traced(ledger).set_trace_callback(self._hear)

    def _hear(self, statement: str) -> None:
        if "from messages" in statement or "from deletions" in statement:
            self.found.append(statement)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def statements(embedded: Ledger) -> Statements:
    return Statements(embedded)


def listed(ledger: Ledger, unique_ids: Sequence[bytes]) -> MaildropLedger:
    drop = ledger.maildrop("alice", "h", 995, "alice")
    drop.match([ListedMessage(MessageNumber(n), UniqueId(uid), 10) for n, uid in enumerate(unique_ids, 1)])
    drop.note(1.0)
    return drop


class Shelf:
    """Alice's six messages: proven, failed, known but not noted as copied, two that are new, accepted as altered."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.history = ledger, ledger.history
        self.copies = ledger.copies("maildir:/a", "maildir")
        self.wishes = {self.copies.destination_id: WhenCopyIsGone.KEEP}
        verdicts = {1: Proof.EXACT, 2: Proof.EXACT, 3: Proof.EXACT, 6: Proof.CANONICAL}
        self.digests = {number: simple(number).digest for number in verdicts}
        for number, proof in verdicts.items():
            state = CopyState.VERIFIED if proof is Proof.EXACT else CopyState.UNPROVEN
            [copy_id] = self.copies.intended(MaildirAnchor(""), [(simple(number), b"")], 1.0).values()
            self.copies.stored([(copy_id, MaildirLocator(f"f{number}"))], [])
            self.copies.judged([Judged(copy_id, state, proof, "why")], 1.0)
        self.drop = listed(ledger, [b"a", b"b", b"c", b"d", b"e", b"f"])
        self.drop.copied([self.message(1)], 1.0)
        self.drop.identified([self.message(3), self.message(6)])
        self.history.failed([(MessageRow(2), Problem(Kind.REFUSED, "why"))], 1.0)
        self.history.failed([(MessageRow(6), Problem(Kind.UNPROVEN, "why"))], 1.0)
        self.history.accept(MessageRow(6), 1.0)

    def message(self, number: int) -> tuple[MessageRow, Digest]:
        return MessageRow(number), self.digests[number]


def goes(shelf: Shelf) -> None:
    shelf.drop.headers_read([MessageRow(1)])
    shelf.drop.deletion_requested([MessageRow(1)])
    shelf.drop.deleted([MessageRow(1)], "+OK", 2.0)


@pytest.mark.parametrize(
    "changes",
    [
        lambda shelf: listed(shelf.ledger, [b"a"]),
        lambda shelf: shelf.drop.settle(shelf.wishes, 2.0),
        lambda shelf: shelf.drop.identified([shelf.message(1)]),
        lambda shelf: shelf.drop.copied([shelf.message(2)], 2.0),
        lambda shelf: shelf.drop.taken_over([(MessageNumber(4), shelf.digests[1])], shelf.wishes, 2.0),
        goes,
        lambda shelf: shelf.history.failed([(MessageRow(4), Problem(Kind.REFUSED, "why"))], 2.0),
        lambda shelf: shelf.history.retry(MessageRow(2)),
        lambda shelf: shelf.history.accept(MessageRow(2), 2.0),
        lambda shelf: shelf.ledger.archive.accept_doubtful(doubtful(MessageRow(4)), 2.0),
        lambda shelf: shelf.drop.let_acceptances_lapse({shelf.copies.destination_id: [Proof.CANONICAL]}),
    ],
)
def test_each_change_that_the_numbers_show_ends_what_was_kept(
    ledger: Ledger, changes: Callable[[Shelf], object]
) -> None:
    shelf = Shelf(ledger)
    a_run(ledger)
    before = ledger.history.numbers("alice")
    assert kept_accounts(ledger) == {"alice"}
    changes(shelf)
    assert kept_accounts(ledger) == set()
    assert ledger.history.numbers("alice") != before
    a_run(ledger)
    with ledger._connection.reading() as sql:  # noqa: SLF001  # what it keeps is the point
        assert wrongly_kept_in(sql) == {}


def a_run(ledger: Ledger) -> None:
    ledger.history.run_ended(ledger.history.run_started("alice", 1.0), report_of("alice"), 2.0)


def test_after_a_run_nobody_counts_until_something_changes(embedded: Ledger, statements: Statements) -> None:
    listed(embedded, [b"a", b"b"])
    a_run(embedded)
    statements.found.clear()
    numbers = embedded.history.numbers("alice")
    assert (numbers.on_server, numbers.waiting, statements.found) == (2, 2, [])
    embedded.history.accept(MessageRow(1), 3.0)
    embedded.history.numbers("alice")
    assert statements.found
    a_run(embedded)
    statements.found.clear()
    a_run(embedded)
    assert embedded.history.numbers("alice") == numbers
    assert statements.found == []


def test_what_changes_while_a_run_counts_is_not_taken_for_counted(embedded: Ledger) -> None:
    listed(embedded, [b"a"])
    other = embedded.another()

    def meanwhile(statement: str) -> None:
        if "from deletions" in statement:  # the last that is counted
            traced(embedded).set_trace_callback(None)
            listed(other, [b"a", b"b"])

    traced(embedded).set_trace_callback(meanwhile)
    a_run(embedded)
    assert kept_accounts(embedded) == set()
    assert embedded.history.numbers("alice").on_server == 2
    other.close()


def test_a_ledger_of_an_earlier_release_keeps_numbers_from_its_migration_on(tmp_path: Path) -> None:
    put_first_release(tmp_path / FILE_NAME)
    with closing(Ledger.open(tmp_path)) as ledger:
        assert kept_accounts(ledger) == {"alice"}
        assert wrongly_kept(tmp_path) == {}
        numbers = ledger.history.numbers("alice")
    assert (numbers.on_server, numbers.safe, numbers.deleted, numbers.accepted) == (2, 1, 1, 1)


def test_of_many_accounts_only_those_are_counted_that_must_be(embedded: Ledger, statements: Statements) -> None:
    listed(embedded, [b"a", b"b"])
    a_run(embedded)
    statements.found.clear()
    found = embedded.history.numbers_of(["alice", "nobody"])
    assert (found["alice"].on_server, found["nobody"].on_server, statements.found) == (2, 0, [])
    embedded.history.accept(MessageRow(1), 3.0)
    assert embedded.history.numbers_of(["alice"]) == {"alice": embedded.history.numbers("alice")}


def test_both_databases_know_the_numbers_of_many(ledger: Ledger) -> None:
    shelf = Shelf(ledger)
    a_run(ledger)
    names = ["alice", "nobody"]
    assert ledger.history.numbers_of(names) == {name: ledger.history.numbers(name) for name in names}
    shelf.history.accept(MessageRow(2), 2.0)
    assert ledger.history.numbers_of(names) == {name: ledger.history.numbers(name) for name in names}


def test_an_account_that_nobody_knows_has_none(ledger: Ledger) -> None:
    numbers = ledger.history.numbers("nobody")
    assert (numbers.on_server, numbers.safe, numbers.oldest_unsafe) == (0, 0, None)
