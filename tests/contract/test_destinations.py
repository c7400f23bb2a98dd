"""Every destination joins the contract here: both kinds of folder, an object store, mailboxes, and the one in memory that tests use."""

from __future__ import annotations

import gc
import imaplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.destinations.s3.destination import S3Destination
from migrator.message.digest import digest_of
from migrator.net.tls import TlsMode, TlsSettings
from tests.contract.suite import DestinationContract, Place, open_handles, settled
from tests.contract.support import NOW
from tests.memory_destination import MemoryDestination
from tests.servers.dovecot import Dovecot
from tests.servers.imap import CAPABILITIES, ImapServer
from tests.servers.mailboxes import INBOX, AppendItem, Mailboxes
from tests.servers.object_store import Bucket


class TestMemory(DestinationContract):
    @pytest.fixture
    def place(self) -> Place:
        folder = MemoryDestination()
        another = MemoryDestination("maildir:another")

        def put(content: bytes) -> None:
            folder.stored[f"theirs-{len(folder.stored)}"] = content

        return Place(folder.reopened, another.reopened, put, folder.stored.clear)


class TestMbox(DestinationContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        archive = tmp_path / "archive"

        def opened(folder: Path) -> MboxDestination:
            return MboxDestination(folder, state_dir=tmp_path / "state", clock=lambda: NOW, lock_timeout=0.05)

        def put(content: bytes) -> None:
            archive.mkdir(exist_ok=True)
            record = b"From somebody@example.org Mon Nov 23 12:00:05 2026\n" + content.replace(b"\r\n", b"\n") + b"\n"
            with (archive / "2026-11-001.mbox").open("ab") as volume:
                volume.write(record)

        def lose() -> None:
            for volume in archive.glob("*.mbox"):
                volume.write_bytes(b"")

        return Place(partial(opened, archive), partial(opened, tmp_path / "another"), put, lose)


class TestMaildir(DestinationContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        archive = tmp_path / "archive"

        def opened(folder: Path) -> MaildirDestination:
            return MaildirDestination(folder, state_dir=tmp_path / "state", clock=lambda: NOW, lock_timeout=0.05)

        def put(content: bytes) -> None:
            for name in ("tmp", "new", "cur"):
                (archive / name).mkdir(parents=True, exist_ok=True)
            file = archive / "tmp" / f"1795000000.{len(list((archive / 'new').iterdir()))}.somebody"
            file.write_bytes(content.replace(b"\r\n", b"\n"))
            file.rename(archive / "new" / file.name)

        def lose() -> None:
            for file in (archive / "new").iterdir():
                file.unlink()

        return Place(partial(opened, archive), partial(opened, tmp_path / "another"), put, lose)


class TestObjectStore(DestinationContract):
    @pytest.fixture
    def place(self, tmp_path: Path, bucket: Bucket) -> Place:
        def opened(prefix: str) -> S3Destination:
            settings = replace(bucket.settings, prefix=prefix)
            return S3Destination(settings, state_dir=tmp_path / "state", clock=lambda: NOW, lock_timeout=0.05)

        def put(content: bytes) -> None:
            frame = b"From somebody@example.org Mon Nov 23 12:00:05 2026\n"
            record = frame + content.replace(b"\r\n", b"\n") + b"\n"
            bucket.put(f"mail/alice/{digest_of(content).hex()[:8]}.mbox", record)

        def lose() -> None:
            for key in bucket.objects():
                bucket.put(key, b"")

        def handles() -> int:
            gc.collect()  # a client that nobody closed lets go of its connections with itself
            return settled(open_handles)  # the store, in this process, is a little behind

        return Place(partial(opened, "mail/alice"), partial(opened, "mail/bob"), put, lose, handles=handles)


Open = Callable[[str], ImapDestination]
Opener = Callable[[ImapServer | Dovecot, int], Open]


class ImapContract(DestinationContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Iterator[Opener]:
        """Open folders of ann's at a server; all are closed with the test."""
        with ExitStack() as opened:

            def at(server: ImapServer | Dovecot, port: int) -> Open:
                def open_folder(folder: str) -> ImapDestination:
                    settings = ImapSettings(server.host, port, "ann", tls=TlsSettings(TlsMode.NONE), folder=folder)
                    destination = ImapDestination(
                        settings, lambda: server.password, state_dir=tmp_path, sleep=lambda _: None, lock_timeout=0.05
                    )
                    opened.callback(destination.close)
                    return destination

                return open_folder

            yield at


class TestImapInMemory(ImapContract):
    @pytest.fixture(params=[CAPABILITIES, ("IMAP4rev1", "AUTH=PLAIN")], ids=["able", "plain"])
    def place(self, request: pytest.FixtureRequest, opener: Opener) -> Iterator[Place]:
        mailboxes = Mailboxes()
        with ImapServer(mailboxes, capabilities=request.param) as server:
            opened = opener(server, server.port)

            def put(content: bytes) -> None:
                mailboxes.append(INBOX, [AppendItem(content)])

            def handles() -> int:
                server.wait_until_unused()
                return open_handles()

            yield Place(
                lambda: opened("INBOX"),
                lambda: opened("Another"),
                put,
                lambda: mailboxes.expunge_all(INBOX),
                may_change=frozenset({"empty"}),
                adopts_mail=False,
                handles=handles,
            )


class TestDovecot(ImapContract):
    @pytest.fixture
    def place(self, dovecot: Dovecot, opener: Opener) -> Place:
        opened = opener(dovecot, dovecot.imap_port)
        return Place(
            lambda: opened("INBOX"),
            lambda: opened("Another"),
            lambda content: dovecot.mailbox("ann").append([content]),
            lambda: _delete_everything(dovecot),
            may_change=frozenset({"empty", "NUL", "bare CRs", "CR before From_"}),
            adopts_mail=False,
        )


def _delete_everything(server: Dovecot) -> None:
    with imaplib.IMAP4(server.host, server.imap_port, timeout=20) as session:
        session.login("ann", server.password)
        session.select("INBOX")
        session.store("1:*", "+FLAGS", "\\Deleted")
        session.expunge()
