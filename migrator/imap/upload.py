"""One batch, stored once: send, learn what became of it, and only then send again what is proven not to be there.

The rule that everything here serves: after a lost reply nothing is sent before the folder has been read from the
anchor on. Refusals are followed up message by message (``migrator.imap.refusals``); every message ends with the UID of
its copy or with an error, or the whole delivery raises, and then nothing is claimed about any of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from migrator.backoff import IMAP_BUSY, imap_settling
from migrator.errors import FerryError, Kind, Scope
from migrator.imap.append import Answer, Appender, AppendItem, options_of
from migrator.imap.find_copies import SoughtCopy, copy_key_of, header_of
from migrator.imap.internal_date import internal_date
from migrator.imap.mailbox import LONGEST_WAIT, Mailbox, MailboxEffects
from migrator.imap.placing import BatchPlaces
from migrator.imap.refusals import Remedy, judge_append
from migrator.imap.replies import ReplyStatus
from migrator.imap.upload_limits import UploadAllowance
from migrator.lazy_dataclasses import dataclass, replace
from migrator.message.body import Message
from migrator.message.dating import moment_of_arrival
from migrator.model import ImapLocator

BATCH_MESSAGES = 600
"""A batch costs two round trips, store and read back, and now and then a third: where does the folder end?

A run hands over some 520 messages at once (``migrator.run.fetch``), of which none is to be left for a second batch.
"""
SLOW_BATCH_MESSAGES = 100
BATCH_OCTETS = 4 * 1024 * 1024
PATIENCE = 2
"""How many time-outs are taken for the fault of a message; the next is the server's."""


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How copies are to look, and how carefully the server must be treated."""

    flags: tuple[bytes, ...]
    now: Callable[[], datetime]
    is_rebuilding: bool
    burst: int | None
    may_create: bool = True
    """Whether a folder that is not there may be made: none in which copies are known was taken away."""
    kept: frozenset[bytes] = frozenset()
    """The flags that the folder keeps for good."""

    def flags_of(self, message: Message) -> tuple[bytes, ...]:
        """Return the flags of a copy: those that all have, and those of the message that the folder keeps."""
        known = {flag.lower() for flag in self.kept}
        own = (flag.encode("ascii", "ignore") for flag in message.flags)
        return tuple(dict.fromkeys((*self.flags, *(flag for flag in own if flag.lower() in known))))


@dataclass(frozen=True, slots=True)
class _Group:
    """Messages, by their places in the batch, that are sent together.

    ``cuts`` is how often the line broke over them, ``has_waited`` whether the server was given time because of them.
    """

    places: tuple[int, ...]
    cuts: int = 0
    has_waited: bool = False

    def halves(self) -> tuple[_Group, _Group]:
        middle = len(self.places) // 2
        return replace(self, places=self.places[:middle]), replace(self, places=self.places[middle:])


class _Patience:
    """How much of a server's trouble is borne for one batch: waits it asks for, silences, and hang-ups."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._waits = iter(IMAP_BUSY)
        self._silences = self._hangups = self._refusals = 0

    def wait_once(self) -> None:
        """Give a server a moment that it did not ask for."""
        self._sleep(IMAP_BUSY[0])

    def has_waited(self, error: FerryError) -> bool:
        """Wait as long as the server asks, or a little if it does not say; False if that is long, or did not help."""
        pause = next(self._waits, None)
        return pause is not None and self.has_paused(pause if error.wait is None else error.wait)

    def has_paused(self, seconds: float) -> bool:
        """Leave the server alone for that long; False, at once, if it is too long to be waited out here."""
        if seconds > LONGEST_WAIT:
            return False
        self._sleep(seconds)
        return True

    def bears_silence(self) -> bool:
        """Note a time-out; False if there were too many to blame a message."""
        self._silences += 1
        return self._silences <= PATIENCE

    def bears_refusal(self) -> bool:
        """Note a message that is refused for the moment, alone; False if there were too many to blame a message."""
        self._refusals += 1
        return self._refusals <= PATIENCE

    def bears_hangup(self) -> bool:
        """Note a message that the server hung up on, alone; False if there were too many to blame a message."""
        self._hangups += 1
        return self._hangups <= PATIENCE


class BatchUpload:
    """Stores ``messages`` in a mailbox whose next UID, and UIDVALIDITY, were those of ``anchor`` or later ones."""

    def __init__(
        self,
        mailbox: Mailbox,
        messages: Sequence[Message],
        *,
        anchor: ImapLocator,
        options: UploadOptions,
        allowance: UploadAllowance,
        effects: MailboxEffects,
    ) -> None:
        self._mailbox = mailbox
        self._messages = messages
        self._options = options
        self._allowance = allowance
        self._effects = effects
        self._places = BatchPlaces(anchor)
        self._groups: deque[_Group] = deque()
        self.stop: FerryError | None = None
        """Why the mailbox takes no more now, if so."""
        self._patience = _Patience(effects.pause)
        self._has_created = False

    def run(self, room: int | None) -> tuple[ImapLocator | FerryError, ...]:
        """Return the outcome of each message, in order. ``room`` is how many octets the quota leaves, if known."""
        self._groups.extend(self._grouped(self._acceptable(room)))
        while self._groups and self.stop is None:
            self._deliver(self._groups.popleft())
        self._locate()
        if self.stop is not None:
            self._places.refuse(range(len(self._messages)), self.stop)
        return tuple(self._places.outcomes[place] for place in range(len(self._messages)))

    def _acceptable(self, room: int | None) -> Iterable[int]:
        """Tell apart what is known to be refused before a byte of it is sent."""
        limit = self._mailbox.session.upload_capabilities.append_limit
        for place, message in enumerate(self._messages):
            if not message.octets:  # and a literal of no octets calls MULTIAPPEND off (RFC 3502, section 6.3.11)
                error = FerryError(Kind.REFUSED, "an empty message cannot be stored by IMAP")
            elif limit is not None and message.octets > limit:
                error = FerryError(Kind.TOO_LARGE, f"the server takes messages of up to {limit} octets")
            elif room is not None and message.octets > room:
                error = FerryError(Kind.QUOTA, f"the mailbox has room for {room} octets only", cure="make room")
            else:
                room = None if room is None else room - message.octets
                yield place
                continue
            self._places.refuse([place], error)

    def _grouped(self, places: Iterable[int]) -> Iterable[_Group]:
        limits = (self._mailbox.session.upload_capabilities.message_limit, self._options.burst, BATCH_MESSAGES)
        most = min(limit for limit in limits if limit)
        group: list[int] = []
        octets = 0
        for place in places:
            octets += self._messages[place].octets
            if group and (len(group) >= most or octets > BATCH_OCTETS):
                yield _Group(tuple(group))
                group, octets = [], self._messages[place].octets
            group.append(place)
        if group:
            yield _Group(tuple(group))

    def _deliver(self, group: _Group) -> None:
        if not self._is_allowed(group):
            return
        items = [self._item(self._messages[place]) for place in group.places]
        session, appender = self._mailbox.session, self._mailbox.appender()
        lost: FerryError | None = None
        try:
            with session.seam():
                appender.send(items)
        except FerryError as error:
            self._mailbox.drop_connection()
            if error.scope is not Scope.SESSION:
                raise
            lost = error
        answered = {place for answer in appender.answers for place in group.places[answer.first : answer.last]}
        self._hear(appender.answers, group)
        if lost is not None:
            rest = tuple(place for place in group.places if place not in answered)
            self._resolve(_Group(rest, group.cuts), appender, lost)

    def _is_allowed(self, group: _Group) -> bool:
        octets = sum(self._messages[place].octets for place in group.places)
        wait = self._allowance.wait(octets, len(group.places))
        if wait > LONGEST_WAIT:
            self.stop = FerryError(
                Kind.TEMPORARY,
                "what this provider allows to be uploaded in a day (or hour) is used up",
                cure="the rest follows when the allowance is refilled",
                wait=wait,
            )
            return False
        if wait:
            self._effects.pause(wait)
        self._allowance.spend(octets, len(group.places))
        return True

    def _item(self, message: Message) -> AppendItem:
        moment = moment_of_arrival(message, header_of(message.body), self._options.now())
        return AppendItem(message.body, options_of(self._options.flags_of(message), internal_date(moment)))

    # What the server answered.

    def _hear(self, answers: Sequence[Answer], group: _Group) -> None:
        """Take what was stored, then act on what was refused: once for each remedy, however many call for it."""
        refused: dict[Remedy, list[int]] = {}
        errors: dict[Remedy, FerryError] = {}
        for answer in answers:
            part = replace(group, places=group.places[answer.first : answer.last])
            if answer.reply.verdict is ReplyStatus.OK:
                self._places.take(answer.reply, part.places)
                continue
            refusal = judge_append(answer.reply, self._mailbox.folder, secrets=self._mailbox.session.secrets)
            refusal.error.blame(self._mailbox.settings.endpoint)
            if refusal.remedy is Remedy.SPLIT or (refusal.remedy is Remedy.WAIT_ONCE and group.has_waited):
                self._split(part, refusal.error)
            else:
                refused.setdefault(refusal.remedy, []).extend(part.places)
                errors.setdefault(refusal.remedy, refusal.error)
        for remedy, places in refused.items():
            self._follow_up(remedy, errors[remedy], replace(group, places=tuple(places)))

    def _split(self, part: _Group, error: FerryError) -> None:
        if len(part.places) > 1:
            self._groups.extendleft(reversed(part.halves()))
            return
        self._places.refuse(part.places, error)
        if error.scope is not Scope.MESSAGE:
            self.stop = error
        elif error.kind is Kind.TEMPORARY and not self._patience.bears_refusal() and not self._places.has_success:
            self.stop = FerryError(  # it is not the messages
                error.kind, error.message, server_words=error.server_words, cure=error.cure, advice=error.advice
            )

    def _follow_up(self, remedy: Remedy, error: FerryError, part: _Group) -> None:
        if remedy is Remedy.CREATE and not self._options.may_create:
            self.stop = self._mailbox.missing()
            return
        if remedy is Remedy.CREATE and not self._has_created:
            self._create()
        elif remedy is Remedy.OPEN and not self._mailbox.is_open_for_writing:
            self._mailbox.open_for_writing()
        elif remedy is Remedy.WAIT_ONCE:
            self._patience.wait_once()
            part = replace(part, has_waited=True)
        elif remedy is not Remedy.WAIT or not self._patience.has_waited(error):
            self.stop = error
            return
        self._groups.appendleft(part)

    def _create(self) -> None:
        self._has_created = True
        self._mailbox.create()
        folder = self._mailbox.look()
        if folder is not None:
            self._places.folder_is(folder.uid_validity)

    # What to do when there was no answer.

    def _resolve(self, rest: _Group, appender: Appender, lost: FerryError) -> None:
        """Find out what of ``rest`` is stored; what is not goes again, or is given up if it breaks the line."""
        if lost.wait is not None and not self._patience.has_paused(lost.wait):
            raise lost
        found = self._look_for(rest.places, may_come=appender.was_sent)
        self._effects.step("imap.resolved")
        missing = tuple(place for place in rest.places if place not in found)
        if not missing:
            return
        if lost.kind is Kind.TIMEOUT and appender.was_sent:
            raise lost  # the server may still store it, any minute: what is there decides when we come back
        if lost.kind is Kind.TIMEOUT and not self._patience.bears_silence():
            raise lost
        again = _Group(missing, 0 if found else rest.cuts + 1)
        if again.cuts < 2:  # once may be chance
            self._groups.appendleft(again)
        elif len(missing) > 1:
            self._groups.extendleft(reversed(_Group(missing, 1).halves()))
        else:
            self._give_up(missing[0], lost)

    def _give_up(self, place: int, lost: FerryError) -> None:
        if not self._patience.bears_hangup() and not self._places.has_success:  # it is not the messages
            raise lost
        hung_up = FerryError(
            Kind.REFUSED, "the server hangs up whenever this message is sent", server_words=lost.server_words
        )
        self._places.refuse([place], hung_up)

    def _look_for(self, places: Sequence[int], *, may_come: bool) -> set[int]:
        """Find copies of the messages at ``places`` and note their UIDs; return the places found."""
        found: set[int] = set()
        for pause in (0.0, *(imap_settling(len(places)) if may_come else ())):
            if pause:
                self._effects.pause(pause)
            left = [place for place in places if place not in found]
            found |= self._found(left)
            if len(found) == len(places):
                break
        return found

    def _found(self, places: Sequence[int]) -> set[int]:
        folder = self._mailbox.look()
        if folder is None:
            return set()
        self._places.folder_is(folder.uid_validity)
        candidates = [one for one in self._mailbox.sizes(self._places.anchor.uid) if self._places.is_free(one.uid)]
        wanted = [self._wanted(self._messages[place]) for place in places]
        pairs, _ = self._mailbox.find(
            folder.uid_validity, candidates, wanted, is_rebuilding=self._options.is_rebuilding
        )
        for index, uid in pairs.items():
            self._places.stand(places[index], uid)
        return {places[index] for index in pairs}

    @staticmethod
    def _wanted(message: Message) -> SoughtCopy:
        return SoughtCopy(message.digest, message.octets, copy_key_of(message))

    def _locate(self) -> None:
        """Find out by reading which UIDs the server gave, where it did not say so, or not believably."""
        places = self._places.unlocated
        if not places:
            return
        found = self._look_for(places, may_come=True)
        missing = FerryError(Kind.MISMATCH, "the server said that it stored the message, but it is not in the folder")
        self._places.refuse([place for place in places if place not in found], missing)
