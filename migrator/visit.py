"""One session at a source, from log-in to QUIT: list, plan, retrieve and deliver, prove what is to go, delete.

Two rules make it safe. The ledger is written before any effect that would be unsafe unrecorded. And when in doubt
the line is dropped without QUIT: only QUIT makes DELE real (RFC 1939, section 6), so hanging up takes nothing back
that was proven and deletes nothing that was not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import chain

from migrator import farewell
from migrator.errand import Errand
from migrator.errors import FerryError, Kind
from migrator.haul import Haul
from migrator.model import KnownMessage, MessageRow
from migrator.plan import Column, Plan, Step, Wanted, decide, make_plan
from migrator.policy import Keep, SourceProof
from migrator.pop3.listing import Listing
from migrator.pop3.session import Session
from migrator.recognition import recognise
from migrator.report import Problem, WouldDelete

SLICE_SECONDS = 300.0
"""After so long a session that deletes is brought to its QUIT, so that a dropped line undoes little."""


class Visit:
    """One session of a run, and what came of it."""

    def __init__(self, errand: Errand, *, is_second_try: bool = False) -> None:
        """Prepare; nothing is touched yet. A second try is for the messages that broke the line before."""
        self._errand = errand
        self._is_second_try = is_second_try
        self._tally = errand.tally
        self._ledger = errand.maildrop
        self._policy = errand.policy.after(errand.tally.handled)
        self._began = time.monotonic()
        self._changed_before: set[MessageRow] = set()
        self._has_nameless = False
        self._has_taken_all = False
        self.listed = 0
        self.brought = 0
        self.deleted = 0
        self.has_listing = False
        self.has_found_new = False
        self.has_finished = False
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
            self._errand.facts = session.facts

    def look(self) -> None:
        """Say what a session would do, and hang up."""
        session = self._open()
        try:
            with closing(session.listing()) as listing:
                self._match(session, listing)
            shown: dict[MessageRow, WouldDelete] = {}
            plan = self._plan(self._may_go(self._tally.counted(self._known()), shown))
            self._tally.would_delete = [shown[row] for row in sorted(self._would_go(plan))]
        finally:
            session.abandon()

    def _open(self) -> Session:
        job = self._errand.job
        session = self._errand.around.open_session(job.source, job.password, self._errand.facts)
        self._errand.around.step("source.open")
        return session

    def _hold(self, session: Session) -> None:
        with closing(session.listing(self._errand.spool_dir)) as listing:
            self._work_through(session, listing)

    def _work_through(self, session: Session, listing: Listing) -> None:
        self.has_listing, self.listed = True, listing.count
        key = self._settled_key(listing)
        if (count := self._ledger.settled(key, self._errand.around.clock())) is not None:
            self._tally.settled(count)
            self.has_finished = True
            farewell.delete(self._errand, session, {}, self.listed)
            return
        self._match(session, listing)
        self._tally.deleted(self._ledger.note(self._errand.around.clock()))
        self._errand.around.step("listing.noted")
        handled_before = self._errand.contents_handled
        plan = self._plan(self._tally.counted(self._known()))
        may_delete = self._may_delete(plan)
        with closing(Haul(self._errand, session, self._changed_before, plan.messages, may_delete=may_delete)) as haul:
            self._work(session, plan, haul, plan.delete if may_delete else Column())
        self.has_found_new = self._errand.contents_handled > handled_before
        if self.has_finished and self.deleted == 0 and self._is_settled(plan, haul):
            until = min(plan.settled_until, self._policy.next_due(self._errand.around.clock()))
            self._ledger.listing_settled(key, listing.count, until)

    def _settled_key(self, listing: Listing) -> bytes:
        """Return what an unchanged listing under an unchanged wish is known by."""
        wish = repr((self._policy, self._errand.destinations))
        return sha256(listing.fingerprint + wish.encode()).digest()

    def _work(self, session: Session, plan: Plan, haul: Haul, due: Column) -> None:
        """Bring home what is new, prove what is due, delete it, QUIT."""
        try:
            if due and self._policy.source_proof is SourceProof.HEADERS:
                due = farewell.prove_by_headers(self._errand, session, haul, due)
            self._errand.around.progress.planned(self._tally.name, plan.messages, plan.octets)
            haul.fetch(self._sliced(chain(plan.retrieve, plan.complete, due)), plan.complete, due)
        finally:
            self.brought, self.is_stuck = haul.brought, haul.is_stuck
        if self._errand.is_stopped:
            session.abandon()
            return
        self.deleted = farewell.delete(self._errand, session, haul.deletable, self.listed)
        self.has_finished = self._has_taken_all

    def _may_delete(self, plan: Plan) -> bool:
        new = len(plan.retrieve) + len(plan.complete)
        wanted = len(plan.delete) + (new if self._policy.deletes_at_once else 0)
        return not farewell.too_many(self._errand, self._tally.deletions + wanted)

    def _sliced(self, wanted: Iterator[Wanted]) -> Iterator[Wanted]:
        """Pass on what this session is to retrieve: not what broke the line before, and not longer than is wise."""
        for place, message in enumerate(wanted):
            if self._is_long_enough(place):
                return
            if self._is_second_try or message.row not in self._errand.broken:
                yield message
        self._has_taken_all = True

    def _is_long_enough(self, messages: int) -> bool:
        """Say whether to come to QUIT now; where nothing is deleted a dropped line undoes nothing."""
        if isinstance(self._policy.leave_on_server, Keep):
            return False
        return time.monotonic() - self._began > SLICE_SECONDS or messages >= self._errand.most_messages

    def _is_settled(self, plan: Plan, haul: Haul) -> bool:
        """Say whether the same listing means that there is nothing to do: never by sizes alone, without unique-ids."""
        if self._has_nameless:
            return False
        is_done = self.brought == len(plan.retrieve) + len(plan.complete) and not haul.has_changes
        return is_done and not (plan.delete or plan.oversized or plan.waiting or plan.accepted or plan.beyond_limit)

    def _match(self, session: Session, listing: Listing) -> None:
        """Hold the listing against what is known, by unique-id and octets, then by headers where all ids changed."""
        if self._ledger.match(listing) == listing.count:
            recognise(session, self._ledger)

    def _known(self) -> Iterator[KnownMessage]:
        return self._ledger.listed(self._errand.destinations)

    def _plan(self, messages: Iterator[KnownMessage]) -> Plan:
        plan = make_plan(self._noted(messages), self._policy, self._errand.around.clock())
        for wanted in plan.oversized:
            self._tally.skipped(wanted.row, self._too_large(wanted))
        problems = self._errand.ledger.history.problems([wanted.row for wanted in plan.waiting])
        for row, problem in problems.items():
            self._tally.failed(row, problem)
        return plan

    def _noted(self, messages: Iterator[KnownMessage]) -> Iterator[KnownMessage]:
        """Pass messages through, keeping what the plan has no room for."""
        for message in messages:
            self._has_nameless |= not message.unique_id
            if message.failure == Kind.CHANGED:
                self._changed_before.add(message.row)
            if message.is_accepted and not message.is_settled:
                self._tally.skipped(message.row, None)
            yield message

    def _may_go(self, messages: Iterator[KnownMessage], shown: dict[MessageRow, WouldDelete]) -> Iterator[KnownMessage]:
        """Pass messages through, showing what the policy would delete if nothing else stood in the way."""
        now = self._errand.around.clock()
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

    def _too_large(self, wanted: Wanted) -> Problem:
        limit = self._policy.max_octets or 0
        error = FerryError(
            Kind.TOO_LARGE,
            f"a message of {wanted.octets:,} octets was left on the server: max_message_size is {limit:,}",
        )
        return self._errand.problem_of(wanted.row, error)
