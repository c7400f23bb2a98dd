"""RETR, pipelined, and how the session proves that every reply belongs to the message it was asked for.

With commands in flight, one stray line would shift every reply after it. So the first RETR goes alone; a reply whose
octets are not those announced stops the sending until what is in flight has come and a STAT fits; and a STAT goes
along as a barrier: behind the first message, then at distances that double up to a few hundred. Only a barrier whose
numbers fit yields ``InStep``: what came after the last one must not be stored. So a line that always breaks keeps half
of what it carried, or more. A server without pipelining gets the same, one command at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, auto

from migrator.errors import FerryError, Kind, Scope
from migrator.model import Message, MessageNumber
from migrator.pop3.collecting import Collector, Spool, small_message
from migrator.pop3.conversation import Conversation
from migrator.pop3.listing import stat_of
from migrator.pop3.protocol import (
    NEED_DATA,
    BodyBegins,
    BodyEnds,
    BodyPart,
    BrokenAtError,
    Challenge,
    Event,
    NeedData,
    OutOfStepError,
    Reply,
    Verb,
    out_of_step,
)
from migrator.pop3.replies import Stage, Stat, parse_stat, parse_status, refusal
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
    Wanted,
)

__all__ = ["Blocked", "Budget", "InStep", "Retrieval", "RetrieveEvent", "RetrieveRefused", "Retrieved", "Wanted"]

WINDOW_COMMANDS = 4000
"""RETRs in flight: fewer cost up to three times the wall time at 100 ms (docs/performance.md)."""

WINDOW_OCTETS = 32 * 1024 * 1024
BARRIER_MESSAGES = 256
BARRIER_OCTETS = 4 * 1024 * 1024
LOCK_STEP_BARRIER_MESSAGES = 16
"""A server that is asked one command at a time may have lost step before: little is to be taken back then."""
SIZES_DIFFER_FROM = 3
"""So many messages of other sizes than announced, and it is the server's way, not a message cut short."""

_SLACK = 1024 * 1024
_LEAST_BOUND = 4 * 1024 * 1024


def reply_bound(announced: int) -> int:
    """Return how many octets one message may have: servers announce other sizes than they send, within reason."""
    return max(2 * announced + _SLACK, _LEAST_BOUND)


_NO_END = "the server cannot give this message whole: look at it there by other means"


class _Pace(Enum):
    FIRST_ALONE = auto()
    """One RETR, to see whether the server answers as announced."""
    FLOWING = auto()
    DRAINING = auto()
    """A reply had other octets than announced: nothing more is sent until a STAT has fitted."""
    LOCK_STEP = auto()


class Retrieval:
    """One run over the messages wanted; iterate once.

    To stop early, let ``wanted`` end: what is in flight still comes. ``has_learned_sizes_differ`` turns True when
    octets differed often and the session was in step all the same.
    """

    def __init__(
        self,
        line: Conversation,
        wanted: Iterator[Wanted],
        budget: Budget,
        open_spool: Callable[[], Spool],
        standing: Standing,
    ) -> None:
        self.has_learned_sizes_differ = standing.sizes_differ
        self.in_step = 0
        """How many messages came before the last barrier that fitted, refused ones included."""
        self.is_confirmed = False
        """Whether the last thing said was a barrier, and it fitted."""
        self._line = line
        self._wanted = wanted
        self._budget = budget
        self._open_spool = open_spool
        self._standing = standing
        self._usual_pace = _Pace.FLOWING if standing.is_pipelined else _Pace.LOCK_STEP
        self._pace = _Pace.FIRST_ALONE if standing.is_pipelined else _Pace.LOCK_STEP
        self._barrier_after = 1
        self._barrier_at_most = BARRIER_MESSAGES if standing.is_pipelined else LOCK_STEP_BARRIER_MESSAGES
        self._held: Wanted | None = None
        self._is_exhausted = False
        self._flying: deque[Wanted] = deque()
        self._flying_octets = 0
        self._unconfirmed = 0
        self._unconfirmed_octets = 0
        self._collector: Collector | None = None
        self._landings = 0
        self._refusals = 0
        self._differing = 0
        self._suspect: MessageNumber | None = None
        self._last: MessageNumber | None = None
        self._begun_text = b""
        self._has_flown = False

    @property
    def has_seen_other_sizes(self) -> bool:
        """Whether a message had other octets than announced."""
        return self._differing > 0

    def __iter__(self) -> Iterator[RetrieveEvent]:
        """Yield what happens, in order. Raises ``BrokenAtError`` where the session ended over one message."""
        protocol = self._line.protocol
        try:
            while True:
                self._say_more()
                if not protocol.in_flight:
                    if self._held is None and self._is_exhausted:
                        return
                    yield BLOCKED
                    continue
                event: Event | NeedData = self._line.next_event()
                while event is not NEED_DATA:
                    if (told := self._understand(event)) is not None:
                        yield told
                    event = protocol.next_event()
        except FerryError as error:
            blamed = self._blamed(error)
            if self._is_first_beyond_doubt(error):
                self.in_step = 1
                yield IN_STEP
            if blamed is error:
                raise
            raise blamed from error

    def _is_first_beyond_doubt(self, error: FerryError) -> bool:
        """Say whether the line ended right behind the first message, which needs no barrier.

        Its RETR was alone on the line, and all that was said before had been answered.
        """
        is_cut = error.kind in {Kind.CONNECT, Kind.TIMEOUT} and not self._is_begun()
        return is_cut and (self._landings, self.in_step, self._differing) == (1, 0, 0) and not self._refusals

    # --- saying ---

    def _say_more(self) -> None:
        in_flight = self._line.protocol.in_flight
        if not in_flight:
            self._line.expect_silence()
        if self._pace is _Pace.FLOWING:
            self._has_flown = True
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
        if self._unconfirmed >= self._barrier_after or self._unconfirmed_octets >= BARRIER_OCTETS:
            return self._say_barrier()
        wanted = self._held or next(self._wanted, None)
        self._held = wanted
        if wanted is None:
            self._is_exhausted = True
        elif self._flying_octets and self._flying_octets + wanted.octets > WINDOW_OCTETS:
            return False
        elif self._budget.take(wanted.octets):
            self._say_retr(wanted)
            return True
        # Nothing more can be said: what came may be stored only behind a barrier.
        return self._say_barrier() if self._unconfirmed else False

    def _say_retr(self, wanted: Wanted) -> None:
        self._held = None
        self.is_confirmed = False
        self._flying.append(wanted)
        self._flying_octets += wanted.octets
        self._unconfirmed += 1
        self._unconfirmed_octets += wanted.octets
        self._standing.asked(wanted.number)
        self._line.send(Verb.RETR, wanted.number)

    def _say_barrier(self) -> bool:
        if self._unconfirmed >= self._barrier_after:
            self._barrier_after = min(2 * self._barrier_after, self._barrier_at_most)
        self._unconfirmed = 0
        self._unconfirmed_octets = 0
        self._line.send(Verb.STAT)
        return True

    # --- understanding ---

    def _understand(self, event: Event) -> RetrieveEvent | None:
        match event:
            case Reply(verb=Verb.RETR, is_ok=True):
                return self._retrieved(small_message(event.content), len(event.content), event.content[:4])
            case Reply(verb=Verb.RETR):
                return self._refused(event)
            case Reply():
                return self._confirmed(event)
            case BodyBegins():
                self._collector = Collector(self._open_spool)
                self._begun_text = event.text
            case BodyPart():
                self._collect(event.content)
            case BodyEnds():
                return self._collected()
            case Challenge():
                raise out_of_step("a SASL challenge out of place", event.text)
        return None

    def _retrieved(self, message: Message, wire_octets: int, beginning: bytes) -> Retrieved:
        wanted = self._landed()
        told = Retrieved(wanted.number, message, wanted.octets, wire_octets)
        if told.is_as_announced:
            return told
        if beginning.upper().startswith((b"+OK", b"-ERR")):
            # A stray status line before the true one: no count would ever show it.
            self._suspect = wanted.number
            raise out_of_step("a message that begins with a status line", beginning)
        if not self.has_learned_sizes_differ:
            self._differing += 1
            self._suspect = self._suspect or wanted.number
            self._pace = _Pace.DRAINING
        return told

    def _landed(self) -> Wanted:
        wanted = self._flying.popleft()
        self._flying_octets -= wanted.octets
        self._last = wanted.number
        self._landings += 1
        if self._pace is _Pace.FIRST_ALONE:
            self._pace = _Pace.FLOWING
        return wanted

    def _refused(self, reply: Reply) -> RetrieveRefused:
        number = self._landed().number
        self._refusals += 1
        error = refusal(Stage.MESSAGE, reply.text, secrets=self._line.protocol.secrets, about=f"RETR {number}")
        if error.scope is not Scope.MESSAGE:
            raise error
        return RetrieveRefused(number, error)

    def _confirmed(self, reply: Reply) -> InStep:
        stat = stat_of(reply, self._line)
        if not (self._is_expected(stat) or self._standing.is_moving(stat)):
            self._last = None  # nothing points at it
            raise out_of_step("STAT's numbers do not fit", reply.text, self._line.protocol.secrets)
        self.in_step = self._landings
        self.is_confirmed = not self._line.protocol.in_flight and not self._unconfirmed
        if self._pace is _Pace.DRAINING and self.is_confirmed:
            self.has_learned_sizes_differ = self._differing >= SIZES_DIFFER_FROM
            self._suspect = None
            self._pace = self._usual_pace
        return IN_STEP

    def _is_expected(self, stat: Stat) -> bool:
        return self._standing.is_expected(stat, have_sizes_fitted=not self._differing)

    def _collect(self, piece: bytes) -> None:
        collector, wanted = self._collector, self._flying[0]
        assert collector is not None  # noqa: S101 - BodyBegins came first: the protocol's tests hold it to that
        collector.add(piece)
        if collector.received > reply_bound(wanted.octets):
            raise FerryError(
                Kind.PROTOCOL,
                f"announced as {wanted.octets} octets, but more than {collector.received} came without an end",
            )

    def _collected(self) -> Retrieved:
        collector = self._collector
        assert collector is not None  # noqa: S101 - as above
        self._collector = None
        return self._retrieved(collector.message(), collector.received, collector.beginning)

    # --- when it breaks ---

    def _blamed(self, error: FerryError) -> FerryError:
        """Return the error that names the message at fault, where one is."""
        due = self._line.protocol.due
        if error.kind not in {Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL}:
            return error
        if isinstance(error, OutOfStepError) or due is None:
            return self._blamed_for_step(error)
        verb, number = due
        if verb is not Verb.RETR or (self._suspect and not self._is_begun()):
            # Octets differed, and now the next reply does not come: this is how a missing or early end looks.
            return self._blamed_for_step(error) if self._suspect else error
        return self._blamed_for_silence(MessageNumber(number), error)

    def _blamed_for_step(self, error: FerryError) -> FerryError:
        verb, number = self._line.protocol.due or (Verb.STAT, 0)
        # What differed in octets; else what should come now; else, with nothing due, what came last.
        culprit = self._suspect or (MessageNumber(number) if verb is Verb.RETR else self._last)
        if culprit is not None and self._is_one_by_one():
            return self._broken_at(culprit, error)
        return error if isinstance(error, OutOfStepError) else out_of_step(error.message, b"")

    def _blamed_for_silence(self, number: MessageNumber, error: FerryError) -> FerryError:
        protocol = self._line.protocol
        if not self._is_begun():
            if self._line.has_pipelined and not self._line.has_proven_pipelining:
                return error  # more likely the server lost the commands that were sent ahead
            return self._broken_at(number, error, has_begun=False)
        stat = parse_stat(self._text_under_way())
        if stat and self._is_expected(stat) and not self._is_one_by_one():
            return out_of_step("a reply is missing", b"")
        if error.kind is Kind.TIMEOUT and protocol.ends_in_dot:
            error = FerryError(
                Kind.SHORT, "it ends in a dot with no line end before it, and then the server is silent", cure=_NO_END
            )
        return self._broken_at(number, error)

    def _broken_at(self, number: MessageNumber, error: FerryError, *, has_begun: bool = True) -> BrokenAtError:
        is_first = self._standing.is_first and not self.in_step and number == (self._last or number)
        return BrokenAtError(Verb.RETR, number, error, is_first=is_first, has_begun=has_begun)

    def _is_one_by_one(self) -> bool:
        return self._usual_pace is _Pace.LOCK_STEP or not self._has_flown

    def _is_begun(self) -> bool:
        return self._collector is not None or self._line.protocol.is_reply_begun

    def _text_under_way(self) -> bytes:
        if self._collector is not None:
            return self._begun_text
        status = parse_status(self._line.protocol.leftover.partition(b"\n")[0])
        return status.text if status else b""
