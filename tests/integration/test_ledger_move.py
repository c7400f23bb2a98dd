"""The ledger goes to PostgreSQL and back, and knows what it knew: nothing is downloaded, stored or deleted again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from migrator.config import load
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.transfer import MARK
from migrator.operations.move_ledger import ARRIVING, STEPS, move_ledger
from tests.command_line import Ferry
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

CONFIG = """state_dir = "state"
[[accounts]]
name = "alice"
[accounts.source]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "alice"
password = "{password}"
leave_on_server = true
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(20))) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, server: Pop3Server, ferry: Ferry) -> Path:
    """A configuration whose mail was migrated once."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(port=server.port, password=server.password))
    path.chmod(0o600)
    assert ferry("migrate", "-c", str(path)).code == 0
    return path


def written(config: Path, line: str) -> None:
    """Write a line at the top, or take the one away that was written."""
    text = config.read_text().partition("\nstate_dir")
    rest = config.read_text() if not text[1] else f"state_dir{text[2]}"
    config.write_text(f"{line}\n{rest}" if line else rest)


def archive_of(config: Path) -> str:
    files = sorted((config.parent / "archive").glob("*.mbox"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def retrieved(server: Pop3Server) -> int:
    return server.counts()["RETR"]


def test_the_next_poll_downloads_nothing_there_and_back(
    config: Path, server: Pop3Server, database: str, ferry: Ferry
) -> None:
    before, archive = retrieved(server), archive_of(config)
    moved = ferry("ledger", "move", "--to", database, "-c", str(config))
    assert moved.code == 0, moved.err
    assert "20 messages, compared row by row" in moved.out
    assert f'ledger = "{database}"' in moved.out
    refused = ferry("migrate", "-c", str(config))
    assert refused.code != 0
    assert "was moved" in refused.out
    assert f'write ledger = "{database}" at the top of the configuration' in refused.out
    written(config, f'ledger = "{database}"')
    again = ferry("migrate", "-c", str(config), "--json")
    assert (again.code, again.reports[0]["copied"]) == (0, 0)
    back = ferry("ledger", "move", "--to", "sqlite", "-c", str(config), "--json")
    assert back.document["rows"]["contents"] == 20
    assert "was moved" in ferry("status", "-c", str(config)).out
    written(config, "")
    again = ferry("migrate", "-c", str(config), "--json")
    assert (again.code, again.reports[0]["copied"]) == (0, 0)
    assert (retrieved(server), archive_of(config)) == (before, archive)
    assert ferry("verify", "-c", str(config)).code == 0
    assert len(list((config.parent / "state").glob(f"{FILE_NAME}.moved*"))) == 1


def test_new_rows_get_numbers_behind_those_that_came_along(
    config: Path, server: Pop3Server, database: str, ferry: Ferry
) -> None:
    assert ferry("ledger", "move", "--to", database, "-c", str(config)).code == 0
    written(config, f'ledger = "{database}"')
    for letter in letters(23)[20:]:
        server.maildrop_of("alice").add(letter)
    assert ferry("migrate", "-c", str(config)).code == 0
    assert ferry("verify", "-c", str(config)).code == 0


class Died(BaseException):
    """What a kill is to the code."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", ["there", "back"])
def test_a_move_that_was_killed_is_ended_by_asking_again(
    config: Path, server: Pop3Server, database: str, ferry: Ferry, step: str, way: str
) -> None:
    if way == "back":
        move_ledger(load(config), database, "", quiet)
        written(config, f'ledger = "{database}"')
    goal = database if way == "there" else "sqlite"

    def dying(here: str) -> None:
        if here == step:
            raise Died

    try:
        move_ledger(load(config), goal, "", quiet, dying)
    except Died:
        # In between neither of the two is a second ledger: who opens one is told, or it is the old one still.
        assert ferry("migrate", "-c", str(config)).code in {0, 1, 2}
        move_ledger(load(config), goal, "", quiet)
    written(config, f'ledger = "{database}"' if way == "there" else "")
    before = retrieved(server)
    again = ferry("migrate", "-c", str(config), "--json")
    assert (again.code, again.reports[0]["copied"]) == (0, 0), again.err
    assert retrieved(server) == before
    assert not (config.parent / "state" / ARRIVING).exists()
    assert (config.parent / "state" / MARK).exists() is (way == "there")


def quiet(_table: str, _rows: int) -> None:
    """Hear nothing."""


def test_a_database_in_use_is_not_written_over(config: Path, database: str, ferry: Ferry, tmp_path: Path) -> None:
    assert ferry("ledger", "move", "--to", database, "-c", str(config)).code == 0
    written(config, f'ledger = "{database}"')
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().partition("\n")[2].replace('"state"', '"state-2"').replace("archive", "second"))
    other.chmod(0o600)
    assert ferry("migrate", "-c", str(other)).code == 0
    refused = ferry("ledger", "move", "--to", database, "-c", str(other))
    assert refused.code == 1
    assert "there is a ledger in" in refused.err
    assert ferry("migrate", "-c", str(config)).code == 0
    assert ferry("migrate", "-c", str(other)).code == 0


def test_a_database_that_lost_the_ledger_is_not_said_to_hold_it(config: Path, database: str, ferry: Ferry) -> None:
    move_ledger(load(config), database, "", quiet)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop table schema_version")
    refused = ferry("ledger", "move", "--to", database, "-c", str(config))
    assert (refused.code, refused.out) == (1, "")
    assert "is not there any more" in refused.err
    state = config.parent / "state"
    (state / f"{FILE_NAME}.moved").rename(state / FILE_NAME)  # as the cure says
    assert ferry("migrate", "-c", str(config)).code == 0
    assert ferry("verify", "-c", str(config)).code == 0


def test_an_account_that_is_worked_elsewhere_holds_the_move_up(config: Path, database: str) -> None:
    move_ledger(load(config), database, "", quiet)
    written(config, f'ledger = "{database}"')
    with closing(Ledger.open(database)) as ledger, ledger.owning("account alice"):
        with pytest.raises(FerryError) as refused:
            move_ledger(load(config), "sqlite", "", quiet)
        assert refused.value.kind is Kind.LOCKED
        assert not (config.parent / "state" / FILE_NAME).exists()
    move_ledger(load(config), "sqlite", "", quiet)


def test_a_database_that_was_made_again_is_not_said_to_hold_the_ledger(config: Path, database: str) -> None:
    move_ledger(load(config), database, "", quiet)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("truncate contents, messages, copies cascade")
    with pytest.raises(FerryError) as refused:
        move_ledger(load(config), database, "", quiet)
    assert "is not there any more" in refused.value.message


@pytest.mark.parametrize("to", ["mysql://host/database", "nowhere", "postgresql://ann:secret@host/database"])
def test_what_is_no_place_for_a_ledger_is_refused(config: Path, to: str) -> None:
    with pytest.raises(ConfigError) as refused:
        move_ledger(load(config), to, "", quiet)
    assert "secret" not in str(refused.value).replace(to, "")
    assert (config.parent / "state" / FILE_NAME).exists()
