"""Storing into a mailbox, batch after batch: from where on copies will stand, which flags they get, when to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from migrator.copy_records import ImapAnchor
from migrator.errors import FerryError
from migrator.imap.folder_view import Folder
from migrator.imap.mailbox import Mailbox, MailboxEffects
from migrator.imap.settings import ImapSettings
from migrator.imap.upload import BatchUpload, UploadOptions
from migrator.imap.upload_limits import Allowances, AllowanceStore, UploadAllowance
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Message
from migrator.model import ImapLocator, Proof

Outcome = ImapLocator | FerryError


@dataclass(frozen=True, slots=True)
class UploadPace:
    """What a provider allows, what of it is left, and the wall clock that dates what has no date."""

    allowances: Allowances
    left: UploadAllowance
    wall_clock: Callable[[], float]

    def is_rebuilding(self, settings: ImapSettings) -> bool:
        """Say whether copies may be built again by the server, and so have other bytes and sizes."""
        return settings.proof is Proof.SEMANTIC or self.allowances.rebuilds_messages


class MailboxStoring:
    """Stores into one mailbox in one run; ``pace`` bounds how fast."""

    def __init__(self, mailbox: Mailbox, pace: UploadPace, effects: MailboxEffects) -> None:
        self.may_create = True
        """Whether a folder that is not there may be made: none in which copies are known was taken away."""
        self.just_stored: frozenset[ImapLocator] = frozenset()
        """Where the messages of the last batch stand."""
        self._mailbox = mailbox
        self._pace = pace
        self._effects = effects
        self._anchor: ImapAnchor | None = None
        self._stop: FerryError | None = None
        self._kept_flags: frozenset[bytes] | None = None

    def meter(self, store: AllowanceStore) -> None:
        """Keep in this store what is left of the provider's allowances."""
        self._pace.left.store = store

    def check(self) -> None:
        """Raise the error with which the mailbox said that it takes no more in this run, if it has."""
        if self._stop is not None:
            raise self._stop

    @property
    def is_slow(self) -> bool:
        """Whether the provider limits how many messages we send in a second."""
        return self._pace.allowances.burst is not None

    @property
    def anchor(self) -> ImapAnchor | None:
        """Where the next batch will stand, once it was begun."""
        return self._anchor

    def wants_flags(self, messages: Sequence[Message]) -> bool:
        """Say whether copies of these are to have flags, which a folder shows only when open for writing."""
        return bool(self._mailbox.settings.wanted_flags) or any(message.flags for message in messages)

    def begin(self, messages: Sequence[Message], folder: Folder) -> ImapAnchor:
        """Anchor the next batch in the folder as it is now."""
        if self._kept_flags is None or self.wants_flags(messages):
            self._kept_flags = folder.kept_flags
        self._anchor = ImapAnchor(folder.uid_validity, folder.uid_next)
        self._effects.step("imap.anchored")
        return self._anchor

    def _flags(self, kept: frozenset[bytes]) -> tuple[bytes, ...]:
        """Return the configured flags but for what the folder would forget (or Gmail refuse the message for)."""
        known = {flag.lower() for flag in kept}
        return tuple(
            flag
            for flag in (wanted.encode("ascii", "ignore") for wanted in self._mailbox.settings.wanted_flags)
            if flag.lower() in known or (rb"\*" in kept and not flag.startswith(b"\\"))
        )

    def store(self, messages: Sequence[Message], anchor: ImapAnchor) -> tuple[Outcome, ...]:
        """Store each message once, from the anchor on; return the outcome of each."""
        now = datetime.fromtimestamp(self._pace.wall_clock(), UTC)
        kept = self._kept_flags or frozenset()
        options = UploadOptions(
            flags=self._flags(kept),
            now=lambda: now,
            is_rebuilding=self._pace.is_rebuilding(self._mailbox.settings),
            burst=self._pace.allowances.burst,
            may_create=self.may_create,
            kept=kept,
        )
        upload = BatchUpload(
            self._mailbox,
            messages,
            anchor=ImapLocator(anchor.uid_validity, anchor.uid_next),
            options=options,
            allowance=self._pace.left,
            effects=self._effects,
        )
        outcomes = upload.run(self._mailbox.room(sum(message.octets for message in messages)))
        self._anchor, self._stop = None, upload.stop
        self.just_stored = frozenset(outcome for outcome in outcomes if isinstance(outcome, ImapLocator))
        return outcomes
