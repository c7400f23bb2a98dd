"""Where archived messages are read from: every destination of the accounts in question, local ones first.

An archive folder is one destination with what the ledger knows of it, and the accounts whose mail goes there. What is
read is judged here by its digest: a damaged copy is passed over for a good one elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from itertools import islice

from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.archive import ArchiveLedger
from migrator.ledger.copies import CopiesLedger
from migrator.message.body import Body, HasEnvelope, MemoryBody
from migrator.message.digest import digest_of_body
from migrator.model import CopyState, Digest, Locator, MboxLocator, StoredCopy
from migrator.policy import WhenCopyIsGone

_CHUNK = 500
_FEW = 10_000
"""That many are looked up one by one sooner than all that there is, however much that be."""
_KINDS = {"mbox": 0, "maildir": 1, "s3": 2, "imap": 3}
_SMALL = 1 << 20

Reading = Generator[tuple[Digest, Body | FerryError], None, None]
"""What was asked for, one after the other; a body is good until the next is asked for, or the generator is closed."""


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """One destination. ``accounts`` are all that are configured to store there."""

    destination: Destination
    copies: CopiesLedger
    accounts: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether reading needs no server."""
        return self.destination.kind in ("mbox", "maildir")

    @property
    def is_mailbox(self) -> bool:
        """Whether it belongs to somebody else's server: what stands there may be altered, moved or expunged."""
        return self.destination.kind == "imap"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A destination that could not be read as a whole; nothing is recorded of its copies."""

    accounts: tuple[str, ...]
    destination: str
    error: FerryError


@dataclass(frozen=True, slots=True)
class _Place:
    archive_folder: ArchiveFolder
    copy: StoredCopy
    locator: Locator


def mends_gone(archive_folder: ArchiveFolder) -> bool:
    """Say whether a repair stores again what somebody took out: of a folder, and of a mailbox where a setting says so.

    A person who asks for the repair of a folder has lost what is gone from it; in a mailbox it may be filed elsewhere.
    """
    return not archive_folder.is_mailbox or archive_folder.destination.when_copy_is_gone is WhenCopyIsGone.RESTORE


class ArchiveReader:
    """All destinations that an archive may be read from."""

    def __init__(self, reader: Iterable[ArchiveFolder]) -> None:
        """Read from these; files before servers, and otherwise in this order."""
        self.all = sorted(reader, key=lambda archive_folder: _KINDS[archive_folder.destination.kind])
        self._broken: dict[str, FerryError] = {}

    def close(self) -> None:
        """Let go of every destination."""
        for archive_folder in self.all:
            archive_folder.destination.close()

    def only(self, reader: Iterable[ArchiveFolder]) -> ArchiveReader:
        """Return some of these; close the whole, not the part."""
        return ArchiveReader(reader)

    def of(self, account: str) -> list[ArchiveFolder]:
        """Return those where this account's mail goes."""
        return [archive_folder for archive_folder in self.all if account in archive_folder.accounts]

    def accounts_of(self, digests: Sequence[Digest]) -> dict[Digest, tuple[str, ...]]:
        """Return the accounts that each content may belong to, by where it stands."""
        if len(self.all) == 1:
            return dict.fromkeys(digests, self.all[0].accounts)
        found: dict[Digest, dict[str, None]] = {digest: {} for digest in digests}
        for archive_folder, there in self._having(digests):
            for digest in there:
                found[digest].update(dict.fromkeys(archive_folder.accounts))
        return {digest: tuple(accounts) for digest, accounts in found.items()}

    def _having(self, digests: Sequence[Digest]) -> list[tuple[ArchiveFolder, set[Digest]]]:
        """Return the destinations that have any of these, in order, each with those that it has."""
        if not self.all:
            return []
        there = self.all[0].copies.everywhere(digests)
        return [(one, there[number]) for one in self.all if (number := one.copies.destination_id) in there]

    def read(self, digests: Iterable[Digest], *, exact: bool = True) -> Reading:
        """Yield each content with its bytes, proven by their digest; the order is that of the archive, in stretches.

        A body must be consumed before the next is asked for. What no destination can give comes with the reason. Where
        ``exact`` is false, a verified copy that a server has altered will do.
        """
        remaining = iter(digests)
        while chunk := list(islice(remaining, _CHUNK)):
            yield from self._read_chunk(chunk, exact=exact)

    def _read_chunk(self, digests: Sequence[Digest], *, exact: bool) -> Iterator[tuple[Digest, Body | FerryError]]:
        errors: dict[Digest, FerryError] = {}
        wanted = dict.fromkeys(digests)
        for archive_folder, there in self._having(list(wanted)):
            asked = [digest for digest in there if digest in wanted]
            for digest, body in self._from(archive_folder, asked, exact=exact):
                if isinstance(body, FerryError):
                    errors[digest] = body
                else:
                    del wanted[digest]
                    yield digest, body
        absent = FerryError(Kind.ARCHIVE, "no destination holds a copy of this message")
        yield from ((digest, errors.get(digest, absent)) for digest in wanted)

    def _from(
        self, archive_folder: ArchiveFolder, digests: Sequence[Digest], *, exact: bool
    ) -> Iterator[tuple[Digest, Body | FerryError]]:
        """Yield what one destination gives for each; what it does not have is an error too."""
        if not digests:
            return
        identity = archive_folder.destination.identity
        places = _in_order(_located(archive_folder, digests))
        found = {place.copy.digest for place in places}
        absent = FerryError(Kind.ARCHIVE, f"{archive_folder.destination.label} holds no copy of this message")
        yield from ((digest, absent) for digest in digests if digest not in found)
        done = 0
        if identity not in self._broken:
            try:
                for place, body in zip(
                    places, archive_folder.destination.read([p.locator for p in places]), strict=True
                ):
                    judged = _judged(place, body, exact=exact)
                    done += 1
                    yield place.copy.digest, judged
            except FerryError as error:  # the destination as a whole: it is not asked again
                self._broken[identity] = error
        yield from ((place.copy.digest, self._broken[identity]) for place in places[done:])


def _located(archive_folder: ArchiveFolder, digests: Sequence[Digest]) -> list[_Place]:
    copies = archive_folder.copies.find(digests).values()
    return [_Place(archive_folder, copy, copy.locator) for copy in copies if copy.locator is not None]


def _in_order(places: list[_Place]) -> list[_Place]:
    """Read a volume from its beginning to its end."""

    def position(place: _Place) -> tuple[str, int, int]:
        match place.locator:
            case MboxLocator(volume, offset):
                return volume, offset, 0
            case _:
                return "", 0, place.copy.copy_id

    return sorted(places, key=position)


def _judged(place: _Place, body: Body | FerryError, *, exact: bool) -> Body | FerryError:
    """Return a body whose bytes are those of its digest; what a server altered is accepted where that was proven."""
    if isinstance(body, FerryError):
        return body
    try:
        if place.copy.octets <= _SMALL:
            envelope = body.envelope if isinstance(body, HasEnvelope) else b""
            body = MemoryBody(b"".join(body.chunks()), envelope)
        if digest_of_body(body) == place.copy.digest:
            return body
    except FerryError as error:  # a long body is read from the disk only now
        return error
    label = place.archive_folder.destination.label
    if place.copy.state is CopyState.VERIFIED and place.archive_folder.is_mailbox:
        if not exact:
            return body
        return FerryError(Kind.UNPROVEN, f"{label} keeps this message altered, and no exact copy is left elsewhere")
    return FerryError(Kind.MISMATCH, f"the copy in {label} is damaged", cure="see mailferry verify")


def belonging(
    account: str, reader: ArchiveReader, ledger: ArchiveLedger, wanted: Collection[Digest] | None = None
) -> Iterator[Digest]:
    """Yield, once each and in the order of the archive, every content that belongs to an account; of those ``wanted``.

    Where accounts share a destination, a message belongs to those whose maildrops showed it; one that none of them
    showed belongs to all of them.
    """
    seen: set[Digest] = set()
    for archive_folder in reader.of(account):
        standing = _standing(archive_folder, wanted)
        while chunk := list(islice(standing, _CHUNK)):
            fresh = [digest for digest in chunk if digest not in seen]
            seen.update(fresh)
            owners = ledger.owners(fresh) if len(archive_folder.accounts) > 1 else {}
            yield from (digest for digest in fresh if account in owners.get(digest, (account,)))


def _standing(archive_folder: ArchiveFolder, wanted: Collection[Digest] | None) -> Iterator[Digest]:
    """Yield what stands in a folder, in its order; a few that are wanted are looked up, and the rest is not read."""
    if wanted is None or len(wanted) > _FEW:
        every = archive_folder.copies.all_copies()
        yield from (copy.digest for copy in every if wanted is None or copy.digest in wanted)
        return
    left, found = iter(wanted), list[StoredCopy]()
    while chunk := list(islice(left, _CHUNK)):
        found += archive_folder.copies.find(chunk).values()
    yield from (copy.digest for copy in sorted(found, key=_place_of))


def _place_of(copy: StoredCopy) -> tuple[str, int, int]:
    match copy.locator:
        case MboxLocator(volume, offset):
            return volume, offset, copy.copy_id
        case _:
            return "", 0, copy.copy_id
