"""Counting a run so that its numbers add up: every message of the listing once, whatever happened to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrator.errors import FerryError, Kind, Scope, StoppedError
from migrator.lazy_dataclasses import replace
from migrator.message.spool import RowSet
from migrator.model import Digest, KnownMessage, MessageRow
from migrator.report import INTERRUPTED, AccountReport, Problem, Status, StoppedBy, WouldDo


def interrupted() -> FerryError:
    """Return what is said of work that a person or the system has stopped."""
    cure = "run again to go on where this run stopped"
    return FerryError(Kind.TEMPORARY, INTERRUPTED, cure=cure, scope=Scope.MESSAGE)


_PAGE_BITS = 12
_PAGE_MASK = (1 << _PAGE_BITS) - 1

_UNLISTED, _REMAINING, _KNOWN, _COPIED, _DUPLICATE, _FAILED, _SKIPPED = range(7)


class _Rows:
    """What every listed row counts as: one thing, whatever happened to it before; at first it remains."""

    def __init__(self) -> None:
        self.failed: dict[MessageRow, Problem | None] = {}
        self.skipped: dict[MessageRow, Problem | None] = {}
        self._pages: dict[int, bytearray] = {}  # by row
        self._counts = [0] * 7

    def count(self, what: int) -> int:
        """Return how many rows count as this."""
        return self._counts[what]

    @property
    def listed(self) -> int:
        """How many rows count as anything."""
        return sum(self._counts[_REMAINING:])

    def put(self, row: MessageRow, what: int) -> None:
        """Count a row as this, and as nothing else."""
        page = self._pages.get(row >> _PAGE_BITS)
        if page is None:
            page = self._pages[row >> _PAGE_BITS] = bytearray(1 << _PAGE_BITS)
        place = row & _PAGE_MASK
        before = page[place]
        if before == _FAILED:
            del self.failed[row]
        elif before == _SKIPPED:
            del self.skipped[row]
        self._counts[before] -= 1
        self._counts[what] += 1
        page[place] = what


class RunCounters:
    """The numbers of one account's run, over all its sessions."""

    def __init__(self, name: str) -> None:
        """Begin with nothing."""
        self.has_listing = False
        self.would_do: WouldDo | None = None
        self._report = AccountReport(name)
        self._settled = 0
        self._seen = RowSet()
        self._contents = RowSet()
        self._rows = _Rows()
        self._verified = RowSet()
        self._not_deleted: dict[MessageRow, Problem] = {}
        self._general: list[Problem] = []
        self._filled: set[Digest] = set()

    @property
    def name(self) -> str:
        """The account's name."""
        return self._report.name

    @property
    def handled(self) -> int:
        """How many new messages the run has dealt with so far."""
        return self._rows.count(_COPIED) + self._rows.count(_DUPLICATE) + self._rows.count(_FAILED)

    @property
    def deletions(self) -> int:
        """How many deletions are confirmed so far."""
        return self._report.deleted

    @property
    def failures(self) -> int:
        """How many new messages could not be had so far."""
        return len(self._rows.failed)

    def has_failed(self, row: MessageRow) -> bool:
        """Say whether a new message was tried in this run and could not be copied."""
        return row in self._rows.failed

    def counted(self, listing: Iterable[KnownMessage]) -> Iterator[KnownMessage]:
        """Pass a listing through, counting what no earlier session of this run showed.

        A proven message counts once for its content then: some servers give it a new unique-id in each session.
        """
        is_first, self.has_listing = not self.has_listing, True
        for message in listing:
            is_new_row = self._seen.add(message.row)
            is_new_content = not message.is_settled or self._contents.add(message.content)
            if is_new_row and (is_first or is_new_content):
                self._rows.put(message.row, _REMAINING)
                if message.is_settled:
                    self._count_settled(message)
            yield message

    def _count_settled(self, message: KnownMessage) -> None:
        if message.digest in self._filled:
            self._report.filled -= 1
            self.copied_message(message.row, message.octets, was_stored=True)
        else:
            self._rows.put(message.row, _KNOWN)

    def has_filled(self, digests: set[Digest]) -> None:
        """Count messages that were copied from one destination to another; one that is then listed counts as copied."""
        self._filled = digests
        self._report.filled = len(digests)

    def settled(self, count: int) -> None:
        """Count a whole listing in which every message is known and nothing is to be done.

        After an earlier session of the run it shows nothing new: what is settled now was counted then.
        """
        if not self.has_listing:
            self._settled = count
        self.has_listing = True

    def copied_message(self, row: MessageRow, octets: int, *, was_stored: bool) -> None:
        """Count a message that was not proven everywhere before, or took a known one's place, and now is."""
        self._rows.put(row, _COPIED if was_stored else _DUPLICATE)
        self.verified(row)
        if was_stored:
            self._report.bytes += octets

    def verified(self, row: MessageRow) -> None:
        """Count a message whose every copy was read and found equal: once, however many sessions of a run did it."""
        self._report.verified += self._verified.add(row)

    def failed(self, row: MessageRow, problem: Problem | None) -> None:
        """Count a new message that could not be copied; without a problem of its own a general one tells why."""
        self._rows.put(row, _FAILED)
        self._rows.failed[row] = problem

    def skipped(self, row: MessageRow, problem: Problem | None) -> None:
        """Count a message that a rule leaves at the source; without a problem a person has accepted it."""
        self._rows.put(row, _SKIPPED)
        self._rows.skipped[row] = problem

    def not_deleted(self, row: MessageRow, problem: Problem) -> None:
        """Note a message whose deletion is wanted and not confirmed."""
        self._not_deleted[row] = problem

    def deleted(self, rows: Iterable[MessageRow]) -> None:
        """Count confirmed deletions."""
        for row in rows:
            self._report.deleted += 1
            self._not_deleted.pop(row, None)

    def noted(self, note: str) -> None:
        """Note what a person may want to know although nothing went wrong; the same note is made once."""
        if note not in self._report.notes:
            self._report.notes.append(note)

    def problem(self, error: FerryError, destination: str | None = None) -> None:
        """Note what concerns no single message; the same problem is reported once."""
        if isinstance(error, StoppedError):
            self.interrupted()
            return
        problem = Problem.of(error, destination=destination)
        if problem not in self._general:
            self._general.append(problem)
            known = self._report.for_schedule
            self._report.for_schedule = replace(known, error=known.error or error)

    def announced(self, login_delay: float | None) -> None:
        """Note what a session's server says of the time between two log-ins."""
        self._report.for_schedule = replace(self._report.for_schedule, login_delay=login_delay or 0.0)

    def turned_away(self) -> None:
        """Note that a destination refused the run while others of this process were there."""
        self._report.for_schedule = replace(self._report.for_schedule, is_turned_away=True)

    def interrupted(self, by: StoppedBy = StoppedBy.SYSTEM) -> None:
        """Note that a person or the system ended the run early."""
        self._report.interrupted = True
        self._report.for_schedule = replace(self._report.for_schedule, stopped_by=by)
        self.problem(interrupted())

    def report(self, seconds: float) -> AccountReport:
        """Add everything up."""
        report = self._report
        rows = self._rows
        report.listed = self._settled + rows.listed
        report.known = self._settled + rows.count(_KNOWN)
        report.copied, report.duplicates = rows.count(_COPIED), rows.count(_DUPLICATE)
        report.failed, report.skipped = rows.count(_FAILED), rows.count(_SKIPPED)
        done = report.known + report.copied + report.duplicates + report.failed + report.skipped
        report.remaining = report.listed - done
        report.seconds = seconds
        report.would_do = self.would_do
        report.problems = [
            *self._general,
            *(problem for problem in self._rows.failed.values() if problem is not None),
            *self._not_deleted.values(),
            *(problem for problem in self._rows.skipped.values() if problem is not None),
        ]
        report.status = self._status()
        return report

    def _status(self) -> Status:
        if self._general and not self.has_listing:
            is_only_stopped = self._report.interrupted and len(self._general) == 1
            return Status.PARTIAL if is_only_stopped else Status.FAILED
        return Status.PARTIAL if self._general or self._rows.failed or self._not_deleted else Status.OK
