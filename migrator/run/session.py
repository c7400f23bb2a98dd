"""One session at a source, from log-in to QUIT: list, plan, retrieve and copy, prove what is to go, delete.

Two rules make it safe. The ledger is written before any effect that would be unsafe unrecorded. And when in doubt
the line is dropped without QUIT: only QUIT makes DELE real (RFC 1939, section 6), so hanging up takes nothing back
that was proven and deletes nothing that was not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from hashlib import sha256
from itertools import chain

from migrator.copying.fan_out import FanOut
from migrator.errors import Correction, FerryError, Kind
from migrator.events import event
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger.lease import EFFECT_SECONDS, LeaseLostError
from migrator.net.login_order import LoginMemory
from migrator.net.stream import open_stream
from migrator.policy import Keep, Policy, SourceProof
from migrator.pop3.listing import Listing
from migrator.pop3.opening import NotOpenedError
from migrator.pop3.session import Session
from migrator.report import WouldDelete, WouldDo
from migrator.run.context import RunContext
from migrator.run.deletion import count_deletable, delete, end_without_deleting, too_many
from migrator.run.deletion_rule import Allowance, DeletionRules
from migrator.run.fetch import Fetcher, fan_out_to
from migrator.run.header_proof import prove_by_headers
from migrator.run.plan import Column, Plan, PlannedMessage, make_plan
from migrator.run.recheck import Recheck
from migrator.run.record import Recorder
from migrator.run.relogin import Ended, LogIn, Reach, SessionResult, SuspectsTried
from migrator.run.rematch import rematch
from migrator.run.selection import Selection

_LOG = logging.getLogger("migrator.run")


def hold_session(context: RunContext, entry: LogIn) -> SessionResult:
    """Hold one session to its end, or to what ends it early; what was done until then is recorded."""
    course = _Course(context, entry)
    try:
        with _opened(context) as session:
            course.session = session
            with closing(session.listing(context.spool_dir)) as listing:
                work = _plan(context, course, session, listing)
                if work is None:
                    end_without_deleting(context, session)
                    return course.result(Ended.UNCHANGED)
                with fan_out_to(context, session, work.plan.messages) as fan_out:
                    due, shown = _prove_by_headers(context, course, session, fan_out, work)
                    recorder = _recorder(context, fan_out, work, due, shown)
                    fetcher = Fetcher(context, session, fan_out, recorder)
                    fetcher.fetch(_selected(context, course, work, due, recorder))
                    return _finish(context, course, session, work, recorder, listing)
    except FerryError as error:
        return course.broken(error)


def look(context: RunContext) -> None:
    """Say what a session would do, and hang up."""
    with _opened(context) as session:
        with closing(session.listing()) as listing:
            _match(context, session, listing)
        policy = context.policy.after(context.counters.handled)
        plan = _plan_listed(context, policy, context.effects.clock())
        rows = {message.row for message in _would_go(context, plan, policy)}
        would_go = [message for message in context.maildrop.listed(context.targets.wishes) if message.row in rows]
        would_go.sort(key=lambda message: message.row)
        deletions = [WouldDelete(one.unique_id, one.octets, one.digest) for one in would_go]
        wanted = [plan.retrieve, plan.complete] if context.targets.any_usable else []
        copies, octets = sum(map(len, wanted)), sum(column.octets for column in wanted)
        context.counters.would_do = WouldDo(copies, octets, deletions)


@contextmanager
def _opened(context: RunContext) -> Iterator[Session]:
    """Log in once the server has a place for us; on leaving the line is closed, and what was learned is kept."""
    before, effects = context.server.profile.login, context.effects
    with effects.hosts.place(
        context.job.source.endpoint, effects.stop, lambda: effects.step("source.waiting")
    ) as place:
        session = place.open(lambda: _open(context))
        effects.step("source.open")
        _tell_opened(context, session, before)
        session.without_top = context.without_top
        try:
            yield session
        finally:
            session.abandon()
            context.server.profile = session.profile
            context.counters.announced(session.capabilities.login_delay)


def _open(context: RunContext) -> Session:
    """Log in with what is known of the server by now; what a vain attempt tells of it is kept, too."""
    job = context.job
    try:
        connect = partial(open_stream, stop=context.effects.stop)
        return context.effects.open_session(job.source, job.password, context.server.profile, connect=connect)
    except NotOpenedError as error:
        context.server.profile = error.profile
        raise


def _tell_opened(context: RunContext, session: Session, before: LoginMemory) -> None:
    source, login = context.job.source, session.profile.login
    facts: dict[str, object] = {"account": context.job.name, "host": source.host, "port": source.port}
    event(_LOG, "session.opened", level=logging.DEBUG, **facts)
    if login.worked and before.makes_weaker(login.worked):
        event(_LOG, "login.weaker", level=logging.WARNING, **facts, auth=login.worked, before=before.worked)
        context.counters.noted(
            f"{source.host} took {before.worked} before, and now only {login.worked}, which protects the password less"
        )


class _Course:
    """What one session has come to so far."""

    def __init__(self, context: RunContext, entry: LogIn) -> None:
        self.session: Session | None = None
        self.has_listing = False
        self.listed = 0
        self.is_deleting = False
        self.selection = Selection(
            context.suspects,
            context.counters,
            entry.portion,
            idle=entry.idle,
            may_take_long=isinstance(context.policy.leave_on_server, Keep),
        )
        self._context = context
        self._before = self._standing()

    def _standing(self) -> tuple[int, int, int, int]:
        context = self._context
        counters = context.counters
        return context.handled.count, counters.deletions, counters.failures, len(context.suspects.set_aside)

    def result(self, ended: Ended) -> SessionResult:
        """Return what came of a session that ended as it should."""
        self._context.suspects.clear(self.selection.tried)
        return self._result(ended, are_left=self.selection.has_left_suspects)

    def broken(self, error: FerryError) -> SessionResult:
        """Return what came of a session that ended early."""
        result = self._result(error, are_left=self._context.suspects.are_left)
        self._context.without_top.learn(error, result.reach.shown, result.reach.retrieved)
        return result

    def _result(self, ended: Ended | FerryError, *, are_left: bool) -> SessionResult:
        differences = [now - before for now, before in zip(self._standing(), self._before, strict=True)]
        fetched, deleted, failed, set_aside = differences
        session = self.session
        return SessionResult(
            ended,
            time.monotonic(),
            self.has_listing,
            self.listed,
            fetched,
            deleted,
            failed,
            Reach(session.retrieved, session.shown, session.marked, self.is_deleting) if session else Reach(),
            SuspectsTried(len(self.selection.tried), set_aside, are_left),
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """What a session is to do: decided once, from its listing."""

    plan: Plan
    policy: Policy
    rules: DeletionRules
    now: float
    key: bytes
    """What an unchanged listing is known by, under an unchanged wish and with destinations that hold what they held."""


def _plan(context: RunContext, course: _Course, session: Session, listing: Listing) -> _Work | None:
    """Note the listing and plan by it; None where it is one in which nothing was left to do."""
    course.has_listing = True
    now, policy = context.effects.clock(), context.policy.after(context.counters.handled)
    wishes = context.targets.wishes
    wish = repr((policy, wishes, context.maildrop.revisions(wishes)))
    key = sha256(listing.fingerprint + wish.encode()).digest()
    count = context.maildrop.settled(key, now)
    if count is not None:
        course.listed = count
        context.counters.settled(count)
        event(_LOG, "listing.taken", level=logging.DEBUG, account=context.job.name, messages=count, unchanged=True)
        return None
    course.listed = listing.count
    if doubt := listing.doubt:
        context.counters.problem(doubt)
    _match(context, session, listing)
    _note(context, now)
    plan = _plan_listed(context, policy, now)
    _tell_listing(context, listing, plan)
    return _Work(plan, policy, _rules(context, plan, policy), now, key)


def _match(context: RunContext, session: Session, listing: Listing) -> None:
    """Hold the listing against what is known, by unique-id and octets, then by headers where all ids changed."""
    if context.maildrop.match(listing) == listing.count:
        rematch(session, context.maildrop)


def _note(context: RunContext, now: float) -> None:
    """Note the listing in the ledger; what it lacks and was to be deleted is deleted."""
    gone = context.maildrop.note(now)
    context.counters.deleted(gone)
    if gone:
        confirmed = {"messages": len(gone), "by": "the listing"}
        event(_LOG, "deletions.confirmed", level=logging.DEBUG, account=context.job.name, **confirmed)
    context.effects.step("listing.noted")


def _tell_listing(context: RunContext, listing: Listing, plan: Plan) -> None:
    counts = {
        "messages": listing.count,
        "octets": listing.octets,
        "unchanged": False,
        "to_retrieve": len(plan.retrieve) + len(plan.complete),
        "due": len(plan.delete),
    }
    event(_LOG, "listing.taken", level=logging.DEBUG, account=context.job.name, **counts)


def _plan_listed(context: RunContext, policy: Policy, now: float) -> Plan:
    """Plan for the listing that was matched, and tell the run what the plan leaves out."""
    plan = make_plan(context.counters.counted(context.maildrop.listed(context.targets.wishes)), policy, now)
    for message in plan.accepted:
        context.counters.skipped(message.row, None)
    for row in plan.broke_before:
        context.suspects.recall(row)
    for message in plan.oversized:
        context.counters.skipped(message.row, context.problems.of(message.row, _too_large(message, policy)))
    for row, problem in context.ledger.history.problems([message.row for message in plan.waiting]).items():
        context.counters.failed(row, problem)
    return plan


def _too_large(wanted: PlannedMessage, policy: Policy) -> FerryError:
    return FerryError(
        Kind.TOO_LARGE,
        f"a message of {wanted.octets:,} octets was left on the server: max_message_size is {policy.max_octets or 0:,}",
        settings=(Correction("max_message_size", f"{wanted.octets // 1000 + 1} kB"),),
    )


def _rules(context: RunContext, plan: Plan, policy: Policy) -> DeletionRules:
    """Return what the run may do at the source; that it wants more than it may is reported."""
    new = len(plan.retrieve) + len(plan.complete) if policy.deletes_at_once else 0
    allowance = Allowance(context.counters.deletions + len(plan.delete) + new, policy.max_delete)
    if allowance.is_exceeded:
        context.counters.problem(too_many(allowance))
    wish = context.job.policy.leave_on_server
    return DeletionRules(wish, policy.source_proof, allowance, is_clock_trusted=context.is_clock_trusted)


def _would_go(context: RunContext, plan: Plan, policy: Policy) -> Iterator[PlannedMessage]:
    """Yield what a run with this plan would delete: it may be limited, or not allowed to delete that many."""
    if not (context.targets.unusable or _rules(context, plan, policy).allowance.is_exceeded):
        new = chain(plan.retrieve, plan.complete) if policy.deletes_at_once else ()
        yield from chain(plan.delete, new)


def _prove_by_headers(
    context: RunContext, course: _Course, session: Session, fan_out: FanOut, work: _Work
) -> tuple[Column, Column]:
    """Return the due messages that are to be proven by their content, and those that headers have proven."""
    if work.rules.allowance.is_exceeded or context.targets.unusable:
        return Column(), Column()  # nothing of it may go, so it need not be read
    due = work.plan.delete
    if not due or work.policy.source_proof is not SourceProof.HEADERS:
        return due, Column()
    portion, held = course.selection.for_headers(due)
    by_content, shown = prove_by_headers(context, session, fan_out, portion)
    by_content.extend(held)
    return by_content, shown


def _recorder(context: RunContext, fan_out: FanOut, work: _Work, due: Column, shown: Column) -> Recorder:
    known = context.maildrop.contents([message.row for message in chain(work.plan.complete, due)])
    recheck = Recheck(known, work.plan.changed_before, fan_out, context.problems.of)
    return Recorder(context, recheck, work.now, due={message.row for message in due}, shown=shown)


def _selected(
    context: RunContext, course: _Course, work: _Work, due: Column, recorder: Recorder
) -> Iterator[PlannedMessage]:
    plan = work.plan
    context.effects.progress.planned(context.job.name, plan.messages, plan.octets)
    taken = count_deletable(recorder.proven, work.rules, work.now)
    return course.selection.messages([plan.retrieve, plan.complete, due], taken)


def _finish(
    context: RunContext, course: _Course, session: Session, work: _Work, recorder: Recorder, listing: Listing
) -> SessionResult:
    """Delete what may go, QUIT, and note whether an unchanged listing will need no work."""
    is_owner = context.ledger.lease.holds(EFFECT_SECONDS)
    rules = replace(work.rules, is_stopped=context.is_stopped, is_owner=is_owner)
    if rules.is_stopped:
        return course.result(Ended.STOPPED)
    if not rules.is_owner:
        raise LeaseLostError("QUIT")
    proven = recorder.proven
    course.is_deleting = count_deletable(proven, rules, work.now) > 0
    deleted = delete(context, session, proven, rules, work.now)
    is_complete = course.selection.is_complete
    if is_complete and deleted == 0 and not listing.doubt and _is_settled(work.plan, recorder):
        until = min(work.plan.settled_until, work.policy.next_due(context.effects.clock()))
        context.maildrop.listing_settled(work.key, listing.count, until)
    if not context.targets.any_usable:
        return course.result(Ended.STUCK)
    return course.result(Ended.COMPLETE if is_complete else Ended.PORTION)


def _is_settled(plan: Plan, recorder: Recorder) -> bool:
    """Say whether the same listing means that there is nothing to do: never by sizes alone, without unique-ids."""
    if plan.has_nameless or recorder.recorded < len(plan.retrieve) + len(plan.complete) or recorder.has_changes:
        return False
    return not (plan.delete or plan.oversized or plan.waiting or plan.accepted or plan.beyond_limit)
