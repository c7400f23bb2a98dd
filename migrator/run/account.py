"""One account, one run: the file to open first; ``migrator.run.session`` is the second.

A run is one or more sessions at the source. ``migrator.run.relogin`` says whether there is to be another one; what the
sessions share is a ``RunContext``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from migrator.copying.copier import Copier
from migrator.errors import Endpoint, FerryError
from migrator.message.spool import make_spool
from migrator.pop3.failure import BrokenAtError
from migrator.report import AccountReport, Problem
from migrator.run.backfill import fill_destinations, report_unproven
from migrator.run.clock import look_at_the_clock
from migrator.run.context import RunContext
from migrator.run.host_limits import Place, is_refusal
from migrator.run.mailboxes import is_as_known
from migrator.run.moved_mailbox import follow_mailbox
from migrator.run.relogin import MAX_LOGINS, End, History, LogIn, next_step
from migrator.run.session import hold_session, look


def run_account(context: RunContext, *, is_dry: bool = False) -> AccountReport:
    """Copy what is new, prove every copy, delete at the source what the policy allows; report all of it.

    The caller owns the account and has looked at the clock, unless it is a dry run. What a server, a disk or a
    person may do ends in the report, not in an exception. In a dry run nothing changes anywhere, no RETR is sent, and
    the report says what would be deleted.
    """
    began = time.monotonic()
    try:
        if is_dry:
            _look(context)
            return context.counters.report(time.monotonic() - began)
        with _working(context):
            history = History(began, context.job.source.endpoint)
            step = next_step(history, context.server.profile, can_copy=context.targets.any_worth_listing_for)
            while isinstance(step, LogIn) and not context.effects.stop.wait(step.pause):
                result = hold_session(context, step)
                context.server.remember(history.learned(result, context.server.profile))
                history = history.after(result)
                step = next_step(history, context.server.profile, most_logins=context.job.policy.max_logins)
            if isinstance(step, End) and step.problem:
                context.counters.problem(step.problem)
            if isinstance(step, End) and step.note:
                context.counters.noted(step.note)
    except FerryError as error:
        context.counters.problem(error)
    if context.is_stopped and not is_dry:
        context.counters.interrupted(context.effects.stopped_by())
    return context.counters.report(time.monotonic() - began)


def _look(context: RunContext) -> None:
    """Look at the mailboxes, then say what a session would do; once more where one ended over a message's header."""
    look_at_the_clock(context, is_dry=True)
    with ExitStack() as stack:
        _hold_places(context, stack)
        for place, copier in enumerate(context.targets.copiers):
            stack.callback(copier.destination.close)
            is_as_known(context, place, copier, is_dry=True)
    for tries_left in reversed(range(MAX_LOGINS)):
        try:
            look(context)
        except BrokenAtError as error:  # nothing but TOP is said
            if not tries_left:
                raise
            context.without_top.add(error.number)
        else:
            return


@contextmanager
def _working(context: RunContext) -> Iterator[None]:
    """Have the destinations inspected and filled from each other; at the end say what was set aside."""
    make_spool(context.spool_dir)
    with ExitStack() as stack:
        places = _hold_places(context, stack)
        for place, copier in enumerate(context.targets.copiers):
            stack.callback(copier.destination.close)
            _inspect(context, place, copier)
        context.counters.has_filled(fill_destinations(context))
        context.maildrop.settle(context.targets.wishes, context.effects.clock())
        context.maildrop.let_acceptances_lapse(context.targets.grades)
        yield
        _note_turned_away(context, places)
    report_unproven(context)
    _report_set_aside(context)


def _hold_places(context: RunContext, stack: ExitStack) -> dict[Endpoint, Place]:
    """Hold a place at every server that is written to, by name: in one order, so that no two runs wait for each other.

    It is held before the run asks for one at its source.
    """
    effects = context.effects
    found = (getattr(one.destination, "endpoint", None) for one in context.targets.copiers)
    places: dict[Endpoint, Place] = {}
    for server in sorted({server for server in found if isinstance(server, Endpoint)}):
        heard = partial(effects.step, "destination.waiting")
        places[server] = stack.enter_context(effects.hosts.place(server, effects.stop, heard))
        places[server].hold()
    return places


def _note_turned_away(context: RunContext, places: Mapping[Endpoint, Place]) -> None:
    """Note which servers have refused to be written to while other runs were at them."""
    for error in context.targets.unusable.values():
        place = places.get(error.endpoint) if error.endpoint else None
        if place is not None and is_refusal(error) and place.turned_away():
            context.counters.turned_away()


def _inspect(context: RunContext, place: int, copier: Copier) -> None:
    try:
        follow_mailbox(context.ledger, copier, {one.destination.identity for one in context.targets.copiers})
        if not is_as_known(context, place, copier):
            return
        troubles = copier.inspect()
    except FerryError as error:
        context.targets.unusable[place] = error
        troubles = [error]
    for trouble in troubles:
        context.counters.problem(trouble, copier.destination.label)


def _report_set_aside(context: RunContext) -> None:
    """Name the messages over which sessions ended."""
    set_aside = context.suspects.set_aside
    unique_ids = context.maildrop.unique_ids(list(set_aside))
    problems = [(row, Problem.of(one.error, unique_id=unique_ids[row])) for row, one in set_aside.items()]
    for row, problem in problems:
        note = context.counters.not_deleted if set_aside[row].is_archived else context.counters.failed
        note(row, problem)
    context.problems.keep(problems)
