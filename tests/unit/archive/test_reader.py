from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from migrator.archive.reader import belonging
from migrator.errors import FerryError
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.sqlite.connection import SqliteDatabase
from migrator.message.digest import digest_of
from migrator.wiring.archive import open_archive
from tests.mail import letters
from tests.unit.archive.office import Office, Places

PLACES: Places = {
    "alice": ["mbox:archive/shared", "maildir:archive/own"],
    "bob": ["mbox:archive/shared"],
}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path, PLACES)
    office.copy(letters(30), "alice")
    office.copy(letters(20, 21), "bob")
    office.copy(letters(4, 41), "bob", is_seen=False)
    return office


@pytest.mark.parametrize("account", ["alice", "bob"])
def test_a_few_that_are_wanted_are_the_same_in_the_same_order_as_among_all(account: str, office: Office) -> None:
    with closing(Ledger.open(office.state_dir)) as ledger, open_archive(office.config, ledger) as reader:
        every = list(belonging(account, reader, ledger.archive))
        assert len(every) == {"alice": 34, "bob": 24}[account]
        wanted = {*every[::3], *every[1::5], digest_of(b"not there")}
        assert list(belonging(account, reader, ledger.archive, wanted)) == [one for one in every if one in wanted]
        assert list(belonging(account, reader, ledger.archive, set())) == []


def test_the_ledger_is_asked_as_often_for_forty_destinations_as_for_two(tmp_path: Path) -> None:
    asked = {}
    for count in (2, 40):
        root = tmp_path / f"of{count}"
        root.mkdir()
        office = Office(root, {f"user{number}": [f"mbox:archive/{number}"] for number in range(count)})
        for number in range(count):
            office.copy(letters(1, number + 1), f"user{number}")
        digests = office.copy(letters(5, 60), "user1")
        connection, statements = SqliteDatabase(office.state_dir / FILE_NAME), list[str]()
        with closing(Ledger(connection)) as ledger, open_archive(office.config, ledger) as reader:
            connection.sql.set_trace_callback(statements.append)
            assert reader.accounts_of(digests) == dict.fromkeys(digests, ("user1",))
            assert [digest for digest, body in reader.read(digests) if not isinstance(body, FerryError)] == digests
            asked[count] = len(statements)
    assert asked[40] == asked[2]
