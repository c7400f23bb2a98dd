"""Deleting at its provider what is left of a mailbox: an ordinary run, in which a message may go once it is proven.

The rule of deletion is that of every run (``migrator.run.deletion_rule``). The number that a person has typed is the
most that the run may delete: one message more, and it deletes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from jobs.maintenance.upkeep import StoppedError
from jobs.schedule.stop import Stop
from jobs.schedule.worked_elsewhere import note_runs
from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.leaving import blocking, checklist
from jobs.web.leaving_facts import facts_of
from jobs.web.locale_format import number as in_digits
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Progress as TaskProgress, Task
from migrator.config import Account
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger import Ledger
from migrator.operations.migrate import Watching, migrate_accounts
from migrator.policy import DeleteWhenVerified
from migrator.report import AccountReport, Status, StoppedBy
from migrator.wiring.account import RunLimits

PATIENCE_SECONDS = 1800.0
"""How long a run of the schedule is waited for."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Leave:
    """The most messages that may be deleted."""

    at_most: int

    def as_details(self) -> str:
        """Return what is written down of it."""
        return json.dumps({"at_most": self.at_most})

    @classmethod
    def of(cls, task: Task) -> Leave:
        """Return what a task was asked for."""
        return cls(int(json.loads(task.details)["at_most"]))


class Cancelled(Stop):
    """What ends the run: set once the task is to stop."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        super().__init__()
        self._should_stop = should_stop

    def is_set(self) -> bool:
        """Say whether the run is to end."""
        if not super().is_set() and self._should_stop():
            self.by = StoppedBy.PERSON
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in short steps, so that a pause between two sessions ends as soon as the task is cancelled."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _LOOK_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                return False
            super().wait(min(left, _LOOK_SECONDS))
        return True


class _Followed:
    """The progress of the run, as the task's."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._done = 0
        self._planned = 0

    def planned(self, account: str, messages: int, octets: int) -> None:  # noqa: ARG002  # a Progress
        """Note how many messages are to be read."""
        self._planned += messages

    def advanced(self, account: str, messages: int, octets: int) -> None:  # noqa: ARG002  # a Progress
        """Note how many of them were."""
        self._done += messages
        self._hands.note_progress(TaskProgress(self._done, max(self._planned, self._done)))


def _leave(task: Task, hands: Hands) -> str:
    [account] = hands.config.select([task.subject])
    stop = Cancelled(hands.should_stop)
    _wait_for_run(account, hands, stop)
    with hands.worker.ledger.lent() as ledger:
        left = blocking(checklist(facts_of(account, hands.worker, ledger, hands.clock())))
    if left:
        raise FerryError(Kind.REFUSED, _("Nothing was deleted. %(why)s") % {"why": " ".join(one.says for one in left)})
    wish = replace(account.source, leave_on_server=DeleteWhenVerified())

    def afterwards(ledger: Ledger, reports: Sequence[AccountReport]) -> None:
        note_runs(ledger.state_store, reports, hands.clock())

    at_most = Leave.of(task).at_most
    [report] = migrate_accounts(
        hands.config,
        [replace(account, source=wish)],
        RunLimits(deletions=at_most),
        Watching(stop, _Followed(hands), stopped_by=lambda: stop.by),
        afterwards=afterwards,
    )
    hands.worker.look_again()
    if not report.deleted:
        _refuse_more(account, hands, at_most)
    if report.interrupted and hands.should_stop():
        raise StoppedError(f"{_deleted(report)}.")
    return _in_words(report)


def _refuse_more(account: Account, hands: Hands, at_most: int) -> None:
    """Say that more messages are there than somebody has allowed to delete, if that is so."""
    with hands.worker.ledger.lent() as ledger:
        safe = ledger.history.numbers(account.name).safe
    if safe > at_most:
        said = _("%(safe)s messages are at the provider now, more than the %(typed)s that were typed: none was deleted")
        raise FerryError(Kind.REFUSED, said % {"safe": in_digits(safe), "typed": in_digits(at_most)})


def _wait_for_run(account: Account, hands: Hands, stop: Stop) -> None:
    """Wait for the run of the schedule that works the mailbox, if one does; raises ``locked`` after a long while."""
    until = time.monotonic() + PATIENCE_SECONDS
    while account.name in hands.worker.progress():
        hands.refuse_stopped()
        if time.monotonic() > until:
            raise FerryError(Kind.LOCKED, _("a run of the mailbox goes on all the time: stop it, and ask again"))
        stop.wait(_LOOK_SECONDS)


def _in_words(report: AccountReport) -> str:
    """Say what was deleted; raises ``FerryError`` where something went wrong, with the same sentence."""
    if report.status is Status.OK:
        return f"{_deleted(report)}."
    why = "; ".join(dict.fromkeys(problem.message for problem in report.problems))
    kind = report.problems[0].kind if report.problems else Kind.INTERNAL
    raise FerryError(kind, f"{_deleted(report)}: {why}.")


def _deleted(report: AccountReport) -> str:
    if not report.deleted:
        return _("Nothing was deleted at the provider")
    return ngettext(
        "%(number)s message was deleted at the provider; it has a receipt",
        "%(number)s messages were deleted at the provider; each has a receipt",
        report.deleted,
    ) % {"number": in_digits(report.deleted)}


LEAVE = TaskKind("leave", gettext_lazy("Delete the rest at the provider"), _leave, see="/receipts")
