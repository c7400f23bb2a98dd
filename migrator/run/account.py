"""One account, one run: the file to open first; ``migrator.run.session`` is the second.

A run is one or more sessions at the source, each of them a ``Visit`` that reads top to bottom. This module is the loop
around them: when a fault ends one, ``migrator.run.relogin`` says whether to log in again. What the sessions share is an
``RunContext``.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from migrator.copying.copier import Copier
from migrator.errors import FerryError, Kind
from migrator.message.spool import make_spool
from migrator.pop3.protocol import BrokenAtError, Verb
from migrator.report import AccountReport, Problem
from migrator.run.account_lock import account_lock
from migrator.run.backfill import fill_destinations
from migrator.run.context import RunContext
from migrator.run.moved_mailbox import follow_mailbox
from migrator.run.relogin import MAX_LOGINS, PAUSE_WHERE_ALIVE, pause_before_retry
from migrator.run.session import Visit


def run_account(context: RunContext, *, is_dry: bool = False) -> AccountReport:
    """Copy what is new, prove every copy, delete at the source what the policy allows; report all of it.

    What a server, a disk or a person may do ends in the report, not in an exception. In a dry run nothing changes
    anywhere, no RETR is sent, and the report says what would be deleted.
    """
    began = time.monotonic()
    try:
        if is_dry:
            context.look_at_the_clock(is_dry=True)
            Rounds(context).look()
        else:
            with account_lock(context.job.state_dir, context.job.name):
                Rounds(context).work()
    except FerryError as error:
        context.counters.problem(error)
    return context.counters.report(time.monotonic() - began)


class Rounds:
    """The sessions of one run, one after the other."""

    def __init__(self, context: RunContext) -> None:
        """Prepare; nothing is touched yet."""
        self._context = context
        self._logins = 0
        self._idle = 0
        self._breaks = 0
        self._most_listed = 0
        self._achieved = 0
        self._achieved_at = time.monotonic()
        self._fault: FerryError | None = None
        self._previous: Visit | None = None
        self._set_aside = 0
        self._has_all = False

    def look(self) -> None:
        """Say what a session would do; once more where one ended over the header of a message."""
        for tries_left in reversed(range(MAX_LOGINS)):
            try:
                Visit(self._context).look()
            except BrokenAtError as error:  # nothing but TOP is said
                if not tries_left:
                    raise
                self._context.without_top.add(error.number)
            else:
                return

    def work(self) -> None:
        """Hold sessions until nothing is left to do, or nothing more can be done."""
        make_spool(self._context.spool_dir)
        self._context.look_at_the_clock()
        with ExitStack() as stack:
            for place, copier in enumerate(self._context.copiers):
                stack.callback(copier.destination.close)
                self._inspect(place, copier)
            self._context.counters.has_filled(fill_destinations(self._context))
            self._context.maildrop.settle(self._context.destinations, self._context.effects.clock())
            if len(self._context.unusable) < len(self._context.copiers):
                self._hold_sessions()
        self._set_aside_broken()
        if self._context.is_stopped:
            self._context.counters.interrupted()

    def _inspect(self, place: int, copier: Copier) -> None:
        try:
            follow_mailbox(self._context.ledger, copier, {one.destination.identity for one in self._context.copiers})
            troubles = copier.inspect()
        except FerryError as error:
            self._context.unusable[place] = error
            troubles = [error]
        for trouble in troubles:
            self._context.counters.problem(trouble, copier.destination.label)

    def _hold_sessions(self) -> None:
        goes_on = True
        while goes_on and not self._context.is_stopped:
            self._logins += 1
            visit = Visit(self._context, idle=self._idle)
            try:
                visit.make()
            except FerryError as error:
                goes_on = self._goes_on_after_fault(visit, error)
            else:
                goes_on = self._goes_on_after(visit)

    def _goes_on_after(self, visit: Visit) -> bool:
        """Take in a session that came to its QUIT; says whether to hold another."""
        self._note_achieved(visit)
        if self._previous is not None and self._has_all and self._fault is None:
            self._learn_view(self._previous, visit)
        self._context.remember()
        if not visit.has_finished:
            self._context.portion = self._context.portion.after_full_session()
        self._context.suspects.clear(visit.suspects_tried)
        self._previous = visit
        self._has_all = visit.has_finished and not visit.has_left_suspects
        if not self._wants_another(visit):
            return False
        if self._idle < MAX_LOGINS:
            return True
        self._context.counters.problem(
            self._fault or FerryError(Kind.TEMPORARY, "three sessions in a row brought nothing")
        )
        return False

    def _goes_on_after_fault(self, visit: Visit, error: FerryError) -> bool:
        """Take in a session that ended early; waits, and says whether to hold another."""
        self._context.remember()
        is_look = self._has_all and not visit.has_listing
        if is_look and not self._context.profile.shows_part:
            return False  # it was only to see whether there is more
        has_moved = self._note_achieved(visit)
        if visit.suspects_tried and not self._context.suspects.are_left:
            return False  # what remains is set aside by name
        pause = pause_before_retry(error, max(1, self._idle), time.monotonic() - self._achieved_at)
        if pause is None:
            self._context.counters.problem(_rest_follows(error) if is_look else error)
            return False
        self._learn_from(visit, error)
        self._fault, self._previous, self._has_all = error, None, is_look
        is_alive = has_moved or isinstance(error, BrokenAtError)
        self._context.effects.stop.wait(min(pause, PAUSE_WHERE_ALIVE) if is_alive else pause)
        return True

    def _note_achieved(self, visit: Visit) -> bool:
        """Say whether a session achieved something: brought home, deleted, or found out that it cannot be had.

        Each kind is bound by what is listed, so that a server that pretends does not keep a run going.
        """
        self._most_listed = bound = max(self._most_listed, visit.listed)
        counters, suspects = self._context.counters, self._context.suspects
        achieved = self._context.contents_handled + min(counters.deletions, bound) + min(counters.failures, bound)
        has_moved = achieved > self._achieved
        if has_moved:
            self._achieved, self._achieved_at, self._idle = achieved, time.monotonic(), 0
        elif not (visit.suspects_tried and len(suspects.set_aside) > self._set_aside):
            self._idle += 1
        self._set_aside = len(suspects.set_aside)
        return has_moved

    def _learn_from(self, visit: Visit, error: FerryError) -> None:
        """Make the next sessions shorter where these do not come to their QUIT, and ask no more what broke them."""
        self._learn_of_top(visit, error)
        is_cut = error.kind in {Kind.CONNECT, Kind.TIMEOUT} and (visit.carried or visit.shown)
        if not (is_cut or visit.marked):
            return
        self._breaks += 1
        if self._breaks > 1:  # the first time it may have been chance
            length = visit.marked or max(visit.carried, visit.shown)
            is_all_taken = visit.has_asked_to_delete
            self._context.portion = self._context.portion.shortened(length // 2 if is_all_taken else length)

    def _learn_of_top(self, visit: Visit, error: FerryError) -> None:
        match error:
            case BrokenAtError(verb=Verb.TOP, number=number):
                self._context.without_top.add(number)
            case BrokenAtError(verb=Verb.RETR) if visit.shown and not visit.carried:
                self._context.without_top.add_all()
            case _:
                pass

    def _learn_view(self, previous: Visit, visit: Visit) -> None:
        self._context.profile = self._context.profile.after_another_session(
            previous.listed, showed_new=visit.has_found_new
        )

    def _wants_another(self, visit: Visit) -> bool:
        if visit.is_stuck:
            return False
        if not self._has_all:
            return True
        return visit.has_found_new and self._context.profile.wants_another_session(visit.listed, self._logins)

    def _set_aside_broken(self) -> None:
        set_aside = self._context.suspects.set_aside
        unique_ids = self._context.maildrop.unique_ids(list(set_aside))
        problems = [(row, Problem.of(one.error, unique_id=unique_ids[row])) for row, one in set_aside.items()]
        for row, problem in problems:
            note = self._context.counters.not_deleted if set_aside[row].is_archived else self._context.counters.failed
            note(row, problem)
        if problems:
            self._context.ledger.history.failed(problems, self._context.effects.clock())


def _rest_follows(error: FerryError) -> FerryError:
    """Return what is to be said where a server shows parts of a maildrop, and does not let us see the next one."""
    return FerryError(
        error.kind,
        f"the server showed a part of the maildrop; the rest follows at the next run: {error.message}",
        server_words=error.server_words,
        scope=error.scope,
        advice=error.advice,
        wait=error.wait,
    )
