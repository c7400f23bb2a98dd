"""Retrieving from the source and delivering to the destinations, side by side, for one session.

What arrives is held until the session is known to be in step; only then does it travel on, in batches. A batch's end is
recorded in the ledger by this thread, in order; what is then proven everywhere and due may be deleted by this session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain

from migrator.copying.copier import Copier, CopyResult
from migrator.copying.fan_out import CopyOutcomes, FanOut, Fetched
from migrator.errors import FerryError, Kind, Scope
from migrator.message.body import Body
from migrator.message.digest import same_but_for_server_headers
from migrator.message.spool import OctetBudget, SpoolFile
from migrator.model import Content, Digest, MessageNumber, MessageRow
from migrator.pop3.protocol import BrokenAtError
from migrator.pop3.retrieve import Blocked, InStep, Retrieved, RetrieveEvent, RetrieveRefused
from migrator.pop3.session import Session
from migrator.report import Problem
from migrator.run.context import RunContext
from migrator.run.deletion_rule import Decision, DeletionPolicy, Evidence, ReadBy, decide
from migrator.run.plan import Column, PlannedMessage

BATCH_MESSAGES = 500
BATCH_OCTETS = 8 * 1024 * 1024
KEEP_ALIVE_SECONDS = 20.0
"""How long a server is left without a word while destinations work; Outlook hangs up after 60 seconds."""


class Fetcher:
    """What one session brings home."""

    def __init__(
        self, context: RunContext, session: Session, changed_before: set[MessageRow], messages: int, *, may_delete: bool
    ) -> None:
        """Prepare for so many messages; ``changed_before`` were found changed by an earlier run too."""
        self._context = context
        self._session = session
        self._counters = context.counters
        self._ledger = context.maildrop
        self._changed_before = changed_before
        # Where retrieving deletes, each message is made durable before the next one is asked for.
        self._budget = OctetBudget(1 if session.retrieving_deletes else context.effects.octets_at_once)
        self._batch_copiers = ExitStack()
        batch_copiers = [
            self._batch_copiers.enter_context(context.effects.copier_for(one, messages)) for one in context.copiers
        ]
        self._delivery = FanOut(context.copiers, self._budget, context.unusable, batch_copiers)
        self._on_the_way: dict[MessageNumber, PlannedMessage] = {}
        self._arrived: list[Fetched] = []  # not known to be in step
        self._batch: list[Fetched] = []
        self._batch_octets = 0
        self._rules = DeletionPolicy(context.policy.leave_on_server, context.policy.source_proof, may_delete)
        self._recorded: dict[MessageRow, Content] = {}  # what earlier sessions retrieved under the same unique-ids
        self._due: set[MessageRow] = set()  # known messages, proven everywhere, that are to be proven at the source
        self._changed: dict[MessageRow, Problem] = {}
        self._first_read: dict[MessageRow, Digest] = {}  # came with other octets than announced
        self._to_read_again: list[PlannedMessage] = []
        self.brought = 0
        self.deletable: dict[MessageNumber, MessageRow] = {}

    @property
    def has_changes(self) -> bool:
        """Whether the source gave something else than before for a known message."""
        return bool(self._changed)

    @property
    def is_stuck(self) -> bool:
        """Whether no destination can take anything any more."""
        return self._delivery.is_stuck

    def fetch(self, wanted: Iterator[PlannedMessage], incomplete: Column, due: Column) -> None:
        """Retrieve these messages and see them home.

        The ``incomplete`` ones among them were retrieved before, but some destination lacks them; the ``due`` ones are
        proven everywhere, and to be deleted if the source still holds the same. Returns when every batch is delivered
        and recorded. Raises what ended the session; then, too, whatever was in step is delivered and recorded first.
        """
        self._due = {message.row for message in due}
        self._recorded = self._ledger.contents([message.row for message in chain(incomplete, due)])
        try:
            self._retrieve(wanted)
            if not self._context.is_stopped:
                again, self._to_read_again = self._to_read_again, []
                self._retrieve(iter(again))
        except BrokenAtError as error:
            self._broke_at(error)
            raise
        finally:
            self._send_batch()
            self._see_home()

    def _retrieve(self, wanted: Iterator[PlannedMessage]) -> None:
        """Take what comes. A stop drops the line: what is still in flight is not waited for."""
        for event in self._session.retrieve(self._sent(wanted), self._budget, self._spool):
            self._take(event)
            if self._context.is_stopped:
                return

    def prove_copies(self, digests: Sequence[Digest]) -> dict[Digest, FerryError | None]:
        """Read the copies of these contents at every destination again; the first error stands."""
        verdicts: dict[Digest, FerryError | None] = dict.fromkeys(digests)
        for place in range(len(self._context.copiers)):
            answer = self._delivery.ask(place, lambda copier: copier.verify_again(digests))
            verdicts = {digest: verdicts[digest] or answer[digest] for digest in digests}
        return verdicts

    def close(self) -> None:
        """End the threads, when they are done with what they have."""
        self._delivery.close()
        self._batch_copiers.close()

    def _sent(self, wanted: Iterator[PlannedMessage]) -> Iterator[PlannedMessage]:
        for message in wanted:
            if self._delivery.is_stuck or self._context.is_stopped:
                return
            self._on_the_way[message.number] = message
            yield message

    def _spool(self) -> SpoolFile:
        return SpoolFile(self._context.spool_dir)

    def _take(self, event: RetrieveEvent) -> None:
        match event:
            case Retrieved():
                self._arrive(event)
            case RetrieveRefused(number, error):
                wanted = self._on_the_way.pop(number)
                self._budget.give_back(wanted.octets)
                self._refused(wanted.row, error)
            case InStep():
                self._batch.extend(self._arrived)
                self._batch_octets += sum(fetched.message.octets for fetched in self._arrived)
                self._arrived.clear()
                self._record_finished()
                if len(self._batch) >= BATCH_MESSAGES or self._batch_octets >= BATCH_OCTETS:
                    self._send_batch()
            case Blocked():
                self._send_batch()
                self._wait()

    def _arrive(self, event: Retrieved) -> None:
        """Hold a message's octets against those announced; where they differ only a second read settles it."""
        wanted = self._on_the_way.pop(event.number)
        fetched = Fetched(event.number, wanted.row, event.message, wanted.octets)
        first = self._first_read.get(wanted.row)
        if event.is_as_announced:
            self._learn_sizes(fitting=1)
            self._arrived.append(fetched)
        elif first is None:
            self._learn_sizes(differing=1)
            self._first_read[wanted.row] = event.message.digest
            self._to_read_again.append(wanted)
            self._budget.give_back(wanted.octets)
        elif first != event.message.digest or self._is_cut_short(event):
            self._budget.give_back(wanted.octets)
            self._refused(wanted.row, self._short(event, is_same=first == event.message.digest))
        else:
            self._arrived.append(fetched)

    def _learn_sizes(self, *, fitting: int = 0, differing: int = 0) -> None:
        self._session.profile = self._session.profile.after_sizes(fitting=fitting, differing=differing)

    def _is_cut_short(self, event: Retrieved) -> bool:
        """Say whether octets are missing on a server that is not known to announce other sizes than it sends."""
        return event.wire_octets < event.announced and not self._session.profile.announces_any_size

    def _short(self, event: Retrieved, *, is_same: bool) -> FerryError:
        reads = "both times" if is_same else "and other bytes than the first time"
        return FerryError(
            Kind.SHORT,
            f"announced with {event.announced} octets, but {event.wire_octets} came, {reads}; not stored, not deleted",
            cure="look at the message on the server; it may be damaged there",
        )

    def _broke_at(self, error: BrokenAtError) -> None:
        if (row := self._row_of(error.number)) is not None:
            self._context.suspects.broke_at(row, error, is_archived=row in self._due)

    def _row_of(self, number: MessageNumber) -> MessageRow | None:
        """Return the row of a message that was asked for and is not known to have come in step."""
        asked = {message.number: message.row for message in (*self._on_the_way.values(), *self._to_read_again)}
        return (asked | {fetched.number: fetched.row for fetched in self._arrived}).get(number)

    def _send_batch(self) -> None:
        batch, self._batch, self._batch_octets = self._batch, [], 0
        if batch:
            fetched_batch = [fetched for fetched in map(self._as_recorded, batch) if fetched is not None]
            self._delivery.submit(fetched_batch)

    def _as_recorded(self, fetched: Fetched) -> Fetched | None:
        """Hold a known message against what it was: equal, equal but for headers that servers add, or changed.

        A changed one is new mail and travels on as such; the second time it is left alone, because some servers
        (Courier, with 8-bit mail) give other bytes in every session.
        """
        recorded = self._recorded.get(fetched.row)
        if recorded is None or recorded.digest == fetched.message.digest:
            return fetched
        if self._is_as_stored(recorded.digest, fetched.message.body):
            return fetched._replace(message=fetched.message._replace(digest=recorded.digest))
        error = FerryError(
            Kind.CHANGED,
            "the source now gives something else for this message than was copied; it is not deleted there",
        )
        self._changed[fetched.row] = problem = self._context.problem_of(fetched.row, error)
        self._counters.not_deleted(fetched.row, problem)
        if fetched.row not in self._changed_before:
            return fetched
        self._budget.give_back(fetched.charged)
        self._context.ledger.history.failed([(fetched.row, problem)], self._context.effects.clock())
        return None

    def _is_as_stored(self, recorded: Digest, received: Body) -> bool:
        def compare(copier: Copier) -> bool:
            stored = copier.stored_body(recorded)
            return stored is not None and same_but_for_server_headers(stored, received)

        return self._delivery.ask(0, compare)

    def _wait(self) -> None:
        self._delivery.wait(KEEP_ALIVE_SECONDS)
        if not self._delivery.has_finished:
            self._session.noop()
        self._record_finished()

    def _see_home(self) -> None:
        """Wait for every batch. The source is not spoken to: its line may be the reason why this is called."""
        while not self._delivery.is_idle:
            self._delivery.wait(KEEP_ALIVE_SECONDS)
            self._record_finished()

    def _record_finished(self) -> None:
        for batch in self._delivery.finished():
            self._record(batch)

    def _record(self, batch: Sequence[CopyOutcomes]) -> None:
        """Write down how a batch ended: first the ledger, then the numbers."""
        now = self._context.effects.clock()
        proven = [delivered for delivered in batch if not delivered.errors]
        failed = [delivered for delivered in batch if delivered.errors]
        if proven:
            self._ledger.copied([(d.fetched.row, d.fetched.message.digest) for d in proven], now)
            self._context.effects.step("messages.copied")
        for delivered in proven:
            self._record_proven(delivered, now)
        if changed := [(row, self._changed[row]) for d in proven if (row := d.fetched.row) in self._changed]:
            self._context.ledger.history.failed(changed, now)
        if failed:
            self._record_failed(failed)
        octets = sum(delivered.fetched.message.octets for delivered in batch)
        self._context.effects.progress.advanced(self._counters.name, len(batch), octets)

    def _record_proven(self, delivered: CopyOutcomes, now: float) -> None:
        fetched = delivered.fetched
        is_due = fetched.row in self._due
        is_changed = fetched.row in self._changed
        self._context.suspects.came(fetched.row)
        self._context.handled(fetched.message.digest)
        if is_due and not is_changed:
            self._counters.verified_again()
        else:
            self.brought += 1
            self._counters.copied_message(fetched.row, fetched.message.octets, was_stored=delivered.is_copied)
        for label in self._taken_out_of(delivered):
            self._counters.noted(f"a message was taken out of {label}: the source keeps it (when_copy_is_gone)")
        evidence = Evidence(
            read_by=ReadBy.RETR,
            is_as_copied=not is_changed,
            is_everywhere=CopyResult.TAKEN_OUT not in delivered.outcomes,
            proven_at=float("-inf") if is_due else now,
        )
        self._note_deletable(fetched.number, fetched.row, evidence, now)

    def _taken_out_of(self, delivered: CopyOutcomes) -> list[str]:
        places = [place for place, outcome in enumerate(delivered.outcomes) if outcome is CopyResult.TAKEN_OUT]
        return [self._context.copiers[place].destination.label for place in places]

    def proven_by_headers(self, number: MessageNumber, row: MessageRow) -> None:
        """Note a known message of which this session has seen the headers, and whose every copy was read again."""
        evidence = Evidence(ReadBy.TOP, True, True, float("-inf"), was_retrieved_before=True)  # noqa: FBT003
        self._note_deletable(number, row, evidence, self._context.effects.clock())

    def _note_deletable(self, number: MessageNumber, row: MessageRow, evidence: Evidence, now: float) -> None:
        if decide(evidence, self._rules, now) is Decision.DELETE:
            self.deletable[number] = row

    def _record_failed(self, batch: Sequence[CopyOutcomes]) -> None:
        """Note messages that are not proven everywhere: what they are, so that no one is retrieved in vain again."""
        new = [delivered.fetched for delivered in batch if delivered.fetched.row not in self._due]
        self._ledger.identified([(fetched.row, fetched.message.digest) for fetched in new])
        unique_ids = self._ledger.unique_ids([delivered.fetched.row for delivered in batch])
        problems: list[tuple[MessageRow, Problem]] = []
        for delivered in batch:
            row = delivered.fetched.row
            place, error = delivered.errors[0]
            label = self._context.copiers[place].destination.label
            if error.scope is not Scope.MESSAGE or self._delivery.broken.get(place) is error:
                self._counters.problem(error, label)
                self._count_failed(row, None)
            else:
                problem = Problem.of(error, unique_id=unique_ids.get(row), destination=label)
                self._count_failed(row, problem)
                problems.append((row, problem))
        self._context.ledger.history.failed(problems, self._context.effects.clock())

    def _count_failed(self, row: MessageRow, problem: Problem | None) -> None:
        if row not in self._due:
            self._counters.failed(row, problem)
        elif problem is not None:
            self._counters.not_deleted(row, problem)

    def _refused(self, row: MessageRow, error: FerryError) -> None:
        """Note a message that the source does not give, or not whole."""
        problem = self._context.problem_of(row, error)
        self._count_failed(row, problem)
        self._context.ledger.history.failed([(row, problem)], self._context.effects.clock())
