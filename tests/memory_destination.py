"""A destination in memory that keeps the contract, until a test tells it not to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock

from migrator.copy_records import Anchor, Finding, Found, KnownPlaces, MaildirAnchor, Recollection
from migrator.destinations import BatchLimits, Stored
from migrator.errors import FerryError, GoneError, Kind
from migrator.message.body import Body, LinesBody, Message
from migrator.message.line_ends import to_lf
from migrator.model import Digest, Locator, MaildirLocator, Proof
from migrator.policy import WhenCopyIsGone
from tests.mail import Pieces, message_of


class CrashError(Exception):
    """The program dies here."""


@dataclass
class MemoryDestination:
    """What stands here is in ``stored``, by base name; the other fields say what goes wrong."""

    identity: str = "maildir:memory"
    kind: str = "maildir"
    label: str = "a folder in memory"
    required_proof: Proof = Proof.EXACT
    limits: BatchLimits = field(default_factory=lambda: BatchLimits(100, 1 << 20))
    refuses: set[Digest] = field(default_factory=set)
    alters: set[Digest] = field(default_factory=set)
    drops: set[Digest] = field(default_factory=set)
    fails_with: FerryError | None = None
    dies_after_store: bool = False
    stored: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_locked: bool = False
    when_copy_is_gone: WhenCopyIsGone = WhenCopyIsGone.KEEP
    setting_place: str = ""
    _names: count[int] = field(default_factory=count)
    _lock: Lock = field(default_factory=Lock)

    def reopened(self) -> MemoryDestination:
        """Return another object for the same folder, as a new run would open it."""
        return replace(self, calls=[], is_locked=False)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        assert not self.is_locked
        if not self._lock.acquire(blocking=False):
            raise FerryError(Kind.LOCKED, "another run is here")
        self.is_locked = True
        try:
            yield
        finally:
            self.is_locked = False
            self._lock.release()

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        assert self.is_locked
        meant = {one.digest for intent in recollection.intents for one in intent.messages}
        unknown = set(recollection.known.unknown_names(list(self.stored))) if self.kind == "maildir" else set()
        for name, content in self.stored.items():
            found = message_of(content)
            if name in unknown or found.digest in meant:
                yield Found(found.digest, found.header_digest, found.message_id, found.octets, MaildirLocator(name))

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        assert self.is_locked
        return iter(())

    def begin(self, messages: Sequence[Message]) -> Anchor:
        assert self.is_locked
        return MaildirAnchor(f"batch-{len(messages)}")

    def copy_key(self, message: Message) -> bytes:
        return b""

    def store(self, messages: Sequence[Message]) -> Stored:
        assert self.is_locked
        self.calls.append(f"store {len(messages)}")
        if self.fails_with is not None:
            raise self.fails_with
        stored = Stored(tuple(self._store(message) for message in messages))
        if self.dies_after_store:
            raise CrashError
        return stored

    def _store(self, message: Message) -> Locator | FerryError:
        if message.digest in self.refuses:
            return FerryError(Kind.REFUSED, "this message is not wanted here")
        name = f"copy-{next(self._names)}"
        if message.digest in self.drops:  # it says that it stored it
            return MaildirLocator(name)
        content = b"".join(message.body.chunks())
        self.stored[name] = content.upper() if message.digest in self.alters else content
        return MaildirLocator(name)

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        self.calls.append(f"read {len(locators)}")
        for locator in locators:
            assert isinstance(locator, MaildirLocator)
            content = self.stored.get(locator.base_name)
            yield GoneError("it is gone", cure="put it back") if content is None else _body(content)

    def count_missing(self, locators: Sequence[Locator]) -> int:
        return sum(isinstance(one, MaildirLocator) and one.base_name not in self.stored for one in locators)

    def probe(self) -> dict[str, object]:
        return {"messages": len(self.stored)}

    def close(self) -> None:
        """Nothing is open."""


def _body(content: bytes) -> Body:
    return Pieces(content) if len(content) > 1 << 20 else LinesBody(to_lf(content))
