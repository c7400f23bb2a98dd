"""Mailboxes that are deleted or emptied while all is known to be in them: seen, whether or not there is new mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from migrator.copying.census import EVERY_HOUR
from migrator.destinations import Destination
from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.ledger import Ledger
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import DeleteWhenVerified, Policy, SourceProof, WhenCopyIsGone
from migrator.report import AccountReport
from migrator.run.accounts import run_accounts
from migrator.run.context import AccountJob, Effects
from tests.mail import letter, letters
from tests.rig import Rig, ShortPauses
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import AppendItem, Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server

LETTERS = letters(12)
HOUR = int(EVERY_HOUR)
FOLDER = b"Archive"
MISSING = ("archive", "mailbox-missing", "Archive of alice at 127.0.0.1")
KEEP_THERE = Policy()
DELETE = Policy(DeleteWhenVerified())
DELETE_BY_HEADERS = Policy(DeleteWhenVerified(), source_proof=SourceProof.HEADERS)


@dataclass
class Office:
    """One account, whose mail is in one mailbox; with ``has_files`` in a folder, too."""

    folder: Path
    pop3: Pop3Server
    imap: ImapServer
    gone: WhenCopyIsGone = WhenCopyIsGone.KEEP
    has_files: bool = False
    seconds: float = 1_000_000.0

    def rig(self, policy: Policy = KEEP_THERE, *, is_poll: bool = False) -> Rig:
        return Rig(
            self.folder,
            self.pop3,
            policy=policy,
            clock=lambda: self.seconds,
            destinations=self.places,
            timeout=20.0,
            looks_are_good_for=EVERY_HOUR if is_poll else 0.0,
        )

    def places(self, rig: Rig) -> Sequence[Destination]:
        plain, folder = TlsSettings(TlsMode.NONE), FOLDER.decode()
        settings = ImapSettings(
            "127.0.0.1", self.imap.port, "alice", tls=plain, folder=folder, when_copy_is_gone=self.gone
        )
        mailbox = ImapDestination(
            settings, lambda: self.imap.password, state_dir=rig.state, sleep=lambda _: None, lock_timeout=0.05
        )
        return [rig.mbox(), mailbox] if self.has_files else [mailbox]

    def runs(self, policy: Policy = KEEP_THERE, *, is_dry: bool = False) -> AccountReport:
        return self.rig(policy).migrate(is_dry=is_dry)

    def polls(self) -> AccountReport:
        return self.rig(is_poll=True).migrate()

    def log_ins(self) -> int:
        return len([one for one in self.imap.commands if one.verb in {"LOGIN", "AUTHENTICATE"}])

    def changes(self) -> int:
        counts = self.imap.counts()
        return counts["APPEND"] + counts["CREATE"] + counts["SUBSCRIBE"]

    def expunges(self, count: int) -> None:
        folder = self.imap.mailboxes.folder(FOLDER)
        assert folder is not None
        for message in folder.messages[:count]:
            self.imap.mailboxes.expunge(FOLDER, message.uid)

    def holds(self) -> list[bytes]:
        return self.imap.mailboxes.contents(FOLDER)

    def states(self) -> list[tuple[str, str]]:
        """What the ledger knows of the copies in the mailbox."""
        with closing(Ledger.open(self.folder / "state")) as ledger:
            [identity] = [one for one in ledger.moves.known() if "Archive" in one]
            return [(str(copy.state), str(copy.locator)) for copy in ledger.copies(identity, "imap").all_copies()]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Pop3Server(Maildrop(LETTERS), allows_top_proof=True) as pop3, ImapServer(Mailboxes()) as imap:
        office = Office(tmp_path, pop3, imap)
        assert office.runs().status == "ok"
        yield office


def errors(report: AccountReport) -> list[tuple[str, str, str | None]]:
    return [(str(one.kind), one.finding, one.destination) for one in report.problems]


@pytest.mark.parametrize("run", [Office.runs, Office.polls])
@pytest.mark.parametrize("has_new", [False, True])
def test_a_deleted_mailbox_is_told_until_it_is_back(
    office: Office, has_new: bool, run: Callable[[Office], AccountReport]
) -> None:
    before, changes, kept = office.states(), office.changes(), office.imap.mailboxes.kept()
    office.imap.mailboxes.delete(FOLDER)
    if has_new:
        office.pop3.maildrop.add(letter(13))
    office.seconds += HOUR
    for _ in range(2):  # the second poll is within the hour
        report = run(office)
        assert (report.status, errors(report)) == ("partial", [MISSING])
        assert (report.listed, report.known, report.remaining) == (12 + has_new, 12, has_new)
    assert (office.changes(), office.states()) == (changes, before)
    office.imap.mailboxes.put_back(kept)
    assert (run(office).status, len(office.holds())) == ("ok", 12 + has_new)


@pytest.mark.parametrize("has_new", [False, True])
@pytest.mark.parametrize(("count", "status"), [(12, "partial"), (10, "partial"), (9, "ok"), (8, "ok"), (5, "ok")])
def test_ten_copies_and_more_than_half_gone_at_once_is_an_emptied_mailbox(
    office: Office, count: int, status: str, has_new: bool
) -> None:
    before, kept = office.states(), office.imap.mailboxes.kept()
    office.expunges(count)
    if has_new:
        office.pop3.maildrop.add(letter(13))
    report = office.runs()
    assert report.status == status, report.problems
    if status == "partial":
        assert errors(report) == [MISSING]
        assert "12 messages are known to be in it" in report.problems[0].message
        assert (office.states(), len(office.holds())) == (before, 12 - count)
        office.imap.mailboxes.put_back(kept)
        assert office.runs().status == "ok"
        assert len(office.holds()) == 12 + has_new


@pytest.mark.parametrize(("count", "status"), [(12, "partial"), (10, "partial"), (9, "ok")])
def test_other_mail_in_a_mailbox_hides_no_loss(office: Office, count: int, status: str) -> None:
    office.imap.mailboxes.append(FOLDER, [AppendItem(letter(number)) for number in range(100, 140)])
    assert office.runs().status == "ok"
    office.expunges(count)
    for run in (Office.polls, Office.runs):
        office.seconds += HOUR
        report = run(office)
        assert report.status == status, report.problems
        assert errors(report) == [MISSING] * (status == "partial")
    assert len(office.holds()) == 52 - count


def test_what_is_filed_away_little_by_little_is_no_emptied_mailbox(office: Office) -> None:
    for _ in range(2):
        office.expunges(6)
        assert office.runs().status == "ok"
    assert office.holds() == []


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_mailbox_that_may_lose_its_copies_is_no_error(office: Office, is_deleted: bool) -> None:
    if is_deleted:
        office.imap.mailboxes.delete(FOLDER)
    else:
        office.expunges(12)
    office.gone = WhenCopyIsGone.ACCEPT
    log_ins = office.log_ins()
    assert (office.runs().status, office.holds(), office.log_ins()) == ("ok", [], log_ins)
    office.gone = WhenCopyIsGone.RESTORE
    assert (office.runs().status, sorted(office.holds())) == ("ok", sorted(LETTERS))
    office.gone = WhenCopyIsGone.KEEP
    assert office.runs().status == "ok"


@pytest.mark.parametrize("policy", [DELETE, DELETE_BY_HEADERS])
@pytest.mark.parametrize("count", [10, 12, None])
def test_nothing_is_deleted_at_the_source_while_a_mailbox_is_missing(
    office: Office, count: int | None, policy: Policy
) -> None:
    kept = office.imap.mailboxes.kept()
    if count is None:
        office.imap.mailboxes.delete(FOLDER)
    else:
        office.expunges(count)
    office.has_files = True
    for is_dry in (True, False):
        report = office.runs(policy, is_dry=is_dry)
        assert (report.status, report.deleted) == ("partial", 0)
        assert errors(report)[0] == MISSING
        assert not report.would_do or not report.would_do.deletions
    assert office.pop3.counts()["DELE"] == 0
    office.imap.mailboxes.put_back(kept)
    report = office.runs(policy)
    assert (report.status, report.deleted, office.pop3.maildrop.left()) == ("ok", 12, [])


def test_the_other_destinations_are_worked_while_a_mailbox_is_missing(office: Office) -> None:
    office.has_files = True
    assert office.runs().status == "ok"
    office.imap.mailboxes.delete(FOLDER)
    office.pop3.maildrop.add(letter(13))
    report = office.runs()
    assert (report.status, report.failed, errors(report)) == ("partial", 1, [MISSING])
    assert len(office.rig().stored()) == 13


def test_a_schedule_looks_at_a_mailbox_that_is_well_once_an_hour(office: Office) -> None:
    log_ins = [office.log_ins()]
    for seconds in (0, HOUR, HOUR - 1, 1, -2 * HOUR):
        office.seconds += seconds
        assert office.polls().status == "ok"
        log_ins.append(office.log_ins())
    looks = [after - before for before, after in pairwise(log_ins)]
    assert looks == [1, 1, 0, 1, 1]  # first it was never looked at; last the clock was set back
    for _ in range(2):
        office.runs()
    assert office.log_ins() == log_ins[-1] + 2


def test_a_dry_run_looks_and_changes_nothing(office: Office) -> None:
    office.runs()
    before, changes = (office.folder / "state" / "ledger.sqlite3").read_bytes(), office.changes()
    assert office.runs(is_dry=True).status == "ok"
    office.imap.mailboxes.delete(FOLDER)
    office.pop3.maildrop.add(letter(13))
    report = office.runs(is_dry=True)
    assert (report.status, errors(report), report.remaining) == ("partial", [MISSING], 1)
    assert report.would_do is not None
    assert report.would_do.copies == 0
    assert office.changes() == changes
    assert (office.folder / "state" / "ledger.sqlite3").read_bytes() == before


def test_a_mailbox_that_cannot_be_looked_at_is_an_error_and_the_source_is_listed(office: Office) -> None:
    office.imap.stop()
    report = office.runs()
    assert (report.status, errors(report)) == ("partial", [("connect", "host-unreachable", MISSING[2])])
    assert (report.listed, report.known) == (12, 12)
    with ImapServer(office.imap.mailboxes, port=office.imap.port, password=office.imap.password):
        assert office.runs().status == "ok"


@pytest.mark.parametrize(
    ("letters_there", "status"), [(LETTERS, "ok"), (letters(12, first=50), "partial"), ([], "partial")]
)
def test_a_mailbox_made_again_holds_what_is_known_or_is_missing(
    office: Office, letters_there: list[bytes], status: str
) -> None:
    before = office.states()
    office.imap.mailboxes.delete(FOLDER)
    office.imap.mailboxes.create(FOLDER)
    office.imap.mailboxes.append(FOLDER, [AppendItem(content) for content in letters_there])
    assert office.runs().status == status
    assert {state for state, _ in office.states()} == {"verified"}
    assert (office.states() == before) == (status == "partial")
    assert office.holds() == letters_there


def test_accounts_that_share_a_mailbox_look_once(office: Office) -> None:
    def jobs() -> list[AccountJob]:
        return [replace(office.rig().job(), name=name) for name in ("alice", "bob", "carol")]

    def runs() -> list[AccountReport]:
        with closing(Ledger.open(office.folder / "state")) as ledger:
            return run_accounts(jobs(), ledger, Effects(clock=lambda: office.seconds, stop=ShortPauses()))

    runs()
    log_ins = office.log_ins()
    assert [report.status for report in runs()] == ["ok"] * 3
    assert office.log_ins() == log_ins + 1
    office.imap.mailboxes.delete(FOLDER)
    assert [errors(report) for report in runs()] == [[MISSING]] * 3
    assert office.log_ins() == log_ins + 2
