"""An office that has archived mail for ten years: ledger, search index and history, without its million fetches.

Everything is told to ledger and index by the methods that a run calls, in the order in which it calls them, so that
rows, indexes and rules are what the program itself writes. Not there is the mail: an archive file is as long as the
ledger says, and holds nothing. Messages of all accounts arrive by turns, those of one in the order of their dates.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from benchmarks.letters import stock_of_lines, vocabulary
from jobs.maintenance.upkeep import TOPIC as UPKEEP, WHOLE, Round
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC as SCHEDULE
from jobs.web.hashing import hashed
from jobs.web.people import Role, User
from jobs.web.store import WebStore
from migrator.config import Account, Config, load
from migrator.copy_records import MboxAnchor, VolumeRecord, VolumeState
from migrator.errors import Kind
from migrator.files import stamp_of
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.maildrops import MaildropLedger
from migrator.message.body import LinesBody, Message
from migrator.model import (
    CopyState,
    Digest,
    HeaderDigest,
    ListedMessage,
    MboxLocator,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.parse.headers import Headers
from migrator.policy import WhenCopyIsGone
from migrator.report import AccountReport, Problem, Status
from migrator.search.entries import Entry
from migrator.search.index import SearchIndex
from migrator.wiring.account import destination_of
from migrator.wiring.archive import bring_up_to_date, open_archive

PASSWORD = "a password of the office"
ADMINISTRATOR, READER = "ann", "rita"
WATCHERS = ("will", "wilma", "wanda", "wes")
"""Auditors who keep the page open: one user may have 25 event streams."""
READABLE = 3
"""How many mailboxes the reader may see."""

_BATCH = 250
_INDEXED = 2_500
"""Messages that are indexed at one time, as after a round of runs."""
_YEARS = 10 * 365 * 86_400.0
_DAY = 86_400.0
_PEOPLE = 800
_REPORTED = 5
"""Messages of every tenth account that could not be copied."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How large the office is; every fifth account has a quarter of its mail deleted at its provider."""

    messages: int = 1_000_000
    accounts: int = 500
    runs: int = 10_000

    @property
    def each(self) -> int:
        """How many messages an account has."""
        return self.messages // self.accounts


@dataclass(slots=True)
class _Mailbox:
    """One account while its mail arrives."""

    account: Account
    maildrop: MaildropLedger
    copies: CopiesLedger
    rows: Sequence[MessageRow]
    volume: Path
    end: int = 0


def name_of(number: int) -> str:
    """Return the name of an account."""
    return f"person{number:03}"


def written(folder: Path, extent: Extent, more: str = "") -> Path:
    """Write the configuration of the office, with more accounts where there are any; returns its path."""
    config = folder / "config.toml"
    head = 'state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n[schedule]\nevery = "1 day"\n'
    config.write_text(head + "".join(_account(name_of(number)) for number in range(extent.accounts)) + more)
    config.chmod(0o600)
    return config


def _account(name: str) -> str:
    return (
        f'[[accounts]]\nname = "{name}"\n[accounts.source]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\n'
        f'username = "{name}"\npassword = "unused"\n[[accounts.destinations]]\ntype = "mbox"\npath = "archive/{name}"\n'
    )


def build(folder: Path, extent: Extent, now: float) -> None:
    """Make the office in an empty folder; ledger and index are filled side by side."""
    config = load(written(folder, extent))
    config.state_dir.mkdir(mode=0o700)
    indexing = multiprocessing.get_context("fork").Process(target=_fill_index, args=(config.state_dir, extent, now))
    indexing.start()
    with closing(Ledger.open(config.state_dir)) as ledger:
        _fill_ledger(config, ledger, extent, now)
        indexing.join()
        if indexing.exitcode:
            raise SystemExit("the search index could not be made")
        with open_archive(config, ledger) as reader, closing(SearchIndex.open(config.state_dir)) as index:
            bring_up_to_date(index, ledger, reader, config.state_dir)


def add_users(config: Config, now: float) -> None:
    """Let an administrator and a reader in, and nobody else."""
    for part in config.state_dir.glob("web.sqlite3*"):
        part.unlink()
    with closing(WebStore(config.state_dir)) as store:
        password = hashed(PASSWORD)
        store.add(User(ADMINISTRATOR, Role.ADMINISTRATOR), password, now)
        names = frozenset(name_of(number) for number in range(READABLE))
        store.add(User(READER, Role.READER, names), password, now)
        for name in WATCHERS:
            store.add(User(name, Role.AUDITOR), password, now)


def let_rest(config: Config, now: float) -> None:
    """Have a worker that starts now find nothing due, of the accounts of the office and of verification."""
    with closing(Ledger.open(config.state_dir)) as ledger, ledger.together():
        for account in config.accounts:
            rests = AccountState(
                first_seen=now - 100 * _DAY, last_worked=now, not_before=now + _DAY / 2, next_due=now + _DAY / 2
            )
            ledger.state_store.put(SCHEDULE, account.name, rests.as_fact())
        ledger.state_store.put(UPKEEP, WHOLE, Round(begun_at=now, part=1).as_fact())
        ledger.state_store.verified_in_full([account.name for account in config.accounts], now - _DAY)


def _opened(account: Account, config: Config, ledger: Ledger, extent: Extent, now: float) -> _Mailbox:
    """List an account's maildrop."""
    source, place = account.source, destination_of(account.destinations[0], config.state_dir)
    maildrop = ledger.maildrop(account.name, source.host, source.endpoint.port, source.username)
    copies = ledger.copies(place.identity, place.kind)
    count = extent.each + _REPORTED
    maildrop.match(ListedMessage(MessageNumber(n), UniqueId(b"%08x" % n), 2_000 + n) for n in range(1, count + 1))
    maildrop.note(now - 90 * _DAY)
    rows = [known.row for known in maildrop.listed({copies.destination_id: WhenCopyIsGone.KEEP})]
    folder = config.state_dir.parent / "archive" / account.name
    folder.mkdir(parents=True, mode=0o700)
    return _Mailbox(account, maildrop, copies, rows, folder / "mail.mbox")


def _fill_ledger(config: Config, ledger: Ledger, extent: Extent, now: float) -> None:
    boxes = [_opened(account, config, ledger, extent, now) for account in config.accounts]
    arrived = dict.fromkeys(range(extent.accounts), 0)
    for number, batch in _batches(extent, now):
        arrived_at = now - (80 - 70 * arrived[number] / extent.each) * _DAY
        _store(boxes[number], ledger, batch, arrived[number], arrived_at)
        arrived[number] += len(batch)
    for number, box in enumerate(boxes):
        _set_aside(number, box, ledger, now)
        _delete(number, box, ledger, extent, now)
    _note_runs(config, ledger, extent, now)


def _fill_index(state_dir: Path, extent: Extent, now: float) -> None:
    waiting: list[Entry] = []
    with closing(SearchIndex.open(state_dir)) as index:
        for _number, batch in _batches(extent, now):
            waiting += batch
            if len(waiting) >= _INDEXED:
                index.add(waiting)
                waiting.clear()
        index.add(waiting)


def _batches(extent: Extent, now: float) -> Iterator[tuple[int, list[Entry]]]:
    """Yield what arrives, the same every time: the number of an account, and a batch of its mail."""
    letters = _Letters()
    for start in range(0, extent.each, _BATCH):
        for number in range(extent.accounts):
            places = range(start, min(start + _BATCH, extent.each))
            yield (
                number,
                [letters.next(name_of(number), now - _YEARS + _YEARS * place / extent.each) for place in places],
            )


def _store(box: _Mailbox, ledger: Ledger, entries: Sequence[Entry], first: int, now: float) -> None:
    """Tell the ledger what it hears of a batch: that it is meant to be stored, stored, read back, and copied."""
    places: dict[Digest, MboxLocator] = {}
    at = box.end
    for entry in entries:
        places[entry.digest] = MboxLocator(box.volume.name, at, entry.octets + 60, 0)
        at += entry.octets + 60
    box.volume.touch(0o600)
    os.truncate(box.volume, at)
    record = VolumeRecord(box.volume.name, at, b"", stamp_of(box.volume.stat()), VolumeState.OPEN)
    messages = [
        Message(entry.digest, HeaderDigest(sha256(b"head" + entry.digest).digest()), b"", entry.octets, LinesBody(b""))
        for entry in entries
    ]
    with ledger.together():
        numbers = box.copies.intended(MboxAnchor(record.name, box.end), [(one, b"\0\0\0\0") for one in messages], now)
        box.copies.stored([(numbers[digest], place) for digest, place in places.items()], [record])
        box.copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number in numbers.values()], now)
        rows = box.rows[first : first + len(entries)]
        box.maildrop.copied([(row, entry.digest) for row, entry in zip(rows, entries, strict=True)], now)
    box.end = at


def _set_aside(number: int, box: _Mailbox, ledger: Ledger, now: float) -> None:
    """Have what is left of every tenth account refused; the others never listed it."""
    left = box.rows[-_REPORTED:]
    if number % 10 == 0:
        problems = [
            (row, Problem(Kind.TOO_LARGE, f"message {row} has 80,000,000 octets", UniqueId(b"%08x" % row)))
            for row in left
        ]
        ledger.history.failed(problems, now - _DAY)
        return
    count = len(box.rows) - _REPORTED
    box.maildrop.match(ListedMessage(MessageNumber(n), UniqueId(b"%08x" % n), 2_000 + n) for n in range(1, count + 1))
    box.maildrop.note(now - 80 * _DAY)


def _delete(number: int, box: _Mailbox, ledger: Ledger, extent: Extent, now: float) -> None:
    if number % 5:
        return
    rows = box.rows[: extent.each // 4]
    with ledger.together():
        box.maildrop.headers_read(rows)
        for day, start in enumerate(range(0, len(rows), 25)):
            part = rows[start : start + 25]
            box.maildrop.deletion_requested(part)
            box.maildrop.deleted(part, "+OK bye", now - (70 - day) * _DAY)


def _note_runs(config: Config, ledger: Ledger, extent: Extent, now: float) -> None:
    rounds = extent.runs // extent.accounts
    for turn in range(rounds):
        moment = now - (rounds - turn) * _DAY / 2
        with ledger.together():
            for number, account in enumerate(config.accounts):
                run = ledger.history.run_started(account.name, moment + number)
                is_refused = number % 10 == 0
                report = AccountReport(account.name, Status.PARTIAL if is_refused else Status.OK, listed=extent.each)
                report.known, report.failed = extent.each, _REPORTED if is_refused else 0
                report.problems = [_refused(row) for row in range(report.failed)]
                ledger.history.run_ended(run, report, moment + number + 2)


def _refused(number: int) -> Problem:
    return Problem(Kind.TOO_LARGE, f"message {number} has 80,000,000 octets", UniqueId(b"%08x" % number))


class _Letters:
    """Letters of some ninety words, as frequent as words are, taken apart already: as the index is given them."""

    def __init__(self) -> None:
        self._chance = Random("office")
        lines = stock_of_lines(self._chance, vocabulary(self._chance), " ", 30_000)
        self._lines = [line.decode().strip() for line in lines]
        self._number = 0

    def next(self, account: str, about: float) -> Entry:
        """Return the next letter, which nobody else has, written within a day of a moment."""
        number, at, lines = self._number, self._chance.randrange(len(self._lines)), self._lines
        self._number += 1
        # Lines from several places of the stock: no two letters have the same ones.
        body = " ".join(lines[(at * step + number) % len(lines)] for step in range(1, 11))
        sender, subject = at * at % _PEOPLE, lines[(at + number) % len(lines)][:40]
        headers = Headers(
            f"Person {sender} <person{sender}@example.org>",
            f"{account}@example.org",
            subject=subject,
            message_id=f"<{number}.{at}@letters.example.org>",
            date=int(about) + at,
        )
        attached = f"file{number}.pdf" if number % 6 == 0 else ""
        words = (headers.sender.lower(), headers.to, "", subject, "", attached, body)
        digest = Digest(sha256(b"%d" % number).digest())
        return Entry(digest, len(body) + 400, headers, words, int(bool(attached)), (account,))
