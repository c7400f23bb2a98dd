"""A run in words: one line per account whose numbers add up, and below it what went wrong, grouped, with the cure.

Pure: reports in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.errors import Kind
from migrator.report import INTERRUPTED, AccountReport, Described, Problem, Status, WouldDelete, shown_unique_id
from migrator.ui.text import cut, plain, plural, size, span

if TYPE_CHECKING:
    from migrator.model import Digest

MAX_GROUPS = 20
MAX_NAMED = 3

_WHAT_IS_WRONG = {
    "archive-missing": "its archive is missing",
    "archive-changed": "its archive was changed by another program",
    "archive-read-only": "its archive cannot be written to",
    "mailbox-missing": "its mailbox is missing",
    "disk-full": "the disk is full",
    "quota-full": "there is no room left in its mailbox",
}
"""The problem of an account with nothing new, by the finding that it becomes."""

_WHAT_KIND_IS_WRONG = {
    Kind.ARCHIVE: "its archive is not as it should be",
    Kind.DISK_FULL: "the disk is full",
    Kind.QUOTA: "there is no room left in its mailbox",
}

_WORDS = {Status.OK: "done", Status.PARTIAL: "NOT EVERYTHING WAS DONE", Status.FAILED: "FAILED"}


def account_line(report: AccountReport) -> str:
    """Return the line that adds up: every message of the server once, then what was verified and deleted."""
    if report.status is Status.FAILED and not report.listed:
        return f"{report.name}: FAILED, nothing was changed"
    if report.interrupted and not report.listed and not report.filled:
        return f"{report.name}: interrupted before anything was changed; run again to go on"
    if _has_nothing_but_trouble(report):
        safe = f" ({report.listed:,} on the server, all safe)" if report.listed else ""
        return f"{report.name}: nothing new{safe}, but {_trouble(report.problems[0])}"
    parts = [
        plural(report.copied, "copied", "copied"),
        plural(report.duplicates, "duplicate"),
        plural(report.skipped, "skipped", "skipped"),
        plural(report.failed, "failed", "failed"),
        plural(report.remaining, "remaining", "remaining"),
    ]
    sentences = [
        f"{report.listed:,} on the server = {report.known:,} already safe + {report.new:,} new",
        f"{report.new:,} new = {' + '.join(parts)}",
        f"{report.verified:,} verified, {report.deleted:,} deleted",
    ]
    if not report.new:
        del sentences[1]  # 0 = 0 + 0 + 0 + 0 + 0 tells nobody anything
    if would := report.would_do:
        sentences[-1:] = [f"a real run would copy {would.copies:,} and delete {len(would.deletions):,}"]
    if report.filled:
        sentences.append(f"{report.filled:,} older ones copied to a new destination")
    volume = f" ({size(report.bytes)} in {span(report.seconds)})" if report.bytes else f" ({span(report.seconds)})"
    return f"{report.name}: {_word(report)}: {'; '.join(sentences)}{volume}"


def is_well(report: AccountReport) -> bool:
    """Say whether there is nothing about a run that a person would want to look at."""
    return report.status is Status.OK and not report.interrupted and not report.notes


def brief_line(report: AccountReport) -> str:
    """Return the line of an account that is well, among many: short enough for one line of a terminal."""
    if would := report.would_do:
        return f"{report.name}: dry run: would copy {would.copies:,}, delete {len(would.deletions):,}"
    numbers = [
        (report.copied, "copied"),
        (report.duplicates, "duplicate" if report.duplicates == 1 else "duplicates"),
        (report.filled, "copied to a new destination"),
        (report.skipped, "skipped"),
        (report.remaining, "remaining"),
        (report.deleted, "deleted"),
    ]
    done = ", ".join(f"{number:,} {what}" for number, what in numbers if number)
    volume = f"{size(report.bytes)} in {span(report.seconds)}" if report.bytes else span(report.seconds)
    return f"{report.name}: done: {done or f'nothing new, {report.listed:,} on the server'} ({volume})"


def _has_nothing_but_trouble(report: AccountReport) -> bool:
    """Say whether the numbers of a run tell nothing, and its problems all."""
    is_idle = not (report.new or report.deleted or report.verified or report.filled or report.interrupted)
    return report.status is Status.PARTIAL and is_idle and report.would_do is None and bool(report.problems)


def _trouble(problem: Problem) -> str:
    known = _WHAT_IS_WRONG.get(problem.finding) or _WHAT_KIND_IS_WRONG.get(problem.kind)
    return known or "not everything was done"


def _word(report: AccountReport) -> str:
    if report.would_do:
        return "dry run"
    return "interrupted" if report.interrupted else _WORDS[report.status]


def problem_lines(report: AccountReport, *, is_complete: bool = False) -> list[str]:
    """Return what went wrong, equal problems together; ``is_complete`` names every message."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in report.problems:
        if problem.message.startswith(INTERRUPTED) and not report.listed:
            continue  # the account's line says so
        key = (str(problem.kind), problem.message, problem.destination or "")
        groups.setdefault(key, []).append(problem)
    lines = [_problem_line(group, is_complete=is_complete) for group in groups.values()]
    if is_complete or len(lines) <= MAX_GROUPS:
        return lines
    rest = len(lines) - MAX_GROUPS
    return [*lines[:MAX_GROUPS], f"  ... and {plural(rest, 'more problem')}; see mailferry quarantine, or add -v"]


def _problem_line(group: Sequence[Problem], *, is_complete: bool) -> str:
    first = group[0]
    uids = [shown_unique_id(problem.unique_id) for problem in group if problem.unique_id is not None]
    named = uids if is_complete else uids[:MAX_NAMED]
    more = f" and {len(uids) - len(named)} more" if len(uids) > len(named) else ""
    subject = f"{'message' if len(uids) == 1 else 'messages'} {', '.join(named)}{more}" if uids else ""
    place = f"in {first.destination}" if first.destination else ""
    where = " ".join(part for part in (subject, place) if part)
    return plain(f"  [{first.kind}] {f'{where}: ' if where else ''}{first.message}")


def note_lines(report: AccountReport) -> list[str]:
    """Return what a person may want to know although nothing went wrong."""
    return [plain(f"  note: {note}") for note in report.notes]


def would_delete_lines(
    report: AccountReport, about: Mapping[Digest, Described], *, is_complete: bool = False
) -> Iterator[str]:
    """Say what a dry run would delete, message by message; ``about`` is what is known of those that are archived."""
    messages = report.would_do.deletions if report.would_do else ()
    shown = named_deletions(report, is_complete=is_complete)
    for message in shown:
        known = about.get(message.digest) if message.digest else None
        words = f": {_described(known)}" if known else ""
        yield plain(f"  would delete {shown_unique_id(message.unique_id)}{words} ({size(message.octets)})")
    if len(messages) > len(shown):
        yield f"  ... and would delete {len(messages) - len(shown):,} more (-v names them all)"


def named_deletions(report: AccountReport, *, is_complete: bool) -> Sequence[WouldDelete]:
    """Return the messages that a dry run names as to be deleted."""
    messages = report.would_do.deletions if report.would_do else ()
    return messages if is_complete else messages[:MAX_GROUPS]


def _described(known: Described) -> str:
    """Return date, sender and subject, as far as there are any."""
    day = "" if known.date is None else f"{datetime.fromtimestamp(known.date, UTC).astimezone():%Y-%m-%d}"
    sender = cut(known.sender, 40) if known.sender else "nobody"
    return ", ".join(filter(None, (day, sender, cut(known.subject, 60) or "no subject")))


def dry_total_line(reports: Sequence[AccountReport]) -> str:
    """Return what a dry run ends with, over all accounts."""
    would = [report.would_do for report in reports if report.would_do]
    octets = sum(one.octets for one in would)
    copies = f"{sum(one.copies for one in would):,}{f' ({size(octets)})' if octets else ''}"
    deletions = sum(len(one.deletions) for one in would)
    unseen = len(reports) - len(would)
    but = f"; {plural(unseen, 'account')} could not be looked at" if unseen else ""
    return f"dry run, nothing was changed: would copy {copies}, delete {deletions:,}{but}"


def total_line(reports: Sequence[AccountReport]) -> str:
    """Return one line over all accounts."""
    words = {Status.OK: "done", Status.PARTIAL: "could not be finished", Status.FAILED: "failed"}
    numbers = {status: sum(report.status is status for report in reports) for status in words}
    ends = [f"{number} {words[status]}" for status, number in numbers.items() if number]
    copied = sum(report.copied for report in reports)
    deleted = sum(report.deleted for report in reports)
    return f"{plural(len(reports), 'account')}: {', '.join(ends)}; {copied:,} copied, {deleted:,} deleted in all"
