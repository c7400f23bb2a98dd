"""A folder and a mailbox in memory of which a test writes the script: what fails, what stands there unknown, what is
asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from migrator.copy_records import Anchor, Finding, Found, ImapAnchor, KnownPlaces, Lost, Recollection, Relocated
from migrator.errors import FerryError, GoneError
from migrator.message.body import Body, LinesBody, Message
from migrator.message.line_ends import to_lf
from migrator.model import Digest, ImapLocator, Locator, MaildirLocator
from tests.mail import message_of
from tests.memory_destination import MemoryDestination


@dataclass
class ScriptedFolder(MemoryDestination):
    """Fails as it is told, and counts what is asked of it.

    ``strangers`` stand here, too, and are found only by who looks for their contents; ``alter`` is what becomes of the
    messages in ``alters``.
    """

    label: str = "a folder"
    alter: Callable[[bytes], bytes] = bytes.upper
    recovers_with: FerryError | None = None
    reads_with: FerryError | None = None
    read_errors: dict[str, FerryError] = field(default_factory=dict)
    strangers: dict[str, bytes] = field(default_factory=dict)
    recoveries: int = 0
    looked_for: list[list[Digest]] = field(default_factory=list)
    counted: int = 0

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        assert self.is_locked
        self.recoveries += 1
        if self.recovers_with is not None:
            raise self.recovers_with
        meant = {one.digest for intent in recollection.intents for one in intent.messages}
        for name, content in self.stored.items():
            found = message_of(content)
            if found.digest in meant:
                yield self._found(found, name)

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        assert self.is_locked
        self.looked_for.append([one.digest for one in messages])
        wanted = {one.digest: one for one in messages}
        for name, content in self.strangers.items():
            if one := wanted.get(message_of(content).digest):
                self.stored[name] = content
                yield self._found(one, name)

    def _found(self, one: Message, name: str) -> Found:
        return Found(one.digest, one.header_digest, one.message_id, one.octets, self.locator(name))

    def _store(self, message: Message) -> Locator | FerryError:
        altered, self.alters = self.alters, set()
        stored = super()._store(message)
        self.alters = altered
        if isinstance(stored, FerryError):
            return stored
        name = ScriptedFolder.name_at(self, stored)
        if message.digest in altered:
            self.stored[name] = self.alter(self.stored[name])
        return self.locator(name)

    def locator(self, name: str) -> Locator:
        return MaildirLocator(name)

    def name_at(self, locator: Locator) -> str:
        assert isinstance(locator, MaildirLocator)
        return locator.base_name

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        self.calls.append(f"read {len(locators)}")
        if self.reads_with is not None:
            raise self.reads_with
        for name in map(self.name_at, locators):
            content = self.stored.get(name)
            read = GoneError("it is gone") if content is None else LinesBody(to_lf(content))
            yield self.read_errors.get(name, read)

    def count_missing(self, locators: Sequence[Locator]) -> int:
        self.counted += 1
        return sum(self.name_at(one) not in self.stored for one in locators)


@dataclass
class ScriptedMailbox(ScriptedFolder):
    """The same with UIDs; what it says of places that lost their meaning, once, is in ``moves``."""

    identity: str = "imap:mailbox"
    kind: str = "imap"
    label: str = "a mailbox"
    moves: list[list[Relocated | Lost]] = field(default_factory=list)

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        moves, self.moves = self.moves, []
        yield from moves

    def begin(self, messages: Sequence[Message]) -> Anchor:
        assert self.is_locked
        return ImapAnchor(1, len(self.stored) + 1)

    def locator(self, name: str) -> Locator:
        return ImapLocator(1, int(name.removeprefix("copy-")) + 1)

    def name_at(self, locator: Locator) -> str:
        assert isinstance(locator, ImapLocator)
        return f"copy-{locator.uid - 1}"
