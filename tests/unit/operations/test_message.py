from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.message.digest import canonical
from migrator.operations.message import MessageReading, NoSuchMessageError, reading_messages
from migrator.operations.visible import EVERYTHING, Visible
from migrator.parse.process import Parser
from tests.mail import mail
from tests.unit.archive.office import Office
from tests.unit.operations.conftest import CONTENTS


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture
def letter(office: Office) -> str:
    """The id of a message with text, HTML and two attachments of hostile names."""
    message = EmailMessage()
    message["Subject"] = "all\u202e of it"
    message["From"] = "Ann <ann@example.org>"
    message["Date"] = "Mon, 15 Jan 2024 12:00:00 +0000"
    message.set_content("as text\x07 that is long enough to be taken for one")
    message.add_alternative('<b>as html</b><img src="http://evil.test/p">', subtype="html")
    message.add_attachment(b"1,2\n", maintype="text", subtype="csv", filename="../numbers.csv")
    message.add_attachment(b"<script>", maintype="text", subtype="html", filename='a"\u202egnp.html')
    [digest] = office.copy([canonical(message.as_bytes())])
    return digest.hex()[:20]


@pytest.fixture
def reading(office: Office, ledger: Ledger) -> Iterator[MessageReading]:
    with reading_messages(office.config, ledger, EVERYTHING) as reading:
        yield reading


def test_a_message_comes_with_text_headers_and_attachments(
    reading: MessageReading, letter: str, parser: Parser
) -> None:
    view = reading.view(letter, parser)
    assert (view.text, view.problem) == ("as text that is long enough to be taken for one", "")
    assert view.headers.sender == "Ann <ann@example.org>"
    assert [(one.number, one.name, one.octets) for one in view.attachments] == [
        (1, "_numbers.csv", 4),
        (2, "a_gnp.html", 8),
    ]
    assert view.layout is not None
    assert view.layout.html.startswith("<b>as html</b>")
    assert (view.layout.remote, view.layout.hosts) == (1, ("evil.test",))
    assert view.arrived.startswith("2024-01-15 12:00:00")


def test_it_says_where_it_came_from_and_when_its_copies_were_proven(
    reading: MessageReading, office: Office, letter: str, parser: Parser
) -> None:
    view = reading.view(letter, parser)
    assert view.accounts == ("alice",)
    [origin] = view.origins
    assert (origin.account, origin.host, origin.gone_at) == ("alice", "localhost", None)
    assert origin.copied_at is not None
    assert [copy.state for copy in view.copies] == ["verified", "verified"]
    assert all(copy.verified_at for copy in view.copies)
    written = view.as_json()
    assert written["id"] == letter
    assert written["accounts"] == ["alice"]


def test_attachments_are_given_by_their_numbers(reading: MessageReading, letter: str, parser: Parser) -> None:
    first = reading.attachment(letter, 1, parser)
    assert (first.content, "/" in first.name) == (b"1,2\n", False)
    for number in (0, 3, -1):
        with pytest.raises(NoSuchMessageError):
            reading.attachment(letter, number, parser)


def test_the_layout_is_harmless(reading: MessageReading, letter: str, parser: Parser) -> None:
    assert "evil" not in reading.layout(letter, parser).html


def test_the_bytes_are_those_of_the_digest(reading: MessageReading, office: Office) -> None:
    [digest] = office.copy(CONTENTS[:1])
    with reading.body(digest.hex(), exact=True) as (found, body):
        assert (found, b"".join(body.chunks())) == (digest, CONTENTS[0])


@pytest.mark.parametrize(
    "written", ["", "0", "00000000", "../../etc/passwd", "g" * 20, "0" * 65, "%", "\0" * 8, "'; drop"]
)
def test_what_is_no_id_of_a_message_is_not_there(written: str, reading: MessageReading, parser: Parser) -> None:
    with pytest.raises(NoSuchMessageError):
        reading.view(written, parser)


def test_what_may_not_be_seen_is_not_there(office: Office, ledger: Ledger, parser: Parser) -> None:
    [foreign] = office.copy([mail("secret of bob")], "bob")
    [both] = office.copy([mail("of both")], "bob")
    office.copy([mail("of both")], "alice")
    with reading_messages(office.config, ledger, Visible(frozenset({"alice"}))) as reading:
        with pytest.raises(NoSuchMessageError) as caught:
            reading.view(foreign.hex(), parser)
        assert str(caught.value) == str(NoSuchMessageError(foreign.hex()))
        for ask in (
            lambda: reading.layout(foreign.hex(), parser),
            lambda: reading.attachment(foreign.hex(), 1, parser),
        ):
            with pytest.raises(NoSuchMessageError):
                ask()
        view = reading.view(both.hex(), parser)
        assert view.accounts == ("alice",)
        assert {one.account for one in view.origins} == {"alice"}
        assert all("bob" not in copy.destination for copy in view.copies)


def test_a_message_that_is_in_no_folder_any_more_is_an_error_in_words(
    office: Office, ledger: Ledger, parser: Parser
) -> None:
    [digest] = office.copy([mail("lost")], "bob")
    for path in (office.root / "archive" / "bob").iterdir():
        path.unlink()
    with reading_messages(office.config, ledger, EVERYTHING) as reading, pytest.raises(FerryError):
        reading.view(digest.hex(), parser)
