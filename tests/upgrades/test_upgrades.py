"""What every earlier program has left is opened by today's: nothing is fetched again, lost, or stored twice."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger.sqlite.connection import VERSION
from tests.command_line import Ferry
from tests.mail import letter
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.upgrades.then import ALICES, BOBS, REFUSED, VERSIONS, server_of, unpack

OLD = [version for version in VERSIONS if version < VERSION]
STORED = len(ALICES) - 1
COPIES = 2 * STORED + len(BOBS)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def left(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pop3Server]:
    """The server of then, in the state in which the program of then has left it, with all that it left here."""
    unpack(version, tmp_path)
    with server_of(version, {"alice": Maildrop(ALICES), "bob": Maildrop()}) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        yield server


def dump(ledger: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as sql:
        return list(sql.iterdump())


def stored(folder: Path) -> list[bytes]:
    return [message for volume in sorted(folder.glob("*.mbox")) for message in mboxrd(volume.read_bytes())]


def test_every_version_stands_here() -> None:
    assert set(VERSIONS) >= set(range(1, VERSION)), "make it: python -m tests.upgrades.making VERSION"


def test_looking_shows_what_the_program_of_then_archived(ferry: Ferry, left: Pop3Server) -> None:
    accounts = {one["name"]: one for one in ferry("status", "--json").document["accounts"]}
    assert set(accounts) == {"alice", "bob"}
    verified = ferry("verify", "--json")
    assert (verified.code, verified.document["ok"], verified.document["damaged"]) == (0, COPIES, [])
    found = ferry("search", "letter", "--json")
    assert found.document["total"] == STORED + len(BOBS)
    assert "index" not in found.err, "it takes no time, so it is not said"
    [waiting] = ferry("quarantine", "--json").document["messages"]
    assert waiting["account"] == "alice"


def test_the_next_run_fetches_nothing_again(ferry: Ferry, left: Pop3Server, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    alice, bob = ferry("migrate", "--json").reports
    assert (alice["known"], alice["copied"], alice["failed"]) == (STORED, 0, 1)
    assert (bob["status"], bob["listed"]) == ("ok", 0)
    assert {command.number for command in left.commands if command.verb == "RETR"} <= {REFUSED}
    assert {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()} == before


def test_new_mail_goes_on_in_the_archives_of_then(ferry: Ferry, left: Pop3Server, tmp_path: Path) -> None:
    assert left.maildrops is not None
    new = letter(77)
    for drop in left.maildrops.values():
        drop.add(new)
    alice, bob = ferry("migrate", "--json").reports
    assert (alice["copied"], bob["copied"], bob["deleted"]) == (1, 1, 1)
    assert sorted(stored(tmp_path / "archive" / "bob")) == sorted([*BOBS, new])
    shown = [message for number, message in enumerate(ALICES, 1) if number != REFUSED]
    assert sorted(stored(tmp_path / "archive" / "alice")) == sorted([*shown, new])
    verified = ferry("verify", "--json")
    assert (verified.code, verified.document["ok"]) == (0, COPIES + 3)


def test_what_is_deleted_now_has_been_read_first(ferry: Ferry, left: Pop3Server, tmp_path: Path) -> None:
    """The server fails this test where a DELE comes without a RETR under that very unique-id."""
    config = tmp_path / "config.toml"
    config.write_text(
        config.read_text().replace("[accounts.source]\n", "[accounts.source]\nleave_on_server = false\n", 1)
    )
    alice, _ = ferry("migrate", "--json").reports
    assert (alice["copied"], alice["deleted"]) == (0, STORED)
    assert len(stored(tmp_path / "archive" / "alice")) == STORED


def test_doctor_finds_nothing_wrong_with_it(ferry: Ferry, left: Pop3Server, version: int, tmp_path: Path) -> None:
    found = ferry("doctor", "--json")
    assert {one["id"] for one in found.document["findings"]} & {
        "ledger-damaged", "ledger-newer", "archive-changed", "archive-damaged", "archive-unknown", "index-damaged", "state-older",
    } == set()  # fmt: skip
    kept = tmp_path / "state" / f"ledger-before-version-{VERSION}.sqlite3"
    assert (str(kept) in found.err) == (version < VERSION)


@pytest.mark.parametrize("version", OLD, indirect=True)
def test_the_ledger_of_then_is_kept(ferry: Ferry, left: Pop3Server, tmp_path: Path) -> None:
    ledger = tmp_path / "state" / "ledger.sqlite3"
    before = dump(ledger)
    earlier = tmp_path / "state" / "ledger-before-version-0.sqlite3"
    earlier.touch()
    said = ferry("-v", "status")
    [kept] = (tmp_path / "state").glob("*ledger-before*")
    assert kept.name == f"ledger-before-version-{VERSION}.sqlite3"
    assert dump(kept) == before
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "ledger.upgraded" in said.err
    assert str(kept) in said.err
    assert "ledger.upgraded" not in ferry("-v", "status").err


@pytest.mark.parametrize("version", OLD, indirect=True)
def test_a_dry_run_upgrades_nothing(ferry: Ferry, left: Pop3Server, tmp_path: Path) -> None:
    before = dump(tmp_path / "state" / "ledger.sqlite3")
    alice, _ = ferry("migrate", "--dry-run", "--json").reports
    assert alice["known"] == STORED
    assert dump(tmp_path / "state" / "ledger.sqlite3") == before
    assert list((tmp_path / "state").glob("*before*")) == []


@pytest.mark.parametrize("version", OLD, indirect=True)
def test_the_way_back_is_open(ferry: Ferry, left: Pop3Server, version: int, tmp_path: Path) -> None:
    """The kept ledger put back is upgraded once more; what was archived since is found and not stored twice."""
    assert left.maildrops is not None
    left.maildrops["alice"].add(letter(77))
    ferry("migrate", "--json")
    state = tmp_path / "state"
    for beside in state.glob("ledger.sqlite3-*"):
        beside.unlink()
    (state / f"ledger-before-version-{VERSION}.sqlite3").rename(state / "ledger.sqlite3")
    archived = stored(tmp_path / "archive" / "alice")
    alice, _ = ferry("migrate", "--json").reports
    assert (alice["copied"], alice["duplicates"]) == (0, 1)
    assert stored(tmp_path / "archive" / "alice") == archived


@pytest.mark.parametrize("version", OLD, indirect=True)
def test_an_upgraded_ledger_is_made_like_a_new_one(
    ferry: Ferry, left: Pop3Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from migrator.ledger import Ledger

    new = tmp_path_factory.mktemp("new")
    Ledger.open(new).close()
    ferry("status")
    assert made_of(tmp_path / "state" / "ledger.sqlite3") == made_of(new / "ledger.sqlite3")


def made_of(ledger: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(ledger)) as sql:
        rows = sql.execute("select type, name, sql from sqlite_schema where name not like 'sqlite_%'").fetchall()
    return {(kind, name, re.sub(r'[\s"]', "", (said or "").lower())) for kind, name, said in rows}
