from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger import Ledger
from migrator.wiring.ledger import open_ledger
from tests.mail import mail
from tests.unit.archive.office import Office

CONTENTS = [
    mail("lunch", "bread and butter", Date="Mon, 15 Jan 2024 12:00:00 +0000", Message_ID="<1@example.org>"),
    mail("dinner", "soup", Date="Thu, 15 Feb 2024 12:00:00 +0000", Message_ID="<2@example.org>"),
    mail("undated", "bread again", Message_ID="<3@example.org>"),
]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An account with two archives, of which each holds all of its mail."""
    office = Office(tmp_path, {"alice": ["mbox:archive/a", "maildir:archive/b"], "bob": ["mbox:archive/bob"]})
    office.copy(CONTENTS)
    return office


@pytest.fixture
def ledger(office: Office) -> Iterator[Ledger]:
    with closing(open_ledger(office.config)) as ledger:
        yield ledger
