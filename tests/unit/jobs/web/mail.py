"""Mail in the archive that a page shows, stored by the program's own means."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.message.digest import canonical, digest_of
from migrator.model import ListedMessage, MessageNumber, MessageRow, UniqueId
from migrator.report import Problem
from tests.unit.archive.office import Office as ArchiveOffice

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


FIXED = canonical(
    b"From: ann@example.org\nSubject: fixed\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: text/plain\n\ntext\n--b\nContent-Type: text/csv; name=a.csv\n\n1,2\n--b--\n"
)
"""A message whose digest is known beforehand, with an attachment."""


def filled(path: str) -> str:
    """Return the address of a screen with something for each of its parts.

    The message is ``FIXED``; the number of what was set aside is the first of a ledger.
    """
    identity = digest_of(FIXED).hex()
    return (
        path.replace("{name}", "alice").replace("{id}", identity).replace("{number:int}", "1").replace("{row:int}", "1")
    )


def set_aside(ledger: Ledger, account: str, count: int) -> list[MessageRow]:
    """Let that many messages of an account be refused by their server; returns their numbers."""
    drop = ledger.maildrop(account, "127.0.0.1", 1, account)
    drop.match([ListedMessage(MessageNumber(n), UniqueId(b"<%d>" % n), 10) for n in range(1, count + 1)])
    drop.note(1.0)
    rows = [message.row for message in drop.listed({})]
    ledger.history.failed([(row, Problem(Kind.REFUSED, "the server said <no>", UniqueId(b"1"))) for row in rows], 2.0)
    return rows


class Archive(ArchiveOffice):
    """The archive of a configuration that stands there already."""

    def __post_init__(self) -> None:
        pass


def stored(folder: Path, account: str, *contents: bytes) -> list[str]:
    """Archive messages for an account; returns their digests."""
    return [digest.hex() for digest in Archive(folder).copy(contents, account)]


def letter(subject: str = "a letter", html: str = "", text: str = "as text, and enough of it to be one") -> bytes:
    message = EmailMessage()
    message["From"] = "Ann <ann@example.org>"
    message["To"] = "bob@example.org"
    message["Subject"] = subject
    message["Date"] = "Mon, 15 Jan 2024 12:00:00 +0000"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    message.add_attachment(
        b"<script>pwned(1)</script>", maintype="text", subtype="html", filename='../Ü "x"\u202egnp.html'
    )
    message.add_attachment(PNG, maintype="image", subtype="png", filename="logo.png")
    return canonical(message.as_bytes())
