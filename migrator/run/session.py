"""One session at a source, from log-in to QUIT: list, plan, retrieve and deliver, prove what is to go, delete.

Two rules make it safe. The ledger is written before any effect that would be unsafe unrecorded. And when in doubt
the line is dropped without QUIT: only QUIT makes DELE real (RFC 1939, section 6), so hanging up takes nothing back
that was proven and deletes nothing that was not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import chain, islice

from migrator.errors import FerryError, Kind
from migrator.model import KnownMessage, MessageRow
from migrator.policy import Keep, SourceProof
from migrator.pop3.listing import Listing
from migrator.pop3.session import Session
from migrator.report import Problem, WouldDelete
from migrator.run import deletion as farewell
from migrator.run.context import RunContext
from migrator.run.fetch import Fetcher
from migrator.run.plan import Column, Plan, PlannedMessage, Step, decide, make_plan
from migrator.run.relogin import beginning
from migrator.run.rematch import rematch
from migrator.run.suspects import BREAKING

SLICE_SECONDS = 300.0
"""After so long a session that deletes is brought to its QUIT, so that a dropped line undoes little."""


class Visit:
    """One session of a run, and what came of it."""

    def __init__(self, context: RunContext, *, idle: int = 0) -> None:
        """Prepare; nothing is touched yet. So many sessions in a row were ``idle``: they achieved nothing."""
        self._context = context
        self._idle = idle
        self._counters = context.counters
        self._ledger = context.maildrop
        self._policy = context.policy.after(context.counters.handled)
        self._began = time.monotonic()
        self._changed_before: set[MessageRow] = set()
        self._has_nameless = False
        self._has_taken_all = False
        self._has_put_off = False
        self.listed = 0
        self.brought = 0
        self.deleted = 0
        self.carried = 0
        self.shown = 0
        self.marked = 0
        self.has_asked_to_delete = False
        self.has_listing = False
        self.has_found_new = False
        self.has_finished = False
        self.suspects_tried: list[MessageRow] = []
        self.has_left_suspects = False
        self.is_stuck = False

    def make(self) -> None:
        """Hold the session to its end. Raises what ended it early; what was done until then is recorded."""
        session = self._open()
        try:
            self._hold(session)
        except BaseException:
            session.abandon()
            raise
        finally:
            self._context.profile = session.profile
            self.carried, self.shown, self.marked = session.carried, session.shown, session.marked

    def look(self) -> None:
        """Say what a session would do, and hang up."""
        session = self._open()
        try:
            with closing(session.listing()) as listing:
                self._match(session, listing)
            shown: dict[MessageRow, WouldDelete] = {}
            plan = self._plan(self._may_go(self._counters.counted(self._known()), shown))
            self._counters.would_delete = [shown[row] for row in sorted(self._would_go(plan))]
        finally:
            session.abandon()

    def _open(self) -> Session:
        job = self._context.job
        session = self._context.effects.open_session(job.source, job.password, self._context.profile)
        self._context.effects.step("source.open")
        session.without_top = self._context.without_top
        return session

    def _hold(self, session: Session) -> None:
        with closing(session.listing(self._context.spool_dir)) as listing:
            self._work_through(session, listing)

    def _work_through(self, session: Session, listing: Listing) -> None:
        self.has_listing = True
        key = self._settled_key(listing)
        if (count := self._ledger.settled(key, self._context.effects.clock())) is not None:
            self._counters.settled(count)
            self.has_finished = True
            farewell.delete(self._context, session, {})
            return
        self.listed = listing.count
        if doubt := listing.doubt:
            self._counters.problem(doubt)
        self._match(session, listing)
        self._counters.deleted(self._ledger.note(self._context.effects.clock()))
        self._context.effects.step("listing.noted")
        handled_before = self._context.contents_handled
        plan = self._plan(self._counters.counted(self._known()))
        may_delete = self._may_delete(plan)
        with closing(
            Fetcher(self._context, session, self._changed_before, plan.messages, may_delete=may_delete)
        ) as fetcher:
            self._work(session, plan, fetcher, plan.delete if may_delete else Column())
        self.has_found_new = self._context.contents_handled > handled_before
        if self.has_finished and self.deleted == 0 and self._is_settled(plan, fetcher) and not listing.doubt:
            until = min(plan.settled_until, self._policy.next_due(self._context.effects.clock()))
            self._ledger.listing_settled(key, listing.count, until)

    def _settled_key(self, listing: Listing) -> bytes:
        """Return what an unchanged listing under an unchanged wish is known by."""
        wish = repr((self._policy, self._context.destinations))
        return sha256(listing.fingerprint + wish.encode()).digest()

    def _work(self, session: Session, plan: Plan, fetcher: Fetcher, due: Column) -> None:
        """Bring home what is new, prove what is due, delete it, QUIT."""
        try:
            if due and self._policy.source_proof is SourceProof.HEADERS:
                portion, held = self._portion_of(due)
                due = farewell.prove_by_headers(self._context, session, fetcher, portion)
                due.extend(held)
            self._context.effects.progress.planned(self._counters.name, plan.messages, plan.octets)
            fetcher.fetch(self._sliced([plan.retrieve, plan.complete, due], len(fetcher.deletable)), plan.complete, due)
        finally:
            self.brought, self.is_stuck = fetcher.brought, fetcher.is_stuck
        if self._context.is_stopped:
            session.abandon()
            return
        self.has_asked_to_delete = bool(fetcher.deletable)
        self.deleted = farewell.delete(self._context, session, fetcher.deletable)
        self.has_finished = self._has_taken_all and not self._has_put_off

    def _may_delete(self, plan: Plan) -> bool:
        new = len(plan.retrieve) + len(plan.complete)
        wanted = len(plan.delete) + (new if self._policy.deletes_at_once else 0)
        return not farewell.too_many(self._context, self._counters.deletions + wanted)

    def _portion_of(self, due: Column) -> tuple[Column, Column]:
        """Return what this session proves by headers, and what waits to be proven by content at the very end."""
        portion, held = Column(), Column()
        for message in due:
            into = portion if self._context.suspects.are_without(message.row) else held
            into.append(*message)
        self._has_put_off = portion.cut(self._context.portion.most) > 0
        return portion, held

    def _sliced(self, columns: Sequence[Column], taken: int) -> Iterator[PlannedMessage]:
        """Pass on what this session is to retrieve: a portion, of which it has ``taken`` some, and not for too long.

        Messages over which a session ended come when nothing else is left: then a session may as well begin with them.
        """
        held: list[PlannedMessage] = []
        for message in self._in_turn(columns):
            if message.row in self._context.suspects:
                held.append(message)
            elif self._is_worth_trying(message.row):
                if self._is_long_enough(taken):
                    return
                taken += 1
                yield message
        self._has_taken_all = True
        if not taken and not self._has_put_off:
            self.suspects_tried = [message.row for message in held[: self._context.portion.most]]
        self.has_left_suspects = len(held) > len(self.suspects_tried)
        yield from held[: len(self.suspects_tried)]

    def _in_turn(self, columns: Sequence[Column]) -> Iterator[PlannedMessage]:
        """Yield all messages once, beginning where the last sessions did not begin in vain.

        After two in vain it is enough to come to a QUIT: then the first ones wait for the next session.
        """
        place = beginning(self._idle, sum(map(len, columns)))
        yield from islice(chain(*columns), place, None)
        if self._idle < 2:
            yield from islice(chain(*columns), place)
        elif place:
            self._has_put_off = True

    def _is_worth_trying(self, row: MessageRow) -> bool:
        """Say whether to retrieve a message: in a portion there is no room for what has failed in this run."""
        has_failed = self._context.portion.is_limited and self._counters.has_failed(row)
        return self._context.suspects.are_without(row) and not has_failed

    def _is_long_enough(self, taken: int) -> bool:
        """Say whether to come to QUIT now: for the time passed only where that confirms deletions."""
        if taken >= self._context.portion.most:
            return True
        has_no_end = isinstance(self._policy.leave_on_server, Keep)
        return not has_no_end and time.monotonic() - self._began > SLICE_SECONDS

    def _is_settled(self, plan: Plan, fetcher: Fetcher) -> bool:
        """Say whether the same listing means that there is nothing to do: never by sizes alone, without unique-ids."""
        if self._has_nameless:
            return False
        is_done = self.brought == len(plan.retrieve) + len(plan.complete) and not fetcher.has_changes
        return is_done and not (plan.delete or plan.oversized or plan.waiting or plan.accepted or plan.beyond_limit)

    def _match(self, session: Session, listing: Listing) -> None:
        """Hold the listing against what is known, by unique-id and octets, then by headers where all ids changed."""
        if self._ledger.match(listing) == listing.count:
            rematch(session, self._ledger)

    def _known(self) -> Iterator[KnownMessage]:
        return self._ledger.listed(self._context.destinations)

    def _plan(self, messages: Iterator[KnownMessage]) -> Plan:
        plan = make_plan(self._noted(messages), self._policy, self._context.effects.clock())
        for wanted in plan.oversized:
            self._counters.skipped(wanted.row, self._too_large(wanted))
        problems = self._context.ledger.history.problems([wanted.row for wanted in plan.waiting])
        for row, problem in problems.items():
            self._counters.failed(row, problem)
        return plan

    def _noted(self, messages: Iterator[KnownMessage]) -> Iterator[KnownMessage]:
        """Pass messages through, keeping what the plan has no room for."""
        for message in messages:
            self._has_nameless |= not message.unique_id
            if message.failure == Kind.CHANGED:
                self._changed_before.add(message.row)
            elif message.failure in BREAKING:
                self._context.suspects.recall(message.row)
            if message.is_accepted and not message.is_settled:
                self._counters.skipped(message.row, None)
            yield message

    def _may_go(self, messages: Iterator[KnownMessage], shown: dict[MessageRow, WouldDelete]) -> Iterator[KnownMessage]:
        """Pass messages through, showing what the policy would delete if nothing else stood in the way."""
        now = self._context.effects.clock()
        for message in messages:
            if self._policy.deletes_at_once or decide(message, self._policy, now) is Step.DELETE:
                shown[message.row] = WouldDelete(message.unique_id, message.octets, message.digest)
            yield message

    def _would_go(self, plan: Plan) -> Iterator[MessageRow]:
        """Yield what a run with this plan would delete: it may be limited, or not allowed to delete so many."""
        if self._may_delete(plan):
            new = chain(plan.retrieve, plan.complete) if self._policy.deletes_at_once else ()
            wanted = chain(plan.delete, new)
            yield from (message.row for message in wanted)

    def _too_large(self, wanted: PlannedMessage) -> Problem:
        limit = self._policy.max_octets or 0
        error = FerryError(
            Kind.TOO_LARGE,
            f"a message of {wanted.octets:,} octets was left on the server: max_message_size is {limit:,}",
        )
        return self._context.problem_of(wanted.row, error)
