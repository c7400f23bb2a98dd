"""The troubles of an administrator's life, all in one installation: each is found once, the most important first."""

from __future__ import annotations

import json
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrator.findings.catalogue import RANK
from tests.command_line import MESSAGES, account, maildir, mbox, source
from tests.cures.bench import Bench
from tests.faults import cut_tail, flip_bit
from tests.servers.certificates import Certificate
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import Answers, LoginRefused
from tests.servers.pop3_session import Fault
from tests.servers.process import free_ports

EXPECTED = {
    "archive-missing": ["gone"],
    "archive-changed": ["cut"],
    "archive-damaged": ["rotten"],
    "not-everywhere": ["spread"],
    "auth-refused": ["mistyped"],
    "secret-missing": ["no-password"],
    "host-unknown": ["no-host"],
    "host-unreachable": ["deaf", "deaf-too"],
    "wrong-service": ["imap-port"],
    "wrong-tls": ["tls-only"],
    "certificate": ["stranger"],
    "refused": ["odd"],
    "listen-taken": [],
    "archive-unknown": ["packed"],
    "message-refused": ["unreadable"],
    "limited": ["locked"],
    "disk-low": ["gone", "cut", "rotten", "exposed", "packed", "shared", "old", "spread", "unreadable"],
    "secret-exposed": [],
    "same-maildrop": ["shared", "shared-too"],
    "never-run": ["shared-too", "never"],
    "never-verified": ["old"],
    "index-damaged": [],
    "notify-dead": [],
}
"""The finding of each trouble, and whose it is."""
OLD = EXPECTED["disk-low"]
"""Who has worked for a while when the troubles begin."""


@dataclass
class Office:
    """Many accounts, and the servers of some of them."""

    bench: Bench
    server: Pop3Server
    open_until_the_end: ExitStack
    accounts: dict[str, str] = field(default_factory=dict)

    def has(self, name: str, *more: str, port: int = 0, user: str = "", **keys: object) -> None:
        """Add an account, or write it anew, with an archive of its own; its password is in a file of its own."""
        password = f'{{ file = "passwords/{name}" }}'
        table = source(port or self.server.port, user=user or name, password=password, **keys)
        self.accounts[name] = account(name, table, mbox(f"archive/{name}"), *more)
        if name != "no-password":
            self.tells(name, self.server.password)

    def tells(self, name: str, password: str) -> None:
        """Put a password where the configuration says that it is."""
        path = self.bench.folder / "passwords" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(password)

    def another_server(self, *faults: Fault, **options: object) -> int:
        server = Pop3Server(Maildrop(MESSAGES), faults=faults, **options)  # type: ignore[arg-type]  # its own options
        return self.open_until_the_end.enter_context(server).port

    def is_written(self, *tables: str) -> None:
        self.bench.writes(*tables, *self.accounts.values())

    def volume(self, name: str) -> Path:
        [volume] = (self.bench.folder / "archive" / name).glob("*.mbox")
        return volume


@pytest.fixture
def office(bench: Bench, server: Pop3Server) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(bench, server, stack)


def works_for_a_while(office: Office) -> None:
    """Let the older accounts copy their mail; one message of one of them cannot be read."""
    for name in OLD:
        office.has(name)
    office.has("unreadable", port=office.another_server(Answers("RETR", 3, words="-ERR cannot be read")))
    office.is_written()
    for _ in range(2):
        office.bench.migrate()
    assert office.bench.ferry("search", "*").code == 0


def what_is_stored_suffers(office: Office) -> None:
    bench, folder = office.bench, office.bench.folder
    shutil.move(folder / "archive" / "gone", folder / "unmounted")
    cut_tail(office.volume("cut"), 700)
    flip_bit(office.volume("rotten"), office.volume("rotten").stat().st_size // 2)
    assert bench.ferry("verify", "rotten").code == 1
    bench.ledger(
        "update messages set copied_at = 1700000000"
        " where maildrop_id in (select id from maildrops where account = 'old')"
    )
    (folder / "passwords" / "exposed").chmod(0o644)
    (bench.site.state / "search.sqlite3").write_bytes(b"\xff" * 8192)
    (folder / "archive" / "packed" / "2019-01.mbox.gz").write_bytes(b"\x1f\x8b")
    office.has("spread", maildir("maildir"))


def new_accounts_do_not_work(office: Office) -> None:
    [nobody] = free_ports(1)
    imap = office.open_until_the_end.enter_context(ImapServer(Mailboxes()))
    office.has("shared-too", user="shared")
    office.has("no-password")
    office.has("mistyped")
    office.tells("mistyped", "mistyped")
    office.has("no-host", port=995, host="pop.example.invalid", tls="implicit")
    office.has("deaf", port=nobody)
    office.has("deaf-too", port=nobody)
    office.has("imap-port", port=imap.port)
    office.has("tls-only", port=office.another_server(tls="implicit"))
    unknown = office.another_server(tls="implicit", certificate=Certificate.SELF_SIGNED)
    office.has("stranger", port=unknown, tls="implicit")
    office.has("odd", port=office.another_server(Answers("LIST", words="-ERR not now")))
    office.has("locked", port=office.another_server(LoginRefused("[IN-USE] locked")))
    office.has("never")


def nobody_is_told(office: Office) -> None:
    [nobody] = free_ports(1)
    taken = office.open_until_the_end.enter_context(socket.create_server(("127.0.0.1", 0)))
    office.is_written(
        '[notify]\ndisk_free = "900000 GB"\n[notify.smtp]\nhost = "localhost"\ntls = "none"\n'
        f'port = {nobody}\nsender = "f@example.org"\nto = ["a@example.org"]\n',
        f'[metrics]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n',
    )


def test_twenty_troubles_are_found_each_once_the_most_important_first(office: Office) -> None:
    works_for_a_while(office)
    assert [one["id"] for one in office.bench.found_by("doctor")] == ["message-refused"]
    what_is_stored_suffers(office)
    new_accounts_do_not_work(office)
    nobody_is_told(office)
    seen = office.bench.found_by("doctor")
    assert Counter(one["id"] for one in seen) == Counter(EXPECTED.keys())
    everybody = list(office.accounts)
    whose = {one["id"]: one["accounts"] for one in seen}
    assert whose == EXPECTED | {"disk-low": everybody}
    ranks = [RANK[one["id"]] for one in seen]
    assert ranks == sorted(ranks)
    assert office.server.password not in json.dumps(seen)
