"""RETR, pipelined, and how the session proves that every reply belongs to the message it was asked for.

With commands in flight, one stray line would shift every reply after it. So the first RETR goes alone; a reply whose
octets are not those announced stops the sending until what is in flight has come and a STAT fits; and a STAT goes
along as a barrier: behind the first message, then at distances that double up to a few hundred. Only a barrier whose
numbers fit yields ``InStep``: what came after the last one must not be stored. So a line that always breaks keeps half
of what came over it, or more. A server without pipelining gets the same, one command at a time.

What is in flight stands in ``migrator.pop3.window``, who is blamed when it breaks in ``migrator.pop3.failure``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from migrator.errors import FerryError, Kind, Scope
from migrator.message.body import Message
from migrator.model import MessageNumber
from migrator.pop3.assembly import BEGINNING, Collector, Spool, small_message
from migrator.pop3.connection import Conversation
from migrator.pop3.failure import Break, blamed_retrieval
from migrator.pop3.listing import stat_of
from migrator.pop3.protocol import (
    NEED_DATA,
    BodyBegins,
    BodyEnds,
    BodyPart,
    Challenge,
    Event,
    NeedData,
    Reply,
    Verb,
    out_of_step,
)
from migrator.pop3.refusals import Stage, refusal
from migrator.pop3.replies import Stat, parse_stat, parse_status
from migrator.pop3.retrieved import (
    BLOCKED,
    IN_STEP,
    Blocked,
    Budget,
    InStep,
    Retrieved,
    RetrieveEvent,
    RetrieveRefused,
    Standing,
    ToRetrieve,
)
from migrator.pop3.window import WINDOW_COMMANDS, Unsaid, Window

__all__ = ["Blocked", "Budget", "InStep", "Retrieval", "RetrieveEvent", "RetrieveRefused", "Retrieved", "ToRetrieve"]

SIZES_DIFFER_FROM: Final = 3
"""From that many messages of other sizes than announced on it is the server's way, not a message cut short."""

_SLACK: Final = 1024 * 1024
_LEAST_BOUND: Final = 4 * 1024 * 1024


def reply_bound(announced: int) -> int:
    """Return how many octets one message may have: servers announce other sizes than they send, within reason."""
    return max(2 * announced + _SLACK, _LEAST_BOUND)


class _Pace(Enum):
    FIRST_ALONE = auto()
    """One RETR, to see whether the server answers as announced."""
    FLOWING = auto()
    DRAINING = auto()
    """A reply had other octets than announced: nothing more is sent until a STAT has fitted."""
    LOCK_STEP = auto()


# Looked up for each message: in Python 3.11 a member takes ten times as long as a name of the module.
_RETR, _FIRST_ALONE = Verb.RETR, _Pace.FIRST_ALONE


class _Arrivals:
    """What has come so far."""

    def __init__(self) -> None:
        self.count = 0
        self.refused = 0
        self.differing = 0
        """Messages with other octets than announced, on a server that is not known for it."""
        self.first_differing: MessageNumber | None = None
        """The first of those since the last barrier that fitted."""
        self.last: MessageNumber | None = None
        self.status_form: bytes | None = None
        """What the server says behind ``+OK`` to the first RETR, without its numbers."""
        self.ending: FerryError | None = None
        """What the server said at a message, and meant of the session."""


_NUMBER = re.compile(rb"\d+")


def _form_of(status_text: bytes) -> bytes:
    return _NUMBER.sub(b"0", status_text)


class _LongReply:
    """A message that comes in pieces."""

    def __init__(self, text: bytes, open_spool: Callable[[], Spool]) -> None:
        self.status_text = text
        self._collector = Collector(open_spool)

    def add(self, piece: bytes, announced: int) -> None:
        """Take a piece. Raises ``protocol`` where there is no end to them."""
        self._collector.add(piece)
        if self._collector.received > reply_bound(announced):
            raise FerryError(
                Kind.PROTOCOL,
                f"announced as {announced} octets, but more than {self._collector.received} came without an end",
            )

    def whole(self) -> tuple[Message, int, bytes]:
        """Return the message, its octets as they came, and the first few of them."""
        return self._collector.message(), self._collector.received, self._collector.beginning


class Retrieval:
    """One run over the messages wanted; iterate once.

    To stop early, let ``wanted`` end: what is in flight still comes.
    """

    def __init__(
        self,
        line: Conversation,
        wanted: Iterator[ToRetrieve],
        budget: Budget,
        open_spool: Callable[[], Spool],
        standing: Standing,
    ) -> None:
        self.in_step = 0
        """How many messages came before the last barrier that fitted, refused ones included."""
        self.is_confirmed = False
        """Whether the last thing said was a barrier, and it fitted."""
        self.has_learned_sizes_differ = standing.sizes_differ
        """Whether octets differed often and the session was in step all the same."""
        self._line = line
        self._unsaid = Unsaid(wanted)
        self._budget = budget
        self._open_spool = open_spool
        self._standing = standing
        self._window = Window(is_pipelined=standing.is_pipelined)
        self._pace = _Pace.FIRST_ALONE if standing.is_pipelined else _Pace.LOCK_STEP
        self._arrivals = _Arrivals()
        self._long_reply: _LongReply | None = None

    @property
    def status_form(self) -> bytes | None:
        """What the server said behind +OK, with 0 for each number; None where no message came."""
        return self._arrivals.status_form

    @property
    def has_seen_other_sizes(self) -> bool:
        """Whether a message had other octets than announced."""
        return self._arrivals.differing > 0

    def __iter__(self) -> Iterator[RetrieveEvent]:
        """Yield what happens, in order. Raises ``BrokenAtError`` where the session ended over one message."""
        try:
            yield from self._events()
        except FerryError as error:
            if self._arrivals.ending is not None:
                raise self._arrivals.ending from error
            blamed = blamed_retrieval(error, self._broken_off())
            if self._is_first_beyond_doubt(error):
                self.in_step = 1
                yield IN_STEP
            if blamed is error:
                raise
            raise blamed from error
        if self._arrivals.ending is not None:
            raise self._arrivals.ending

    def _events(self) -> Iterator[RetrieveEvent]:
        """Say and understand, until all is said and understood."""
        while True:
            self._say_more()
            if not self._line.protocol.in_flight:
                if self._unsaid.is_over:
                    return
                yield BLOCKED
                continue
            event: Event | NeedData = self._line.next_event()
            while event is not NEED_DATA:
                if (told := self._understand(event)) is not None:
                    yield told
                event = self._line.pending_event()

    # --- saying ---

    def _say_more(self) -> None:
        in_flight = self._line.protocol.in_flight
        if not in_flight:
            self._line.expect_silence()
        if self._pace is _Pace.FLOWING:
            self._window.has_flown = True
            while in_flight < WINDOW_COMMANDS and self._say_one():
                in_flight += 1
        elif in_flight:
            return
        elif self._pace is _Pace.DRAINING:
            self._say_barrier()
        else:
            self._say_one()

    def _say_one(self) -> bool:
        """Say the next RETR, or the barrier that is due; False if there is nothing to say now."""
        window = self._window
        if window.is_barrier_due:
            return self._say_barrier()
        wanted = self._unsaid.peek()
        if wanted is not None:
            if not window.has_room_for(wanted.octets):
                return False
            if self._budget.take(wanted.octets):
                self._say_retr(wanted)
                return True
        # Nothing more can be said: what came may be stored only behind a barrier.
        return self._say_barrier() if window.unconfirmed else False

    def _say_retr(self, wanted: ToRetrieve) -> None:
        self._unsaid.take()
        self.is_confirmed = False
        self._window.add(wanted)
        self._standing.asked(wanted.number)
        self._line.send(_RETR, wanted.number)

    def _say_barrier(self) -> bool:
        self._window.barrier_said()
        self._line.send(Verb.STAT)
        return True

    # --- understanding ---

    def _understand(self, event: Event) -> RetrieveEvent | None:
        match event:
            case Reply():
                return self._answered(event)
            case BodyBegins():
                self._long_reply = _LongReply(event.text, self._open_spool)
            case BodyPart():
                self._reply_under_way().add(event.content, self._window.next.octets)
            case BodyEnds():
                reply, self._long_reply = self._reply_under_way(), None
                return self._retrieved(*reply.whole(), reply.status_text)
            case Challenge():
                raise out_of_step("a SASL challenge out of place", event.text)
        return None

    def _answered(self, reply: Reply) -> RetrieveEvent | None:
        if reply.verb is not _RETR:
            return self._confirmed(reply)
        if not reply.is_ok:
            return self._refused(reply)
        content = reply.content
        return self._retrieved(small_message(content), len(content), content[:BEGINNING], reply.text)

    def _reply_under_way(self) -> _LongReply:
        assert self._long_reply is not None  # noqa: S101 - BodyBegins came first: the protocol's tests hold it to that
        return self._long_reply

    def _retrieved(self, message: Message, wire_octets: int, beginning: bytes, status_text: bytes) -> Retrieved:
        wanted = self._landed()
        told = Retrieved(wanted.number, message, wanted.octets, wire_octets)
        arrivals = self._arrivals
        if told.is_as_announced:
            arrivals.status_form = arrivals.status_form or _form_of(status_text)
            return told
        if self._may_hold_a_status_line(beginning):
            arrivals.first_differing = wanted.number
            raise out_of_step("a message that begins with a status line", beginning)
        arrivals.status_form = arrivals.status_form or _form_of(status_text)
        if not self.has_learned_sizes_differ:
            arrivals.differing += 1
            arrivals.first_differing = arrivals.first_differing or wanted.number
            self._pace = _Pace.DRAINING
        return told

    def _may_hold_a_status_line(self, beginning: bytes) -> bool:
        """Say whether a stray line may have come before the true status line, which no count would show.

        Where sizes are but estimates, a message may begin like one itself: the server's own have another form.
        """
        first = beginning.partition(b"\n")[0]
        if not first.upper().startswith((b"+OK", b"-ERR")):
            return False
        arrivals, standing = self._arrivals, self._standing
        are_estimates = standing.are_sizes_estimates or self.has_learned_sizes_differ or arrivals.differing > 0
        usual = standing.status_form if arrivals.status_form is None else arrivals.status_form
        return not are_estimates or usual is None or _form_of(first[3:].strip()) == usual

    def _landed(self) -> ToRetrieve:
        wanted = self._window.landed()
        self._arrivals.last = wanted.number
        self._arrivals.count += 1
        if self._pace is _FIRST_ALONE:
            self._pace = _Pace.FLOWING
        return wanted

    def _refused(self, reply: Reply) -> RetrieveRefused | None:
        """Tell of a message that is refused; what means the whole session ends it, once what came is confirmed."""
        number = self._landed().number
        self._arrivals.refused += 1
        error = refusal(Stage.MESSAGE, reply.text, secrets=self._line.protocol.secrets, about=f"RETR {number}")
        if error.scope is not Scope.MESSAGE and self._arrivals.ending is None:
            self._arrivals.ending = error
            self._unsaid.end()
        return RetrieveRefused(number, error) if self._arrivals.ending is None else None

    def _confirmed(self, reply: Reply) -> InStep:
        stat = stat_of(reply, self._line)
        arrivals = self._arrivals
        if not (self._is_expected(stat) or self._standing.is_moving(stat)):
            arrivals.last = None  # nothing points at it
            raise out_of_step("STAT's numbers do not fit", reply.text, self._line.protocol.secrets)
        self.in_step = arrivals.count
        self.is_confirmed = not self._line.protocol.in_flight and not self._window.unconfirmed
        if self._pace is _Pace.DRAINING and self.is_confirmed:
            self.has_learned_sizes_differ = arrivals.differing >= SIZES_DIFFER_FROM
            arrivals.first_differing = None
            self._pace = _Pace.FLOWING if self._standing.is_pipelined else _Pace.LOCK_STEP
        return IN_STEP

    def _is_expected(self, stat: Stat) -> bool:
        return self._standing.is_expected(stat, have_sizes_fitted=not self._arrivals.differing)

    # --- when it breaks ---

    def _broken_off(self) -> Break:
        line, arrivals = self._line, self._arrivals
        stat = parse_stat(self._text_under_way())
        return Break(
            due=line.protocol.due,
            has_begun=self._is_begun(),
            reads_as_stat=stat is not None and self._is_expected(stat),
            ends_in_dot=line.protocol.ends_in_dot,
            differing=arrivals.first_differing,
            last=arrivals.last,
            is_one_by_one=not (self._standing.is_pipelined and self._window.has_flown),
            is_pipelining_unproven=line.has_pipelined and not line.has_proven_pipelining,
            has_any_in_step=bool(self.in_step) or not self._standing.is_first,
        )

    def _is_first_beyond_doubt(self, error: FerryError) -> bool:
        """Say whether the line ended right behind the first message, which needs no barrier.

        Its RETR was alone on the line, and all that was said before had been answered.
        """
        is_cut = error.kind in {Kind.CONNECT, Kind.TIMEOUT} and not self._is_begun()
        arrivals = self._arrivals
        return is_cut and (arrivals.count, self.in_step, arrivals.differing, arrivals.refused) == (1, 0, 0, 0)

    def _is_begun(self) -> bool:
        return self._long_reply is not None or self._line.protocol.is_reply_begun

    def _text_under_way(self) -> bytes:
        if self._long_reply is not None:
            return self._long_reply.status_text
        status = parse_status(self._line.protocol.leftover.partition(b"\n")[0])
        return status.text if status else b""
