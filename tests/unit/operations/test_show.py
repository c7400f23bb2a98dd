from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.message.digest import canonical
from migrator.operations.show import open_message, render_message, save_attachment
from tests.unit.archive.office import Office
from tests.unit.operations.conftest import CONTENTS


@pytest.fixture
def attached(office: Office) -> str:
    """The id of a message with an attachment whose name leads out of a folder."""
    message = EmailMessage()
    message["Subject"] = "a file"
    message.set_content("see below")
    message.add_attachment(b"1,2\n", maintype="text", subtype="csv", filename="../numbers.csv")
    [digest] = office.copy([canonical(message.as_bytes())])
    return digest.hex()[:20]


def test_a_message_is_given_by_the_beginning_of_its_digest(office: Office, ledger: Ledger) -> None:
    [digest] = office.copy(CONTENTS[:1])
    with open_message(digest.hex()[:12], office.config, ledger, exact=True) as body:
        assert b"".join(body.chunks()) == CONTENTS[0]
        shown = render_message(body)
    assert "Subject: lunch" in shown.headers
    assert "bread" in shown.text


def test_an_attachment_stays_in_the_folder_that_was_named(
    office: Office, ledger: Ledger, attached: str, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    with open_message(attached, office.config, ledger, exact=False) as body:
        saved = save_attachment(body, 1, folder)
        assert (saved.path.parent, saved.octets) == (folder, saved.path.stat().st_size)
        with pytest.raises(FerryError, match="is not overwritten"):
            save_attachment(body, 1, saved.path)
        with pytest.raises(FerryError, match="attachment 9 cannot be taken out"):
            save_attachment(body, 9, folder)


def test_an_id_of_nothing_is_refused(office: Office, ledger: Ledger) -> None:
    with (
        pytest.raises(FerryError, match="no archived message"),
        open_message("00000000", office.config, ledger, exact=True),
    ):
        pass
