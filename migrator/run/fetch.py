"""Retrieving from the source and copying to the destinations, side by side, for one session.

What arrives is held until the session is known to be in step; only then does it go to the destinations, in batches. How
a batch ended is recorded by this thread, in order (``migrator.run.record``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from migrator.copying.fan_out import FanOut, Fetched
from migrator.message.spool import MESSAGE_WEIGHT_OCTETS, OctetBudget
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.retrieve import Blocked, InStep, Retrieved, RetrieveEvent, RetrieveRefused
from migrator.pop3.session import Session
from migrator.run.context import RunContext
from migrator.run.plan import PlannedMessage
from migrator.run.recheck import SecondReads
from migrator.run.record import Recorder

BATCH_MESSAGES = 500
BATCH_OCTETS = 8 * 1024 * 1024
KEEP_ALIVE_SECONDS = 20.0
"""How long a server is left without a word while destinations work; Outlook hangs up after 60 seconds."""


@contextmanager
def fan_out_to(context: RunContext, session: Session, messages: int) -> Iterator[FanOut]:
    """Copy to all destinations of a run, that many messages; on leaving nothing is half done."""
    # Where retrieving deletes, each message is made durable before the next one is asked for.
    at_once = 1 if session.retrieving_deletes else context.effects.octets_at_once
    budget = OctetBudget(at_once, each=MESSAGE_WEIGHT_OCTETS)
    targets = context.targets
    with ExitStack() as stack:
        batch_copiers = [stack.enter_context(context.effects.copier_for(one, messages)) for one in targets.copiers]
        fan_out = FanOut(targets.copiers, budget, targets.unusable, batch_copiers)
        stack.callback(fan_out.close)
        yield fan_out


class Fetcher:
    """Retrieves what one session takes, and has it copied and recorded."""

    def __init__(self, context: RunContext, session: Session, fan_out: FanOut, recorder: Recorder) -> None:
        self._context = context
        self._session = session
        self._fan_out = fan_out
        self._recheck = recorder.recheck
        self._recorder = recorder
        self._second_reads = SecondReads()
        self._asked: dict[MessageNumber, PlannedMessage] = {}
        self._arrived: list[Fetched] = []  # not known to be in step
        self._batch: list[Fetched] = []
        self._batch_octets = 0

    def fetch(self, wanted: Iterator[PlannedMessage]) -> None:
        """Retrieve these messages, copy and record them; what came with other octets than announced, twice.

        Returns when every batch is recorded. Raises what ended the session; then, too, whatever was in step is copied
        and recorded first. A stop of the run drops the line: what is still in flight is not waited for.
        """
        try:
            for messages in (wanted, self._second_reads.messages()):
                for event in self._session.retrieve(
                    self._saying(messages), self._fan_out.budget, self._context.open_spool
                ):
                    self._take(event)
                    if self._context.is_stopped:
                        return
        except BrokenAtError as error:
            if (row := self._row_of(error.number)) is not None:
                self._context.suspects.broke_at(row, error, is_archived=self._recorder.is_due(row))
            raise
        finally:
            self._send_batch()
            self._finish()

    def _saying(self, wanted: Iterator[PlannedMessage]) -> Iterator[PlannedMessage]:
        for message in wanted:
            if self._fan_out.is_stuck or self._context.is_stopped:
                return
            self._asked[message.number] = message
            yield message

    def _take(self, event: RetrieveEvent) -> None:
        match event:
            case Retrieved():
                self._arrive(event)
            case RetrieveRefused(number, error):
                wanted = self._asked.pop(number)
                self._fan_out.budget.give_back(wanted.octets)
                self._recorder.refused(wanted.row, error)
            case InStep():
                self._batch.extend(self._arrived)
                self._batch_octets += _octets(self._arrived)
                self._arrived.clear()
                self._record_finished()
                if len(self._batch) >= BATCH_MESSAGES or self._batch_octets >= BATCH_OCTETS:
                    self._send_batch()
            case Blocked():
                self._send_batch()
                self._wait()

    def _arrive(self, event: Retrieved) -> None:
        """Hold a message until the session is in step behind it; one of other octets than announced is read twice."""
        wanted = self._asked.pop(event.number)
        session = self._session
        if event.is_as_announced:
            session.profile = session.profile.after_sizes(fitting=1)
        elif self._second_reads.is_first(wanted.row):
            session.profile = session.profile.after_sizes(differing=1)
            self._second_reads.ask_again(wanted, event)
            self._fan_out.budget.give_back(wanted.octets)
            return
        elif objection := self._second_reads.objection(
            wanted.row, event, announces_any_size=session.profile.announces_any_size
        ):
            self._fan_out.budget.give_back(wanted.octets)
            self._recorder.refused(wanted.row, objection)
            return
        self._arrived.append(Fetched(event.number, wanted.row, event.message, wanted.octets))

    def _row_of(self, number: MessageNumber) -> MessageRow | None:
        """Return the row of a message that was asked for and is not known to have come in step."""
        asked = {message.number: message.row for message in (*self._asked.values(), *self._second_reads.waiting)}
        return (asked | {fetched.number: fetched.row for fetched in self._arrived}).get(number)

    def _send_batch(self) -> None:
        batch, self._batch, self._batch_octets = self._batch, [], 0
        if batch:
            checked = [fetched for fetched in map(self._checked, batch) if fetched is not None]
            self._context.effects.storing.begun(_octets(checked))
            self._fan_out.submit(checked)

    def _checked(self, fetched: Fetched) -> Fetched | None:
        """Hold a known message against what it was; None for one that is left alone because it changes each time."""
        fetched = self._recheck.checked(fetched)
        if fetched.row not in self._recheck.changed:
            return fetched
        self._recorder.changed(fetched.row)
        if not self._recheck.is_left_alone(fetched.row):
            return fetched
        self._fan_out.budget.give_back(fetched.charged)
        return None

    def _wait(self) -> None:
        self._fan_out.wait(KEEP_ALIVE_SECONDS)
        if not self._fan_out.has_finished:
            self._session.noop()
        self._record_finished()

    def _finish(self) -> None:
        """Wait for every batch. The source is not spoken to: its line may be the reason why this is called."""
        while not self._fan_out.is_idle:
            self._fan_out.wait(KEEP_ALIVE_SECONDS)
            self._record_finished()

    def _record_finished(self) -> None:
        if batch := self._fan_out.finished():
            self._recorder.batch(batch)
            self._context.effects.storing.ended(_octets(one.fetched for one in batch))


def _octets(messages: Iterable[Fetched]) -> int:
    return sum(fetched.message.octets for fetched in messages)
