"""One folder of one user, over as many connections as it takes: look, read, and find copies again.

The connection is made when it is first needed, and again when it broke. Whatever only reads is repeated then; a group
of messages at which the line breaks is halved until the one that the server cannot show stands alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from migrator.backoff import IMAP_BUSY, IMAP_CONNECT
from migrator.errors import Advice, FerryError, GoneError, Kind, Scope, StoppedError
from migrator.imap.append import Appender
from migrator.imap.fetch import BodyFetcher
from migrator.imap.find_copies import Candidate, Glance, Portrait, SizeRanges, SoughtCopy, pair
from migrator.imap.folder_view import Folder, FolderView
from migrator.imap.logging_in import LoggingIn
from migrator.imap.room import Room
from migrator.imap.session import ImapSession
from migrator.imap.settings import ImapSettings
from migrator.imap.wire import Clock
from migrator.lazy_dataclasses import dataclass, field
from migrator.message.body import Body
from migrator.model import ImapLocator
from migrator.net.patience import Halt, Stop

READ_AT_ONCE = 100
LONGEST_WAIT = 30.0
"""Seconds that are waited out here; a longer wait is an error, and the caller decides."""
MOST_WAITS = 5
"""How often, in one run, a server gets time that may help."""
PATIENCE = 2
"""How many time-outs in one call are taken for the fault of a message; the next is the server's."""
_CURE = "look for it in the mailbox's other folders or its trash; nothing is deleted at the source because of it"
MANY = 200
"""From this many candidates on, their Message-IDs are compared before their bodies are read."""


@dataclass(frozen=True, slots=True)
class MailboxEffects:
    """What a mailbox takes from outside: time, chance to stop, and a place for what does not fit into memory."""

    clock: Clock
    sleep: Callable[[float], None]
    step: Callable[[str], None]
    spool: Path | None = None
    halt: Halt = field(default_factory=Halt)

    def pause(self, seconds: float) -> None:
        """Sleep; raises ``StoppedError`` as soon as the run is to stop."""
        self.halt.pause(self.sleep, seconds)


class Mailbox:
    """The folder of ``settings``. Raises ``FerryError`` from every method but ``close`` and ``drop_connection``."""

    def __init__(self, settings: ImapSettings, password: Callable[[], str | bytes], effects: MailboxEffects) -> None:
        self.settings = settings
        self._password = password
        self._logging_in = LoggingIn(settings.auth, settings.host, is_token=settings.is_token)
        self._effects = effects
        self._session: ImapSession | None = None
        self._folder: tuple[str, bool] | None = None
        self._view = FolderView()
        self._room = Room()
        self._may_wait = True
        self._waits_left = MOST_WAITS
        self.is_open_for_writing = False

    def heed(self, stop: Stop) -> None:
        """Connect no more, and wait for silence no longer than a breath, once this is set."""
        self._effects.halt.heeds = stop

    @property
    def session(self) -> ImapSession:
        """The connection, made if there is none; a few attempts are made where trying again can help."""
        if self._session is not None and not self._session.is_in_step:
            self.drop_connection()
        pauses = iter(IMAP_CONNECT)
        while self._session is None:
            try:
                self._session = ImapSession(
                    self.settings, self._password, self._effects.clock, self._logging_in, self._effects.halt
                )
            except FerryError as error:
                if self._has_waited(error):
                    continue
                pause = next(pauses, None)
                if pause is None or error.advice is not Advice.NOW or error.kind is Kind.TIMEOUT:
                    raise
                self._effects.pause(pause)
            else:
                self._effects.step("imap.connected")
        return self._session

    def _has_waited(self, error: FerryError) -> bool:
        """Wait, once in a while, where the server says what may pass soon; say whether to try again."""
        seconds = IMAP_BUSY[0] if error.wait is None else error.wait
        is_short = seconds <= LONGEST_WAIT and (error.wait is not None or not error.finding)
        if (
            isinstance(error, StoppedError)
            or error.kind is not Kind.TEMPORARY
            or not is_short
            or not self._may_wait
            or not self._waits_left
        ):
            return False
        self._may_wait = False  # until the folder could be looked at again
        self._waits_left -= 1
        self._effects.pause(seconds)
        return True

    @property
    def folder(self) -> str:
        """The folder's name as the server writes it."""
        return self._resolved()[0]

    def _resolved(self) -> tuple[str, bool]:
        if self._folder is None:
            self._folder = self.session.resolve(self.settings.folder)
        return self._folder

    @property
    def exists(self) -> bool:
        """Whether the folder was there when it was last looked at."""
        return self._resolved()[1]

    def drop_connection(self) -> None:
        """Drop a connection that is broken, or whose state is not known."""
        if self._session is not None:
            self._session.abandon()
        self._session = self._folder = None
        self._view.closed()

    def close(self) -> None:
        """Log out."""
        if self._session is not None:
            self._session.close()
        self._session = None
        self._view.closed()

    def open_for_writing(self) -> None:
        """Open the folder by SELECT from now on; EXAMINE is kinder, since it leaves \\Recent to other clients."""
        self.is_open_for_writing = True
        self.look()

    def look(self) -> Folder | None:
        """Return the folder as it is now, or None if it does not exist; an idle connection may have died meanwhile."""
        is_fresh = self._session is None
        try:
            return self._look()
        except FerryError as error:
            if self._has_waited(error):
                return self.look()
            if error.scope is not Scope.SESSION:
                raise
            self.drop_connection()
            if is_fresh or error.kind is Kind.TIMEOUT:
                raise
            return self._look()

    def _look(self) -> Folder | None:
        if not self.exists:
            return None
        session = self.session
        folder = session.select(self.folder) if self.is_open_for_writing else session.examine(self.folder)
        self._view.looked(folder, self._effects.clock())
        self._may_wait = True
        return folder

    def stored(self, places: Sequence[ImapLocator]) -> None:
        """Note where the messages of a batch stand that was begun at the end of the folder as it was last shown."""
        self._view.stored(places)

    def as_left(self) -> Folder | None:
        """Return the folder as our last batch has left it, a moment ago; None where it must be looked at."""
        return self._view.as_left(self._effects.clock())

    def create(self) -> None:
        """Make the folder; one that has appeared meanwhile is as good."""
        try:
            self._folder = (self.session.create(self.folder), True)
        except FerryError as error:
            if not self._has_waited(error):
                raise
            self._folder = (self.session.create(self.folder), True)
        self._effects.step("imap.folder-created")

    def room(self, octets: int) -> int | None:
        """Return how many octets the quota leaves before ``octets`` are stored; None where there is no quota."""
        return self._room.take(octets, lambda: self.session.quota(self.folder))

    def appender(self) -> Appender:
        """Return what sends messages to the folder over the present connection."""
        session = self.session
        name = session.written(self.folder)
        return Appender(
            session.wire, name, session.upload_capabilities, step=self._effects.step, guard=self._effects.halt.guard
        )

    def _body_fetcher(self) -> BodyFetcher:
        session = self.session
        return BodyFetcher(session.wire, self._effects.spool, secrets=session.secrets)

    def sizes(self, first: int) -> list[Candidate]:
        """Return every message from UID ``first`` on, with its size; the folder was just looked at."""
        with self.session.seam():
            return self._body_fetcher().sizes(first)

    def uids(self, among: Sequence[int]) -> set[int]:
        """Return the UIDs of the messages that are there: at least those ``among`` these; it was just looked at."""
        with self.session.seam():
            return self._body_fetcher().uids(among)

    def glance(self, first: int, take: Callable[[Glance], None]) -> None:
        """Hand over every message from UID ``first`` on, with its size and what its Message-ID is known by.

        A server that cannot tell the headers of some message, or breaks the line over it, is asked for sizes only.
        """
        seen: set[int] = set()

        def note(glance: Glance) -> None:
            seen.add(glance.uid)
            take(glance)

        try:
            with self.session.seam():
                self._body_fetcher().glance(first, note)
        except FerryError as error:
            if error.scope not in (Scope.MESSAGE, Scope.SESSION):
                raise
            if error.scope is Scope.SESSION:
                self.drop_connection()
            self.look()
            for one in self.sizes(first):
                if one.uid not in seen:
                    take(Glance(one.uid, one.size, b""))

    def bodies(
        self, uid_validity: int, uids: Sequence[int], at_once: int = READ_AT_ONCE
    ) -> Iterator[dict[int, Body | FerryError]]:
        """Yield what stands under the UIDs, group by group as given; what is not there or not shown is an error."""
        pending = iter(uids)
        while group := list(islice(pending, at_once)):
            found = self._read(uid_validity, group)
            missing = [uid for uid in group if uid not in found]
            if missing:  # the session may not know them yet: look again before saying that they are gone
                self._view.stale()
                found |= self._read(uid_validity, missing)
            yield {uid: found.get(uid) or self._gone(uid) for uid in group}
        self._view.stale()  # the next reading shall see what is there then

    def _read(self, uid_validity: int, uids: Sequence[int]) -> dict[int, Body | FerryError]:
        """Return what can be read, and an error for each message that breaks the line or is refused."""
        found: dict[int, Body | FerryError] = {}
        groups, trouble = deque([list(uids)]), _Trouble()
        while groups:
            group = groups.popleft()
            try:
                found |= self._read_group(uid_validity, group)
                trouble.is_over()
            except FerryError as error:
                if error.scope is Scope.SESSION:
                    self.drop_connection()
                if self._has_waited(error):
                    groups.appendleft(group)
                    continue
                if trouble.is_the_servers(error):
                    raise
                if len(group) > 1:
                    groups.extendleft((group[len(group) // 2 :], group[: len(group) // 2]))
                elif error.scope is Scope.SESSION and trouble.is_first_at(group[0]):  # once may be chance
                    groups.appendleft(group)
                else:
                    found[group[0]] = self._unreadable(error)
                    trouble.given_up += 1
        return found

    def _read_group(self, uid_validity: int, group: list[int]) -> dict[int, Body | FerryError]:
        session = self.session  # a new one has no folder open
        folder = self._view.now or self._look()
        if folder is None:
            raise self.missing()
        if folder.uid_validity != uid_validity:
            return dict.fromkeys(group, self._rebuilt(uid_validity, folder))
        with session.seam():
            return dict(self._body_fetcher().bodies(group))

    def _gone(self, uid: int) -> FerryError:
        return GoneError(f"the copy (UID {uid}) is no longer in the folder {self.folder}", cure=_CURE)

    def missing(self) -> FerryError:
        """Return the error that it is when the folder should be there and is not."""
        owner = f"{self.settings.username} at {self.settings.host}"
        return FerryError(
            Kind.ARCHIVE,
            f"the mailbox {self.settings.folder} of {owner} is not there, and messages are known to be in it",
            cure="bring it back under this name; nothing is deleted at the source, and nothing stored, until then",
            finding="mailbox-missing",
        )

    def _rebuilt(self, uid_validity: int, folder: Folder) -> FerryError:
        return FerryError(
            Kind.MISMATCH,
            f"the folder {self.folder} was created again"
            f" (its UIDVALIDITY was {uid_validity} and is {folder.uid_validity})",
            cure="the next `mailferry migrate` or `mailferry verify` finds its messages again",
        )

    @staticmethod
    def _unreadable(error: FerryError) -> FerryError:
        return FerryError(
            Kind.SHORT, "the server does not show this copy: it refuses, or hangs up", server_words=error.server_words
        )

    def find(
        self, uid_validity: int, candidates: Sequence[Candidate], wanted: list[SoughtCopy], *, is_rebuilding: bool
    ) -> tuple[dict[int, int], dict[int, Portrait]]:
        """Pair wanted messages (by place) with UIDs among the candidates, and tell what those look like.

        Bodies are read only where sizes fit, the equal ones first; among very many, only where Message-IDs are equal.
        """
        sizes = {message.octets for message in wanted}
        likely = [one.uid for one in candidates if one.size in sizes]
        portraits = self.portraits(uid_validity, self._narrowed(likely, wanted))[0]
        pairs = pair(wanted, portraits, is_rebuilding=is_rebuilding)
        if len(pairs) < len(wanted):
            ranges = SizeRanges(wanted)
            rest = [one.uid for one in candidates if one.size not in sizes and (is_rebuilding or ranges.hold(one.size))]
            portraits |= self.portraits(uid_validity, self._narrowed(rest, wanted))[0]
            pairs = pair(wanted, portraits, is_rebuilding=is_rebuilding)
        return pairs, portraits

    def portraits(self, uid_validity: int, uids: Sequence[int]) -> tuple[dict[int, Portrait], list[int]]:
        """Return what messages look like, and which of them are not there any more; memory stays flat."""
        portraits: dict[int, Portrait] = {}
        gone: list[int] = []
        for group in self.bodies(uid_validity, uids):
            for uid, body in group.items():
                if isinstance(body, GoneError):
                    gone.append(uid)
                elif not isinstance(body, FerryError):
                    portraits[uid] = Portrait.of(body)
        return portraits, gone

    def _narrowed(self, uids: list[int], wanted: list[SoughtCopy]) -> list[int]:
        """Leave out candidates that have another Message-ID than all of the wanted, if there are very many."""
        if len(uids) < MANY or any(message.copy_key is None for message in wanted):
            return uids
        known = {message.copy_key.message_id for message in wanted if message.copy_key}
        session = self.session
        if self._view.now is None:
            self._look()  # reading may have broken the line
        with session.seam():
            headers = self._body_fetcher().headers(uids, b"MESSAGE-ID")
        return [uid for uid in uids if headers.get(uid, b"").partition(b":")[2].strip() in known]


class _Trouble:
    """Tells a message that a server cannot show from a server that shows nothing."""

    def __init__(self) -> None:
        self.given_up = 0
        self._silences = 0
        self._suspect: int | None = None

    def is_over(self) -> None:
        """Note that something could be read."""
        self.given_up = 0

    def is_the_servers(self, error: FerryError) -> bool:
        """Say whether to stop looking for messages at fault."""
        self._silences += error.kind is Kind.TIMEOUT
        if error.scope is Scope.MESSAGE:
            return False
        return error.scope is not Scope.SESSION or self._silences > PATIENCE or self.given_up > PATIENCE

    def is_first_at(self, uid: int) -> bool:
        """Say whether the line broke at this message alone for the first time."""
        is_first, self._suspect = self._suspect != uid, uid
        return is_first
