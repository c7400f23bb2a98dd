"""Writing down how batches ended: first the ledger, then the numbers; and the evidence for deleting at the source."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence

from migrator.copying.copier import CopyResult
from migrator.copying.fan_out import CopyOutcomes
from migrator.errors import FerryError, Kind, Scope, StoppedError
from migrator.events import event
from migrator.model import MessageRow
from migrator.report import Problem
from migrator.run.context import RunContext
from migrator.run.deletion_rule import Evidence, ReadBy
from migrator.run.plan import Column
from migrator.run.recheck import Recheck

_LOG = logging.getLogger("migrator.run")

_OF_A_COPY = frozenset({Kind.UNPROVEN, Kind.MISMATCH})
"""What is wrong with a copy, and not with the way to it."""

_TAKEN_OUT = CopyResult.TAKEN_OUT  # for each message: a name of the module is looked up sooner

_LONG_AGO = float("-inf")
"""When a due message was proven: the plan has seen that its time has come."""


class Recorder:
    """What came of the messages of one session."""

    def __init__(
        self, context: RunContext, recheck: Recheck, now: float, *, due: Container[MessageRow], shown: Column
    ) -> None:
        """Record for a session that began ``now``.

        The ``due`` ones were proven everywhere before and are to be deleted; of those ``shown`` this session has seen
        the headers, and every copy was read again.
        """
        self.recorded = 0
        """How many messages were copied, or completed."""
        self.recheck = recheck
        self._context = context
        self._counters = context.counters
        self._due = due
        self._now = now
        self._retrieved: dict[tuple[bool, bool, bool], Column] = {}  # is it due, has it changed, was it taken out
        self._shown = shown

    @property
    def proven(self) -> dict[Evidence, Column]:
        """All that was read and proven in this session, by what is known of it."""
        evidence = {
            Evidence(ReadBy.RETR, not has_changed, not is_taken_out, _LONG_AGO if is_due else self._now): messages
            for (is_due, has_changed, is_taken_out), messages in self._retrieved.items()
        }
        shown = Evidence(
            ReadBy.TOP, is_as_copied=True, is_everywhere=True, proven_at=_LONG_AGO, was_retrieved_before=True
        )
        return evidence | {shown: self._shown}

    @property
    def has_changes(self) -> bool:
        """Whether the source gave something else than before for a known message."""
        return bool(self.recheck.changed)

    def is_due(self, row: MessageRow) -> bool:
        """Say whether a message is proven everywhere, and to be deleted."""
        return row in self._due

    def batch(self, batch: Sequence[CopyOutcomes]) -> None:
        """Write down how a batch ended."""
        now = self._context.effects.clock()
        proven: list[CopyOutcomes] = []
        failed: list[CopyOutcomes] = []
        for copied in batch:
            (proven if copied.is_proven else failed).append(copied)
        if proven:
            self._context.maildrop.copied([(one.fetched.row, one.fetched.message.digest) for one in proven], now)
            self._context.effects.step("messages.copied")
        for copied in proven:
            self._proven(copied)
        if changed := self.recheck.changed:
            self._context.problems.keep([(row, changed[row]) for one in proven if (row := one.fetched.row) in changed])
        if failed:
            self._failed(failed)
        octets = sum(copied.fetched.message.octets for copied in batch)
        self._context.effects.progress.advanced(self._counters.name, len(batch), octets)
        counts = {"messages": len(batch), "octets": octets, "failed": len(failed)}
        event(_LOG, "batch.copied", level=logging.DEBUG, account=self._counters.name, **counts)

    def refused(self, row: MessageRow, error: FerryError) -> None:
        """Note a message that the source does not give, or not whole."""
        problem = self._context.problems.of(row, error)
        self._count_failed(row, problem)
        self._context.problems.keep([(row, problem)])

    def changed(self, row: MessageRow) -> None:
        """Note a message that the source gives otherwise now; one that is left alone is not heard of again."""
        problem = self.recheck.changed[row]
        self._counters.not_deleted(row, problem)
        if self.recheck.is_left_alone(row):
            self._context.problems.keep([(row, problem)])

    def _proven(self, copied: CopyOutcomes) -> None:
        fetched = copied.fetched
        is_due, is_changed = fetched.row in self._due, fetched.row in self.recheck.changed
        self._context.suspects.came(fetched.row)
        self._context.handled.add(fetched.message.digest)
        if is_due and not is_changed:
            self._counters.verified(fetched.row)
        else:
            self.recorded += 1
            self._counters.copied_message(fetched.row, fetched.message.octets, was_stored=copied.is_copied)
        if is_taken_out := _TAKEN_OUT in copied.outcomes:
            self._tell_taken_out(copied)
        kind = is_due, is_changed, is_taken_out
        if (messages := self._retrieved.get(kind)) is None:
            messages = self._retrieved[kind] = Column()
        messages.append(fetched.number, fetched.row, fetched.charged)

    def _tell_taken_out(self, copied: CopyOutcomes) -> None:
        for place, outcome in enumerate(copied.outcomes):
            if outcome is CopyResult.TAKEN_OUT:
                label = self._context.targets.label(place)
                self._counters.noted(f"a message was taken out of {label}: the source keeps it (when_copy_is_gone)")

    def _failed(self, batch: Sequence[CopyOutcomes]) -> None:
        """Note messages that are not proven everywhere: what they are, so that no one is retrieved in vain again."""
        new = [copied.fetched for copied in batch if copied.fetched.row not in self._due]
        self._context.maildrop.identified([(fetched.row, fetched.message.digest) for fetched in new])
        unique_ids = self._context.maildrop.unique_ids([copied.fetched.row for copied in batch])
        accepted = self._accepted(batch)
        problems: list[tuple[MessageRow, Problem]] = []
        for copied in batch:
            row = copied.fetched.row
            place, error = copied.errors[0]
            label = self._context.targets.label(place)
            if isinstance(error, StoppedError):
                continue
            if error.scope is not Scope.MESSAGE or self._context.targets.unusable.get(place) is error:
                self._counters.problem(error, label)
                self._count_failed(row, None)
            else:
                problem = Problem.of(error, unique_id=unique_ids.get(row), destination=label)
                if row in accepted:
                    self._counters.skipped(row, None)
                else:
                    self._count_failed(row, problem)
                problems.append((row, problem))
        self._context.problems.keep(problems)
        for row in accepted:
            self._context.ledger.history.accept(row, self._context.effects.clock())

    def _accepted(self, batch: Sequence[CopyOutcomes]) -> set[MessageRow]:
        """Return the messages whose copies a person has accepted as they are, under another unique-id than this one."""
        new = [one for one in batch if one.fetched.row not in self._due and one.errors[0][1].kind in _OF_A_COPY]
        digests = [one.fetched.message.digest for one in new]
        known = self._context.ledger.archive.accepted(digests, [self._counters.name]) if new else set()
        return {one.fetched.row for one in new if one.fetched.message.digest in known}

    def _count_failed(self, row: MessageRow, problem: Problem | None) -> None:
        if row not in self._due:
            self._counters.failed(row, problem)
        elif problem is not None:
            self._counters.not_deleted(row, problem)
