"""One account, one run: the file to open first; ``migrator.run.session`` is the second.

A run is one or more sessions at the source. ``migrator.run.relogin`` says whether there is to be another one; what the
sessions share is a ``RunContext``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from migrator.copying.copier import Copier
from migrator.errors import FerryError
from migrator.message.spool import make_spool
from migrator.pop3.protocol import BrokenAtError
from migrator.report import AccountReport, Problem
from migrator.run.account_lock import account_lock
from migrator.run.backfill import fill_destinations, report_unproven
from migrator.run.clock import look_at_the_clock
from migrator.run.context import RunContext
from migrator.run.moved_mailbox import follow_mailbox
from migrator.run.relogin import MAX_LOGINS, End, History, LogIn, next_step
from migrator.run.session import hold_session, look


def run_account(context: RunContext, *, is_dry: bool = False) -> AccountReport:
    """Copy what is new, prove every copy, delete at the source what the policy allows; report all of it.

    What a server, a disk or a person may do ends in the report, not in an exception. In a dry run nothing changes
    anywhere, no RETR is sent, and the report says what would be deleted.
    """
    began = time.monotonic()
    try:
        if is_dry:
            _look(context)
            return context.counters.report(time.monotonic() - began)
        with _working(context):
            history = History(began, context.job.source.endpoint)
            step = next_step(history, context.server.profile, can_copy=context.targets.any_usable)
            while isinstance(step, LogIn) and not context.effects.stop.wait(step.pause):
                result = hold_session(context, step)
                context.server.remember(history.learned(result, context.server.profile))
                history = history.after(result)
                step = next_step(history, context.server.profile)
            if isinstance(step, End) and step.problem:
                context.counters.problem(step.problem)
    except FerryError as error:
        context.counters.problem(error)
    return context.counters.report(time.monotonic() - began)


def _look(context: RunContext) -> None:
    """Say what a session would do; once more where one ended over the header of a message."""
    look_at_the_clock(context, is_dry=True)
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
    """Own the account, its destinations inspected and filled from each other; at the end say what was set aside."""
    with account_lock(context.job.state_dir, context.job.name):
        make_spool(context.spool_dir)
        look_at_the_clock(context)
        with ExitStack() as stack:
            for place, copier in enumerate(context.targets.copiers):
                stack.callback(copier.destination.close)
                _inspect(context, place, copier)
            context.counters.has_filled(fill_destinations(context))
            context.maildrop.settle(context.targets.wishes, context.effects.clock())
            yield
        report_unproven(context)
        _report_set_aside(context)
        if context.is_stopped:
            context.counters.interrupted()


def _inspect(context: RunContext, place: int, copier: Copier) -> None:
    try:
        follow_mailbox(context.ledger, copier, {one.destination.identity for one in context.targets.copiers})
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
