"""An office with an archive on disk: a configuration, a ledger, and mail brought in by the program's own means."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from migrator.archive.reader import ArchiveReader
from migrator.cli.main import main
from migrator.config import Config, load
from migrator.copying.copier import Copier, CopyResult
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.model import Digest, ListedMessage, MessageNumber, UniqueId
from migrator.search.index import SearchIndex
from migrator.wiring.account import destination_of
from migrator.wiring.archive import open_archive
from tests.mail import message_of

Places = dict[str, Sequence[str]]


@dataclass
class Office:
    """Accounts by name with the places (``mbox:PATH``, ``maildir:PATH``) where their mail goes, relative to ``root``."""

    root: Path
    places: Places = field(default_factory=lambda: {"alice": ["mbox:archive/alice"]})

    def __post_init__(self) -> None:
        accounts = [self._account(name, places) for name, places in self.places.items()]
        self.config_path.write_text("\n".join(['state_dir = "state"', *accounts]))

    def _account(self, name: str, places: Sequence[str]) -> str:
        lines = ["[[accounts]]", f'name = "{name}"', "[accounts.source]", 'host = "localhost"']
        lines += ['username = "u"', 'password = "secret"', 'tls = "none"']
        for place in places:
            kind, _, path = place.partition(":")
            lines += ["[[accounts.destinations]]", f'type = "{kind}"', f'path = "{path}"']
        return "\n".join(lines)

    @property
    def config_path(self) -> Path:
        return self.root / "config.toml"

    @property
    def state_dir(self) -> Path:
        return self.root / "state"

    @property
    def config(self) -> Config:
        return load(self.config_path)

    def copy(self, contents: Iterable[bytes], account: str = "alice", *, is_seen: bool = True) -> list[Digest]:
        """Archive messages for an account, as if its maildrop had shown them (or, with ``is_seen`` false, without)."""
        messages = [message_of(content) for content in contents]
        [chosen] = self.config.select([account])
        ledger = Ledger.open(self.state_dir)
        for place in chosen.destinations:
            destination = destination_of(place, self.state_dir)
            copier = Copier(destination, ledger.copies(destination.identity, destination.kind), clock=time.time)
            outcomes = copier.copy(messages)
            assert all(isinstance(outcome, CopyResult) for outcome in outcomes), outcomes
            destination.close()
        if is_seen:
            self._note_seen(ledger, account, messages)
        ledger.close()
        return [message.digest for message in messages]

    def _note_seen(self, ledger: Ledger, account: str, messages: Sequence[Message]) -> None:
        maildrop = ledger.maildrop(account, "localhost", 110, account)
        listing = [
            ListedMessage(MessageNumber(number), UniqueId(message.digest.hex()[:16].encode()), message.octets)
            for number, message in enumerate(messages, 1)
        ]
        maildrop.match(listing)
        maildrop.note(time.time())
        rows = {listed.unique_id: listed.row for listed in maildrop.listed({})}
        pairs = [(rows[one.unique_id], message.digest) for one, message in zip(listing, messages, strict=True)]
        maildrop.copied(pairs, time.time())

    @contextmanager
    def opened(self) -> Iterator[tuple[Ledger, ArchiveReader, SearchIndex]]:
        ledger = Ledger.open(self.state_dir)
        index = SearchIndex.open(self.state_dir)
        try:
            with open_archive(self.config, ledger) as reader:
                yield ledger, reader, index
        finally:
            index.close()
            ledger.close()

    def call(self, *arguments: str) -> int:
        """Call the command line; the umask that it sets for its process does not outlast it."""
        before = os.umask(0o022)
        os.umask(before)
        try:
            return main(["-c", str(self.config_path), *arguments])
        except SystemExit as error:
            return int(error.code or 0)
        finally:
            os.umask(before)


def document(output: str) -> dict[str, object]:
    loaded = json.loads(output)
    assert isinstance(loaded, dict)
    return loaded
