"""A folder on an IMAP server as a destination: each message once, durable on return, read back from the server.

What the contract's words mean here. ``begin`` tells UIDVALIDITY and UIDNEXT as they were when the folder was looked at
for this batch: other clients deliver into and delete from the same folder all the while. ``recover`` reads from there
on and knows an altered copy again; when the folder was made again, it looks everywhere in it. ``copy_key`` is what it
needs for that, and must be durable with the intent. ``find`` and ``relocate`` are ``imap_finding``'s work. Nothing but
APPEND, CREATE and SUBSCRIBE ever changes the server, and only ``begin`` and ``store`` send them; a folder in which
copies are known is created only where the configuration wants what is gone to be stored again, or accepts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from migrator.backoff import IMAP_SETTLING
from migrator.copy_records import (
    Finding,
    Found,
    ImapAnchor,
    Intended,
    Intent,
    KnownPlaces,
    Lost,
    Recollection,
    Relocated,
)
from migrator.destinations import BatchLimits, Stored
from migrator.destinations.imap_finding import Finder, lost
from migrator.errors import FerryError, GoneError, Kind, Scope
from migrator.imap.find_copies import Portrait, SoughtCopy, copy_key_of, unpacked
from migrator.imap.mailbox import READ_AT_ONCE, Mailbox, MailboxEffects
from migrator.imap.session import Folder
from migrator.imap.settings import ImapSettings
from migrator.imap.upload import BATCH_MESSAGES, BATCH_OCTETS, BatchUpload, UploadOptions
from migrator.imap.upload_limits import UploadAllowance, preset_for
from migrator.message.body import Body, Message
from migrator.model import ImapLocator, Locator, Proof, mailbox_identity
from migrator.policy import WhenCopyIsGone

__all__ = ["STEPS", "ImapDestination", "ImapSettings"]

STEPS = ("imap.connected", "imap.folder-created", "imap.anchored", "imap.batch-sent", "imap.resolved", "imap.stored")
"""Every effect by name; ``step`` is called with it just after (or, for ``imap.batch-sent``, just before the reply)."""

LOCK_PATIENCE = 30.0
"""Seconds to wait for another run that writes to the same folder."""


class ImapDestination:
    """Copies in one folder of one user; connects when it is first needed."""

    kind = "imap"
    limits = BatchLimits(messages=BATCH_MESSAGES, octets=BATCH_OCTETS)

    def __init__(
        self,
        settings: ImapSettings,
        password: Callable[[], str | bytes],
        *,
        state_dir: Path,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        step: Callable[[str], None] = lambda _: None,
        lock_timeout: float = LOCK_PATIENCE,
    ) -> None:
        """Take note; nothing is connected yet. Locks, and what is left of allowances, live in ``state_dir``."""
        self.settings = settings
        self.identity = mailbox_identity(settings.username, settings.host, settings.folder)
        self.label = f"{settings.folder} of {settings.username} at {settings.host}"
        self.required_proof = Proof(settings.proof)
        self.when_copy_is_gone = settings.when_copy_is_gone
        self._state_dir = state_dir
        self._lock: FileLock | None = None
        self._lock_timeout = lock_timeout
        self._wall_clock = wall_clock
        allowed = preset_for(settings.host) if settings.allowances is None else settings.allowances
        self._allowances = allowed
        owner = f"{settings.username}@{settings.host.lower()}"
        self._allowance = UploadAllowance(allowed, owner, state_dir / "allowances", clock=wall_clock)
        self._effects = MailboxEffects(clock=clock, sleep=sleep, step=step, spool=state_dir)
        self._mailbox = Mailbox(settings, password, self._effects)
        self._finder = Finder(self._mailbox, is_rebuilding=self._is_rebuilding)
        self._folder: Folder | None = None
        """The folder as it was seen since this destination last stored anything."""
        self._placed_under: int | None = None
        """The UIDVALIDITY under which all copies were looked for; 0 where the folder was not there."""
        self._may_create = True
        self._anchor: ImapAnchor | None = None
        self._stop: FerryError | None = None
        self._flags: tuple[bytes, ...] | None = None

    @property
    def setting_place(self) -> str:
        """Where in the configuration a setting of this mailbox belongs."""
        return self.settings.setting_place()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a kernel lock on the mailbox; raises ``locked`` when another run keeps it. It may be asked for twice."""
        if self._lock is None:
            folder = self._state_dir / "locks"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = sha256(self.identity.encode()).hexdigest()[:32]
            self._lock = FileLock(folder / f"{name}.lock", timeout=self._lock_timeout)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise FerryError(Kind.LOCKED, f"another run is storing into {self.label}") from error
        try:
            yield
        finally:
            self._lock.release()

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        """Look at the folder; where its UIDVALIDITY is another one than that of copies, find these again by content."""
        folder = self._folder = self._mailbox.look()
        validity = 0 if folder is None else folder.uid_validity
        self._may_create = self.when_copy_is_gone is not WhenCopyIsGone.KEEP or not known.has_copies()
        if folder is None and not self._may_create:
            raise self._mailbox.missing()
        if next(known.moved(validity), None) is not None:
            with self.exclusive():
                yield from self._found_again(folder, known)
        self._placed_under = validity

    def _found_again(self, folder: Folder | None, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        if folder is None:
            yield from ([lost(copy)] for copy in known.moved(0))
        else:
            self._finder.look_through(folder, known)
            yield from self._finder.relocate(known)

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        """Tell which of the messages stand in the folder; what is known as a copy of another one does not count."""
        folder = self._now()
        if folder is not None:
            self._finder.look_through(folder, known)
            yield from self._finder.find(messages, known)

    def _now(self) -> Folder | None:
        if self._folder is None:
            self._folder = self._mailbox.look()
        return self._folder

    def begin(self, messages: Sequence[Message]) -> ImapAnchor:
        """Return the folder's UIDVALIDITY and UIDNEXT; the folder is created if it is not there.

        Once ``store`` has learnt that the mailbox takes no more in this run, that error is raised at once.
        """
        del messages
        if self._stop is not None:
            raise self._stop
        if self.settings.wanted_flags and not self._mailbox.is_open_for_writing:
            self._mailbox.is_open_for_writing = True  # only so does a server tell which flags it keeps
            self._folder = None
        folder = self._now() or self._created()
        if self._flags is None:
            self._flags = self._kept(folder.kept_flags)
        self._anchor = ImapAnchor(folder.uid_validity, folder.uid_next)
        self._effects.step("imap.anchored")
        return self._anchor

    def _created(self) -> Folder:
        self._mailbox.create()
        folder = self._folder = self._mailbox.look()
        if folder is None:
            raise FerryError(
                Kind.REFUSED, f"the folder {self.settings.folder} was created and is not there", scope=Scope.ACCOUNT
            )
        self._placed_under = folder.uid_validity
        return folder

    def _kept(self, kept: frozenset[bytes]) -> tuple[bytes, ...]:
        """Leave out what the folder would forget (or a server such as Gmail refuse the message for)."""
        known = {flag.lower() for flag in kept}
        return tuple(
            flag
            for flag in (wanted.encode("ascii", "ignore") for wanted in self.settings.wanted_flags)
            if flag.lower() in known or (rb"\*" in kept and not flag.startswith(b"\\"))
        )

    def copy_key(self, message: Message) -> bytes:
        """Return what an altered copy is known by: its loose form, and headers that survive (some 150 bytes)."""
        return copy_key_of(message).packed()

    def store(self, messages: Sequence[Message]) -> Stored:
        """Store each message once. A lost reply is resolved by reading; waits of up to half a minute happen here.

        A message gets an error of account scope where it is the mailbox that takes no more, and so do those after it;
        the next ``begin`` raises that error.
        """
        anchor = self._anchor or self.begin(messages)
        now = datetime.fromtimestamp(self._wall_clock(), UTC)
        options = UploadOptions(
            self._flags or (), lambda: now, self._is_rebuilding, self._allowances.burst, self._may_create
        )
        delivery = BatchUpload(
            self._mailbox,
            messages,
            uid_validity=anchor.uid_validity,
            uid_next=anchor.uid_next,
            options=options,
            allowance=self._allowance,
            effects=self._effects,
        )
        outcomes = delivery.run(self._mailbox.room(sum(message.octets for message in messages)))
        self._anchor, self._folder, self._stop = None, None, delivery.stop
        self._note_stored([outcome for outcome in outcomes if isinstance(outcome, ImapLocator)])
        self._effects.step("imap.stored")
        return Stored(outcomes)

    def _note_stored(self, places: Sequence[ImapLocator]) -> None:
        self._finder.stored(places)
        if any(place.uid_validity != self._placed_under for place in places):
            self._placed_under = None  # it was made again meanwhile: copies are to be looked for again

    @property
    def _is_rebuilding(self) -> bool:
        return self.required_proof is Proof.SEMANTIC or self._allowances.rebuilds_messages

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Find the copies of every intent with an unknown outcome; what is not found is not there."""
        claimed: set[int] = set()
        for intent in recollection.intents:
            if isinstance(intent.anchor, ImapAnchor) and intent.messages:
                yield from self._recovered(intent, intent.anchor, recollection.known, claimed)

    def _recovered(
        self, intent: Intent, anchor: ImapAnchor, known: KnownPlaces, claimed: set[int]
    ) -> Iterator[Finding]:
        left = list(intent.messages)
        for pause in (0.0, *IMAP_SETTLING):
            if pause:
                self._effects.sleep(pause)  # the server may still be working on what was sent just before the crash
            found = self._copies(left, anchor, known, claimed)
            yield from found
            digests = {one.digest for one in found}
            left = [message for message in left if message.digest not in digests]
            if not left:
                return

    def _copies(
        self, left: Sequence[Intended], anchor: ImapAnchor, known: KnownPlaces, claimed: set[int]
    ) -> list[Found]:
        folder = self._mailbox.look()
        if folder is None:
            return []
        first = anchor.uid_next if folder.uid_validity == anchor.uid_validity else 1
        there = {one.uid: one for one in self._mailbox.sizes(first)}
        candidates = [there[uid] for uid in known.unknown_uids(folder.uid_validity, list(there)) if uid not in claimed]
        wanted = [SoughtCopy(one.digest, one.octets, unpacked(one.copy_key)) for one in left]
        pairs, portraits = self._mailbox.find(
            folder.uid_validity, candidates, wanted, is_rebuilding=self._is_rebuilding
        )
        claimed.update(pairs.values())
        return [
            _found(wanted[place], portraits[uid], ImapLocator(folder.uid_validity, uid)) for place, uid in pairs.items()
        ]

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield each copy exactly as the server gives it; one that it lost or cannot show is an error."""
        for start in range(0, len(locators), READ_AT_ONCE):
            group = locators[start : start + READ_AT_ONCE]
            shown: dict[Locator, Body | FerryError] = {}
            for uid_validity, uids in _by_validity(group).items():
                if self._placed_under not in (None, uid_validity):  # they were looked for, and not found
                    shown |= {ImapLocator(uid_validity, uid): self._lost(uid) for uid in uids}
                    continue
                for bodies in self._mailbox.bodies(uid_validity, uids):
                    shown |= {ImapLocator(uid_validity, uid): body for uid, body in bodies.items()}
            for locator in group:
                yield shown.get(locator) or FerryError(Kind.INTERNAL, f"{locator} is no place in an IMAP folder")

    def _lost(self, uid: int) -> FerryError:
        return GoneError(f"the copy (once UID {uid}) is no longer in {self.label}, which was made anew")

    def uid_validity(self) -> int | None:
        """Return the folder's UIDVALIDITY as it is now, None where the folder is not there."""
        folder = self._folder = self._mailbox.look()
        return None if folder is None else folder.uid_validity

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these places the folder does not have any more, by one listing of its UIDs."""
        folder = self._mailbox.look()
        if folder is None:
            return len(locators)
        uids = self._mailbox.uids() if folder.exists else set()
        there = {ImapLocator(folder.uid_validity, uid) for uid in uids}
        return sum(locator not in there for locator in locators)

    def probe(self) -> dict[str, object]:
        """Say what the server offers, the folder's numbers and the quota. Opens nothing and changes nothing."""
        session = self._mailbox.session
        offers: dict[str, object] = {
            "folder": self._mailbox.folder,
            "exists": self._mailbox.exists,
            "capabilities": sorted(name.decode("ascii", "replace") for name in session.capabilities),
        }
        if self._mailbox.exists:
            offers |= session.status(self._mailbox.folder)
        if session.upload_capabilities.append_limit is not None:
            offers["append_limit"] = session.upload_capabilities.append_limit
        quota = session.quota(self._mailbox.folder)
        if quota is not None:
            offers["quota_used"], offers["quota_limit"] = quota
        return offers

    def close(self) -> None:
        """Log out; never raises."""
        self._mailbox.close()


def _by_validity(locators: Sequence[Locator]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for locator in locators:
        if isinstance(locator, ImapLocator):
            groups.setdefault(locator.uid_validity, []).append(locator.uid)
    return groups


def _found(wanted: SoughtCopy, portrait: Portrait, locator: ImapLocator) -> Found:
    known = wanted.copy_key
    return Found(
        digest=wanted.digest,
        header_digest=known.header_digest if known else portrait.header.digest,
        message_id=known.message_id if known else portrait.header.message_id,
        octets=wanted.octets,
        locator=locator,
    )
