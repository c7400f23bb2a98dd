from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.adopting.finding import find
from migrator.adopting.programs import PROGRAMS
from migrator.config import Config, load
from migrator.errors import FerryError, Kind
from migrator.operations.adopt import Adopted, Candidate, TakeOver, look
from migrator.policy import DeleteWhenVerified, Policy, SourceProof
from migrator.report import AccountReport
from migrator.run.accounts import run_accounts
from migrator.wiring.account import job_of
from migrator.wiring.ledger import open_ledger
from tests.command_line import account, mbox, source
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults.greeting import Unsupported
from tests.unit.adopting.left_behind import FILES, MESSAGES, UNIQUE_IDS, leaves, thunderbird_profile

ALL = [*FILES, "thunderbird"]
NEW = b"Message-ID: <new@example.org>\r\nSubject: new\r\n\r\nnew\r\n"


class Move:
    """A user who moves from another program: its home folder, our configuration, the server of both."""

    def __init__(self, folder: Path, server: Pop3Server, program: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.server = server
        self.program = PROGRAMS[program]
        self.home.mkdir()
        if program == "thunderbird":
            thunderbird_profile(self.home / ".thunderbird" / "x.default", server.port, MESSAGES)
        else:
            leaves(program, self.home, server.port)
        password = f'"{server.password}"'
        (folder / "config.toml").write_text(account("alice", source(server.port, password=password), mbox()))
        (folder / "config.toml").chmod(0o600)

    @property
    def config(self) -> Config:
        return load(self.folder / "config.toml")

    @property
    def candidate(self) -> Candidate:
        [found] = find(self.program, [], self.home).accounts
        return Candidate(found, self.config.accounts[0])

    def preview(self) -> Adopted:
        candidate = look(self.program, self.candidate)
        return TakeOver(self.program, [candidate], self.config.state_dir, self.config.ledger_place).preview(candidate)

    def adopt(self) -> Adopted:
        candidate = look(self.program, self.candidate)
        with closing(open_ledger(self.config)) as ledger:
            return TakeOver(self.program, [candidate], self.config.state_dir, self.config.ledger_place).take_over(
                candidate, ledger
            )

    def migrate(self, policy: Policy | None = None) -> AccountReport:
        config = self.config
        job = replace(job_of(config.accounts[0], config.state_dir), policy=policy or Policy())
        with closing(open_ledger(config)) as ledger:
            [report] = run_accounts([job], ledger)
        return report

    def archived(self) -> list[bytes]:
        volumes = sorted((self.folder / "archive/alice").glob("*.mbox"))
        return [message for volume in volumes for message in mboxrd(volume.read_bytes())]

    @property
    def fetched(self) -> int:
        return self.server.counts()["RETR"]


@pytest.fixture
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Move:
    server: Pop3Server = request.getfixturevalue("full")
    program: str = getattr(request, "param", "mpop")
    return Move(tmp_path, server, program)


@pytest.fixture
def full() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as server:
        yield server


@pytest.mark.parametrize("move", ALL, indirect=True)
def test_nothing_is_fetched_twice_of_which_a_copy_was_found(move: Move) -> None:
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 4, 0)
    assert adopted.is_complete
    assert sorted(move.archived()) == sorted(MESSAGES)
    move.server.maildrop.add(NEW)
    report = move.migrate()
    assert (report.status, report.known, report.copied) == ("ok", 4, 1)
    assert move.fetched == 1
    assert sorted(move.archived()) == sorted([*MESSAGES, NEW])
    assert move.server.removed == []


@pytest.mark.parametrize("move", ALL, indirect=True)
def test_a_preview_says_the_same_and_changes_nothing(move: Move) -> None:
    before = {path: path.read_bytes() for path in move.folder.rglob("*") if path.is_file()}
    adopted = move.preview()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 4, 0)
    assert {path: path.read_bytes() for path in move.folder.rglob("*") if path.is_file()} == before


def test_adopting_twice_stores_nothing_twice_and_knows_as_much(move: Move) -> None:
    move.adopt()
    again = move.adopt()
    assert (again.stored, again.known, again.to_fetch) == (0, 4, 0)
    assert move.preview().known == 4
    assert len(move.archived()) == 4


def test_a_state_file_without_its_mail_hides_nothing(move: Move) -> None:
    (move.home / "mpop.mbox").unlink()
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (0, 0, 4)
    assert move.migrate().copied == 4
    assert sorted(move.archived()) == sorted(MESSAGES)


def test_mail_without_its_state_file_is_imported_and_fetched_to_compare(move: Move) -> None:
    (move.home / ".mpop_uidls/alice_at_127.0.0.1").unlink()
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 0, 4)
    report = move.migrate()
    assert (report.copied, report.duplicates) == (0, 4)
    assert len(move.archived()) == 4


def test_a_copy_that_differs_is_kept_and_the_message_fetched(move: Move) -> None:
    box = move.home / "mpop.mbox"
    box.write_bytes(box.read_bytes().replace(b"word 2", b"word two", 1))
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 3, 1)
    assert move.migrate().copied == 1
    assert len(move.archived()) == 5


@pytest.mark.parametrize("move", ["thunderbird"], indirect=True)
def test_a_message_that_was_marked_as_deleted_is_no_copy(move: Move) -> None:
    [inbox] = move.home.rglob("Inbox")
    inbox.write_bytes(inbox.read_bytes().replace(b"X-Mozilla-Status: 0001", b"X-Mozilla-Status: 0009", 1))
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (3, 3, 1)
    assert adopted.is_complete
    assert adopted.imported is not None
    assert adopted.imported.deleted == 1


def test_mail_that_left_the_server_long_ago_is_imported(move: Move) -> None:
    for stored in move.server.maildrop.stored()[:2]:
        move.server.maildrop.remove(stored)
    adopted = move.adopt()
    assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 2, 0)


@pytest.mark.parametrize("proof", list(SourceProof))
def test_what_is_known_by_its_headers_is_read_before_it_goes(move: Move, proof: SourceProof) -> None:
    move.adopt()
    report = move.migrate(Policy(leave_on_server=DeleteWhenVerified(), source_proof=proof))
    assert (report.status, report.deleted) == ("ok", 4)
    assert move.fetched == 4
    assert len(move.archived()) == 4


def test_a_twin_that_the_state_file_names_is_not_taken_for_the_copy(move: Move) -> None:
    [first, *_] = move.server.maildrop.stored()
    move.server.maildrop.replace(first, MESSAGES[0].replace(b"word 1 word", b"word 9 word"))
    assert len(move.server.maildrop.stored()[0].content) == len(MESSAGES[0])
    move.adopt()
    move.migrate(Policy(leave_on_server=DeleteWhenVerified()))
    assert MESSAGES[0].replace(b"word 1 word", b"word 9 word") in [*move.archived(), *move.server.maildrop.left()]


def test_a_server_without_top_has_everything_fetched(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES), faults=[Unsupported("TOP")]) as server:
        move = Move(tmp_path, server, "mpop")
        adopted = move.adopt()
        assert (adopted.stored, adopted.known, adopted.to_fetch) == (4, 0, 4)
        assert move.migrate().duplicates == 4


def test_a_refused_password_is_raised_before_anything_is_written(move: Move) -> None:
    config = move.folder / "config.toml"
    config.write_text(config.read_text().replace(move.server.password, "another"))
    with pytest.raises(FerryError) as caught:
        move.adopt()
    assert caught.value.kind is Kind.AUTH
    assert not (move.folder / "archive").exists()


def test_unique_ids_are_those_of_the_sample() -> None:
    assert [stored.unique_id for stored in Maildrop(MESSAGES).stored()] == UNIQUE_IDS
