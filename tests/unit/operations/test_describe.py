from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from migrator.ledger import Ledger
from migrator.model import Digest
from migrator.operations.describe import described
from migrator.report import Described
from tests.unit.archive.office import Office
from tests.unit.operations.conftest import CONTENTS


def test_archived_messages_are_described_from_their_copies(office: Office, ledger: Ledger) -> None:
    digests = office.copy(CONTENTS)
    found = described([*digests, Digest(bytes(32))], office.config, ledger)
    assert [found[digest].subject for digest in digests] == ["lunch", "dinner", "undated"]
    assert found[digests[0]].date == 1705320000
    assert set(found) == set(digests)
    assert isinstance(found[digests[2]], Described)
    assert found[digests[2]].date is None


def test_what_no_folder_has_is_not_described_and_no_trouble(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    digests = office.copy(CONTENTS)
    rmtree(tmp_path / "archive")
    assert described(digests, office.config, ledger) == {}
    assert described([], office.config, ledger) == {}
