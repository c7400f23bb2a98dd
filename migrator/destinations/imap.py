"""A folder on an IMAP server as a destination: each message once, durable on return, read back from the server.

What the contract's words mean here. ``begin`` tells UIDVALIDITY and UIDNEXT as they were when the folder was looked at
for this batch, or as this run's last batch has left it: other clients deliver into and delete from the same folder all
the while. ``recover`` reads from there on and knows an altered copy again; when the folder was made again, it looks
everywhere in it. ``copy_key`` is what it needs for that, and must be durable with the intent. ``find`` and ``relocate``
are ``imap_finding``'s work. Nothing but APPEND, CREATE and SUBSCRIBE ever changes the server, and only ``begin`` and
``store`` send them; a folder in which copies are known is created only where the configuration wants what is gone to be
stored again, or accepts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from migrator.backoff import imap_settling
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
from migrator.destinations import BatchLimits, Census, Stored
from migrator.destinations.imap_finding import Finder, lost
from migrator.destinations.imap_lock import MailboxLock
from migrator.destinations.imap_storing import MailboxStoring, UploadPace
from migrator.errors import Endpoint, FerryError, GoneError, Kind, Scope
from migrator.imap.find_copies import Portrait, SoughtCopy, copy_key_of, unpacked
from migrator.imap.folder_view import Folder
from migrator.imap.mailbox import READ_AT_ONCE, Mailbox, MailboxEffects
from migrator.imap.settings import ImapSettings
from migrator.imap.upload import BATCH_MESSAGES, BATCH_OCTETS, SLOW_BATCH_MESSAGES
from migrator.imap.upload_limits import AllowanceFiles, AllowanceStore, UploadAllowance, preset_for
from migrator.message.body import Body, Message
from migrator.model import ImapLocator, Locator, Proof, mailbox_identity, mailbox_name
from migrator.net.patience import Stop
from migrator.policy import WhenCopyIsGone

__all__ = ["STEPS", "ImapDestination", "ImapSettings"]

STEPS = ("imap.connected", "imap.folder-created", "imap.anchored", "imap.batch-sent", "imap.resolved", "imap.stored")
"""Every effect by name; ``step`` is called with it just after (or, for ``imap.batch-sent``, just before the reply)."""

LOCK_PATIENCE = 30.0
"""Seconds to wait for another run that writes to the same folder."""


class ImapDestination:
    """Copies in one folder of one user; connects when it is first needed."""

    kind = "imap"

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
        self._lock = MailboxLock(state_dir / "locks", self.identity, self.label, timeout=lock_timeout)
        self._effects = MailboxEffects(clock=clock, sleep=sleep, step=step, spool=state_dir)
        self._mailbox = Mailbox(settings, password, self._effects)
        pace = _pace(settings, state_dir, wall_clock)
        self._storing = MailboxStoring(self._mailbox, pace, self._effects)
        self._finder = Finder(self._mailbox, is_rebuilding=pace.is_rebuilding(settings))
        self._folder: Folder | None = None
        """The folder as it was seen since this destination last stored anything."""
        self._placed_under: int | None = None
        """The UIDVALIDITY under which all copies were looked for; 0 where the folder was not there."""

    def heed(self, stop: Stop) -> None:
        """Connect no more, and wait for silence no longer than a breath, once this is set: ``StoppedError``."""
        self._mailbox.heed(stop)

    def guard(self, check: Callable[[], None]) -> None:
        """Call this before the last octets of each APPEND: without them the server stores nothing."""
        self._effects.halt.guard = check

    def meter(self, store: AllowanceStore) -> None:
        """Keep in this store what is left of the provider's allowances."""
        self._storing.meter(store)

    @property
    def limits(self) -> BatchLimits:
        """How much to store at once; where a provider lets us send slowly only it is little, and proven as it goes."""
        return BatchLimits(SLOW_BATCH_MESSAGES if self._storing.is_slow else BATCH_MESSAGES, BATCH_OCTETS)

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return self.settings.endpoint

    @property
    def setting_place(self) -> str:
        """Where in the configuration a setting of this mailbox belongs."""
        return self.settings.setting_place()

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold a kernel lock on the mailbox; raises ``locked`` when another run keeps it. It may be asked for twice."""
        return self._lock.held()

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        """Look at the folder; where its UIDVALIDITY is another one than that of copies, find these again by content.

        It is not looked at where this run stored the last batch in it a moment ago, and nobody else anything meanwhile.
        """
        left = self._mailbox.as_left()
        if left is not None and left.uid_validity == self._placed_under:
            self._folder = left
            self._storing.may_create = self.when_copy_is_gone is not WhenCopyIsGone.KEEP
            return
        folder = self._folder = left or self._mailbox.look()
        validity = 0 if folder is None else folder.uid_validity
        may_create = self.when_copy_is_gone is not WhenCopyIsGone.KEEP or not known.has_copies()
        self._storing.may_create = may_create
        if folder is None and not may_create:
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
        self._storing.check()
        if self._storing.wants_flags(messages) and not self._mailbox.is_open_for_writing:
            self._mailbox.is_open_for_writing = True  # only so does a server tell which flags it keeps
            self._folder = None
        return self._storing.begin(messages, self._now() or self._created())

    def _created(self) -> Folder:
        self._mailbox.create()
        folder = self._folder = self._mailbox.look()
        if folder is None:
            raise FerryError(
                Kind.REFUSED, f"the folder {self.settings.folder} was created and is not there", scope=Scope.ACCOUNT
            )
        self._placed_under = folder.uid_validity
        return folder

    def copy_key(self, message: Message) -> bytes:
        """Return what an altered copy is known by: its loose form, and headers that survive (some 150 bytes)."""
        return copy_key_of(message).packed()

    def store(self, messages: Sequence[Message]) -> Stored:
        """Store each message once. A lost reply is resolved by reading; waits of up to half a minute happen here.

        A message gets an error of account scope where it is the mailbox that takes no more, and so do those after it;
        the next ``begin`` raises that error.
        """
        outcomes = self._storing.store(messages, self._storing.anchor or self.begin(messages))
        self._folder = None
        self._note_stored([outcome for outcome in outcomes if isinstance(outcome, ImapLocator)])
        self._effects.step("imap.stored")
        return Stored(outcomes)

    def _note_stored(self, places: Sequence[ImapLocator]) -> None:
        self._finder.stored(places)
        self._mailbox.stored(places)
        if any(place.uid_validity != self._placed_under for place in places):
            self._placed_under = None  # it was made again meanwhile: copies are to be looked for again

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
        for pause in (0.0, *imap_settling(len(left))):
            if pause:
                self._effects.pause(pause)  # the server may still be working on what was sent just before the crash
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
            folder.uid_validity, candidates, wanted, is_rebuilding=self._finder.is_rebuilding
        )
        claimed.update(pairs.values())
        return [
            _found(wanted[place], portraits[uid], ImapLocator(folder.uid_validity, uid)) for place, uid in pairs.items()
        ]

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield each copy exactly as the server gives it; one that it lost or cannot show is an error."""
        # Of the batch just stored it is known that it can be held in memory: one round trip.
        at_once = max(READ_AT_ONCE, len(locators) if self._storing.just_stored.issuperset(locators) else 0)
        for start in range(0, len(locators), at_once):
            group = locators[start : start + at_once]
            shown: dict[Locator, Body | FerryError] = {}
            for uid_validity, uids in _by_validity(group).items():
                if self._placed_under not in (None, uid_validity):  # they were looked for, and not found
                    shown |= {ImapLocator(uid_validity, uid): self._lost(uid) for uid in uids}
                    continue
                for bodies in self._mailbox.bodies(uid_validity, uids, at_once):
                    shown |= {ImapLocator(uid_validity, uid): body for uid, body in bodies.items()}
            for locator in group:
                yield shown.get(locator) or FerryError(Kind.INTERNAL, f"{locator} is not a place in an IMAP folder")

    def _lost(self, uid: int) -> FerryError:
        return GoneError(f"the copy (once UID {uid}) is no longer in {self.label}, which was created again")

    def uid_validity(self) -> int | None:
        """Return the folder's UIDVALIDITY as it is now, None where the folder is not there."""
        folder = self._folder = self._mailbox.look()
        return None if folder is None else folder.uid_validity

    def census(self) -> Census | None:
        """Return UIDVALIDITY, UIDNEXT and EXISTS as they are now, None where the folder is not there."""
        folder = self._folder = self._mailbox.look()
        return None if folder is None else Census(folder.uid_validity, folder.uid_next, folder.exists)

    def missing(self) -> FerryError:
        """Return the error that it is when the folder should be there and is not."""
        return self._mailbox.missing()

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say how many of these places the folder does not have any more: asked for a few, else by a listing of all."""
        folder = self._mailbox.look()
        if folder is None:
            return len(locators)
        asked = [
            one.uid for one in locators if isinstance(one, ImapLocator) and one.uid_validity == folder.uid_validity
        ]
        there = self._mailbox.uids(asked) if folder.exists and asked else set()
        return len(locators) - sum(uid in there for uid in asked)

    def probe(self) -> dict[str, object]:
        """Say what the server offers, the folder's numbers and the quota. Opens nothing and changes nothing."""
        session = self._mailbox.session
        offers: dict[str, object] = {
            "folder": self._mailbox.folder,
            "exists": self._mailbox.exists,
            **self._appearance(),
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

    def _appearance(self) -> dict[str, object]:
        """Say which folders within folders the configured name becomes, where these are others than it says."""
        if self._mailbox.folder == "INBOX":
            return {}
        levels = self._mailbox.session.namespace.levels(self._mailbox.folder)
        is_as_written = levels == mailbox_name(self.settings.folder).split("/")
        return {} if is_as_written else {"appears_as": " → ".join(levels)}

    def delimiter(self) -> str:
        """Return what the server puts between the levels of a folder's name; it is asked."""
        return self._mailbox.session.namespace.delimiter

    def close(self) -> None:
        """Log out; never raises."""
        self._mailbox.close()


def _pace(settings: ImapSettings, state_dir: Path, wall_clock: Callable[[], float]) -> UploadPace:
    allowances = preset_for(settings.host) if settings.allowances is None else settings.allowances
    owner = f"{settings.username}@{settings.host.lower()}"
    left = UploadAllowance(allowances, owner, AllowanceFiles(state_dir / "allowances"), clock=wall_clock)
    return UploadPace(allowances, left, wall_clock)


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
