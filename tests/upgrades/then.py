"""What stood on a machine where an earlier mailferry worked: its ledger, archives, index and configuration.

Each file of ``then/`` was made by the program of that time (``tests.upgrades.making``); nothing in them is made up.
"""

from __future__ import annotations

import gzip
import io
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults.at import At
from tests.servers.pop3_session import Command, Session
from tests.servers.pop3_wire import Wire

THEN = Path(__file__).with_name("then")
VERSIONS = tuple(sorted(int(path.name.split(".")[0]) for path in THEN.glob("*.tar.gz")))
MADE_IN = "/tmp/mailferry-of-then"  # the ledgers know their archives by this path
ALICES = letters(9)
BOBS = letters(5, first=50)
REFUSED = 4
"""The number of alice's message that her server does not give."""


class Refuses(At):
    """Says of one message that there is something wrong with it, for ever."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        """Refuse what RETR asks for, of alice's maildrop only."""
        is_hers = session.user == "alice"
        return iter([b"-ERR this message is damaged\r\n"]) if is_hers and self.strikes(command) else None


def address_of(version: int) -> tuple[str, int]:
    """Return where the server of that machine listens; the same then and now, since an account is known by it too."""
    return f"127.18.0.{version}", 11018


@contextmanager
def server_of(version: int, maildrops: dict[str, Maildrop] | None = None) -> Iterator[Pop3Server]:
    """Serve what stood on that server; one of alice's messages is refused."""
    drops = maildrops or {"alice": Maildrop(ALICES), "bob": Maildrop(BOBS)}
    with Pop3Server(drops, at=address_of(version), faults=[Refuses("RETR", REFUSED)]) as server:
        yield server


def unpack(version: int, folder: Path) -> None:
    """Lay out what stood on that machine below a folder, and let the ledger know that it is there now."""
    with tarfile.open(THEN / f"{version}.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as sql:
        sql.execute("update destinations set identity = replace(identity, ?, ?)", (MADE_IN, str(folder)))
        sql.commit()


def pack(version: int, folder: Path) -> None:
    """Keep what stands below a folder, in the same bytes for the same content."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for path in sorted(path for path in folder.rglob("*") if path.suffix not in {".lock", ".pid"}):
            tar.add(path, str(path.relative_to(folder)), recursive=False)
    (THEN / f"{version}.tar.gz").write_bytes(gzip.compress(whole.getvalue(), mtime=0))
