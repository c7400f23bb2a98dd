"""One account, one run: the file to open first; ``migrator.visit`` is the second.

A run is one or more sessions at the source, each of them a ``Visit`` that reads top to bottom. This module is the loop
around them: when a fault ends one, ``migrator.rounds`` says whether to log in again. What the sessions share is an
``Errand``.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from migrator.errand import Errand
from migrator.errors import FerryError
from migrator.fill import fill_destinations
from migrator.locks import account_lock
from migrator.model import MessageRow
from migrator.pop3.retrieve import RetrieveBrokenError
from migrator.report import AccountReport, Problem
from migrator.rounds import MAX_LOGINS, pause_before_retry
from migrator.transfer import Carrier
from migrator.visit import Visit


def run_account(errand: Errand, *, is_dry: bool = False) -> AccountReport:
    """Copy what is new, prove every copy, delete at the source what the policy allows; report all of it.

    What a server, a disk or a person may do ends in the report, not in an exception. In a dry run nothing changes
    anywhere, no RETR is sent, and the report says what would be deleted.
    """
    began = time.monotonic()
    try:
        if is_dry:
            errand.look_at_the_clock(is_dry=True)
            Visit(errand).look()
        else:
            with account_lock(errand.job.state_dir, errand.job.name):
                Rounds(errand).work()
    except FerryError as error:
        errand.tally.trouble(error)
    return errand.tally.report(time.monotonic() - began)


class Rounds:
    """The sessions of one run, one after the other."""

    def __init__(self, errand: Errand) -> None:
        """Prepare; nothing is touched yet."""
        self._errand = errand
        self._tried_again: set[MessageRow] = set()
        self._began = time.monotonic()

    def work(self) -> None:
        """Hold sessions until nothing is left to do, or nothing more can be done."""
        self._errand.spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._errand.look_at_the_clock()
        with ExitStack() as stack:
            for place, carrier in enumerate(self._errand.carriers):
                stack.callback(carrier.destination.close)
                self._inspect(place, carrier)
            self._errand.tally.has_filled(fill_destinations(self._errand))
            self._errand.maildrop.settle(self._errand.destinations, self._errand.around.clock())
            if len(self._errand.unusable) < len(self._errand.carriers):
                self._hold_sessions()
        self._set_aside_broken()
        if self._errand.is_stopped:
            self._errand.tally.interrupted()

    def _inspect(self, place: int, carrier: Carrier) -> None:
        try:
            troubles = carrier.inspect()
        except FerryError as error:
            self._errand.unusable[place] = error
            troubles = [error]
        for trouble in troubles:
            self._errand.tally.trouble(trouble, carrier.destination.label)

    def _hold_sessions(self) -> None:
        fault: FerryError | None = None
        faults = logins = 0
        previous: Visit | None = None
        while not self._errand.is_stopped:
            logins += 1
            visit = Visit(self._errand, is_second_try=self._begin_second_try(previous))
            try:
                visit.make()
            except FerryError as error:
                self._errand.remember()
                if previous is not None and previous.has_finished and not visit.has_listing and not self._errand.broken:
                    return  # it was only to see whether there is more
                fault, faults = error, faults + 1
                pause = pause_before_retry(error, faults, time.monotonic() - self._began)
                if pause is None or logins >= MAX_LOGINS:
                    self._give_up(error)
                    return
                if faults == MAX_LOGINS - 1 and not isinstance(error, RetrieveBrokenError):
                    # The last session is to come to its QUIT, where those before were cut off.
                    self._errand.most_messages = max(1, visit.brought // 2)
                self._errand.around.stop.wait(pause)
                previous = None
            else:
                if previous is not None and fault is None:
                    self._learn_view(previous, visit)
                self._errand.remember()
                if not self._wants_another(visit, logins):
                    return
                if fault is not None and logins >= MAX_LOGINS:
                    self._give_up(fault)
                    return
                previous = visit

    def _learn_view(self, previous: Visit, visit: Visit) -> None:
        if previous.has_finished:
            self._errand.habits = self._errand.habits.after_another_session(
                previous.listed, showed_new=visit.has_found_new
            )

    def _begin_second_try(self, previous: Visit | None) -> bool:
        """Say whether the messages that broke the line get their second try now: when all others are home."""
        untried = self._errand.broken.keys() - self._tried_again
        if previous is None or not previous.has_finished or not untried:
            return False
        self._tried_again |= untried
        return True

    def _wants_another(self, visit: Visit, logins: int) -> bool:
        if visit.is_stuck:
            return False
        if not visit.has_finished or self._errand.broken.keys() - self._tried_again:
            return True
        return visit.has_found_new and self._errand.habits.wants_another_session(visit.listed, logins)

    def _give_up(self, error: FerryError) -> None:
        if not (isinstance(error, RetrieveBrokenError) and self._errand.broken):
            self._errand.tally.trouble(error)

    def _set_aside_broken(self) -> None:
        unique_ids = self._errand.maildrop.unique_ids(list(self._errand.broken))
        problems = [(row, Problem.of(error, unique_id=unique_ids[row])) for row, error in self._errand.broken.items()]
        for row, problem in problems:
            self._errand.tally.failed(row, problem)
        if problems:
            self._errand.ledger.history.failed(problems, self._errand.around.clock())
