"""Update the search index from the ledger: reads what is new in the archive, and has it parsed.

Follows the ledger by the numbers of its contents, which only grow, so that looking whether anything is new costs next
to nothing. A message that cannot be read waits, and is tried again next time; one that cannot be parsed is taken in
with what its headers say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from migrator.archive.reader import ArchiveReader
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger.archive import ArchiveLedger, NumberedContent
from migrator.message.body import Body
from migrator.model import Digest
from migrator.parse.folding import folded
from migrator.parse.headers import header_words, headers
from migrator.parse.process import IndexedText, NotParsed, Parser
from migrator.report import OnProgress, no_progress
from migrator.search.entries import Entry, IndexProgress
from migrator.search.index import SearchIndex
from migrator.search.progress import fingerprint, is_behind, is_same_ledger

LONGEST_LOOKED_AT = 32 * 1024 * 1024
"""Of a longer message only the beginning is parsed."""

_CHUNK = 1_000
_BATCH_MESSAGES = 250
_BATCH_OCTETS = 4 * 1024 * 1024
_SLACK = 3_600.0
"""For how many seconds sightings are looked at again: a run takes its time before it records."""


@dataclass(slots=True)
class Followed:
    """What one update did. ``unread`` names, once each, why messages could not be read yet."""

    added: int = 0
    not_parsed: int = 0
    is_behind: bool = False
    """Whether there was more to take in than should be at one time, and nothing was."""
    unread: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the document of ``reindex``."""
        return {"indexed": self.added, "not_parsed": self.not_parsed, "unread": sum(self.unread.values())}


@dataclass(frozen=True, slots=True)
class _Raw:
    digest: Digest
    octets: int
    beginning: bytes


@dataclass(slots=True)
class _Batch:
    """Messages on their way through the parser."""

    raw: list[_Raw] = field(default_factory=list)
    octets: int = 0

    def add(self, message: _Raw) -> None:
        self.raw.append(message)
        self.octets += len(message.beginning)

    @property
    def is_full(self) -> bool:
        return len(self.raw) >= _BATCH_MESSAGES or self.octets >= _BATCH_OCTETS


@contextmanager
def exclusively(state_dir: Path, *, patience: float) -> Iterator[bool]:
    """Hold the lock of the index; False if another process is at work on it for longer than ``patience`` seconds."""
    folder = state_dir / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / "search.lock", mode=0o600)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


class Follower:
    """One update of an index."""

    def __init__(
        self,
        index: SearchIndex,
        ledger: ArchiveLedger,
        reader: ArchiveReader,
        parser: Parser,
        *,
        most: int | None = None,
        on_progress: OnProgress = no_progress,
    ) -> None:
        """Prepare; ``on_progress`` hears after each batch how many messages were taken in.

        Where there is more than ``most`` to take in, nothing is: somebody waits, and another has to do it.
        """
        self._index = index
        self._ledger = ledger
        self._reader = reader
        self._parser = parser
        self._most = most
        self._on_progress = on_progress
        self._followed = Followed()

    def follow(self) -> Followed:
        """Take in everything that the ledger knows, the index does not, and a destination can give."""
        if self._most is not None and is_behind(self._index.progress, self._ledger, self._most):
            self._followed.is_behind = True
            return self._followed
        if self._most is None:
            self._index.take_room()
        if not is_same_ledger(self._index.progress, self._ledger):
            self._index.forget_all_but(self._all_digests())
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="parser") as pool:
            self._catch_up_waiting(pool)
            while contents := self._ledger.contents_after(self._index.progress.number, _CHUNK):
                self._take_in(contents, pool)
        self._note_sightings()
        return self._followed

    def _all_digests(self) -> set[Digest]:
        digests: set[Digest] = set()
        number = 0
        while contents := self._ledger.contents_after(number, 50_000):
            digests.update(content.digest for content in contents)
            number = contents[-1].number
        return digests

    def _catch_up_waiting(self, pool: ThreadPoolExecutor) -> None:
        waiting = self._index.waiting()
        if self._most is not None and len(waiting) > self._most:
            return
        for start in range(0, len(waiting), _CHUNK):
            contents = self._ledger.contents_numbered(waiting[start : start + _CHUNK])
            unread = self._read_and_add([content for content in contents if content.has_copy], pool)
            arrived = [content.number for content in contents if content.has_copy and content.digest not in unread]
            self._index.followed(self._index.progress, arrived=arrived)

    def _take_in(self, contents: Sequence[NumberedContent], pool: ThreadPoolExecutor) -> None:
        unread = self._read_and_add([content for content in contents if content.has_copy], pool)
        waiting = [content.number for content in contents if not content.has_copy or content.digest in unread]
        before, number = self._index.progress, contents[-1].number
        self._index.followed(
            IndexProgress(number, fingerprint(number, self._ledger), before.sightings), waiting=waiting
        )

    def _read_and_add(self, contents: Sequence[NumberedContent], pool: ThreadPoolExecutor) -> set[Digest]:
        """Take these in; returns those that no destination can give now. One batch is parsed while the next is read."""
        unknown = self._index.unknown(content.digest for content in contents)
        unread: set[Digest] = set()
        under_way: tuple[_Batch, Future[list[IndexedText | NotParsed]]] | None = None
        for batch in self._batches({c.digest: c.octets for c in contents if c.digest in unknown}, unread):
            following = batch, pool.submit(self._parser.index, [raw.beginning for raw in batch.raw])
            if under_way:
                self._add(*under_way)
            under_way = following
        if under_way:
            self._add(*under_way)
        return unread

    def _batches(self, sizes: dict[Digest, int], unread: set[Digest]) -> Iterator[_Batch]:
        batch = _Batch()
        for digest, body in self._reader.read(sizes, exact=False):
            if isinstance(body, FerryError):
                unread.add(digest)
                reason = str(body)
                self._followed.unread[reason] = self._followed.unread.get(reason, 0) + 1
                continue
            batch.add(_Raw(digest, sizes[digest], _beginning(body)))
            if batch.is_full:
                yield batch
                batch = _Batch()
        if batch.raw:
            yield batch

    def _add(self, batch: _Batch, parsed: Future[list[IndexedText | NotParsed]]) -> None:
        accounts = self._reader.accounts_of([raw.digest for raw in batch.raw])
        answers = parsed.result()
        self._index.add(
            _entry(raw, answer, accounts[raw.digest]) for raw, answer in zip(batch.raw, answers, strict=True)
        )
        self._followed.added += len(answers)
        self._followed.not_parsed += sum(isinstance(answer, NotParsed) for answer in answers)
        self._on_progress(self._followed.added)

    def _note_sightings(self) -> None:
        """Note whose messages these are that were copied since; who waits need not go over those of a while ago."""
        progress = self._index.progress
        latest = progress.sightings
        for part in self._ledger.copied_since(latest - (0.0 if self._most is not None else _SLACK)):
            self._index.seen(part[0].account, [copied.digest for copied in part])
            latest = max(latest, *(copied.at for copied in part))
        self._index.followed(IndexProgress(progress.number, progress.fingerprint, latest))


def _beginning(body: Body) -> bytes:
    pieces: list[bytes] = []
    room = LONGEST_LOOKED_AT
    for chunk in body.chunks():
        pieces.append(chunk[:room])
        room -= len(pieces[-1])
        if room == 0:
            break
    return b"".join(pieces)


def _entry(raw: _Raw, answer: IndexedText | NotParsed, accounts: tuple[str, ...]) -> Entry:
    if isinstance(answer, IndexedText):
        return Entry(raw.digest, raw.octets, answer.headers, answer.words, answer.attachments, accounts)
    known = headers(raw.beginning)
    sender, recipients, cc, subject, list_id = map(folded, header_words(known))
    words = (sender, recipients, cc, subject, list_id, "", "")
    return Entry(raw.digest, raw.octets, known, words, 0, accounts, problem=answer.reason)
