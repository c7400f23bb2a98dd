"""A run in words: one line per account whose numbers add up, and below it what went wrong, grouped, with the cure.

Pure: reports in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator.report import AccountReport, Problem, Status, shown_unique_id
from migrator.ui.text import plain, plural, size, span

MAX_GROUPS = 20
MAX_NAMED = 3

_WORDS = {Status.OK: "done", Status.PARTIAL: "NOT EVERYTHING WAS DONE", Status.FAILED: "FAILED"}


def account_line(report: AccountReport) -> str:
    """Return the line that adds up: every message of the server once, then what was verified and deleted."""
    if report.status is Status.FAILED and not report.listed:
        return f"{report.name}: FAILED, nothing was changed"
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
    if report.would_delete is not None:
        sentences[-1:] = [f"a real run would copy {report.remaining:,} and delete {len(report.would_delete):,}"]
    if report.filled:
        sentences.append(f"{report.filled:,} older ones copied to a new destination")
    volume = f" ({size(report.bytes)} in {span(report.seconds)})" if report.bytes else f" ({span(report.seconds)})"
    return f"{report.name}: {_word(report)}: {'; '.join(sentences)}{volume}"


def _word(report: AccountReport) -> str:
    if report.would_delete is not None:
        return "dry run"
    return "interrupted" if report.interrupted else _WORDS[report.status]


def problem_lines(report: AccountReport, *, is_complete: bool = False) -> list[str]:
    """Return what went wrong, equal problems together; ``is_complete`` names every message."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in report.problems:
        key = (str(problem.kind), problem.message, problem.destination or "")
        groups.setdefault(key, []).append(problem)
    lines = [_problem_line(group, is_complete=is_complete) for group in groups.values()]
    if is_complete or len(lines) <= MAX_GROUPS:
        return lines
    rest = len(lines) - MAX_GROUPS
    return [*lines[:MAX_GROUPS], f"  ... and {rest} problems more; see mailferry quarantine, or add -v"]


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


def would_delete_lines(report: AccountReport, *, is_complete: bool = False) -> Iterator[str]:
    """Say what a dry run would delete, message by message."""
    messages = report.would_delete or []
    shown = messages if is_complete else messages[:MAX_GROUPS]
    for message in shown:
        digest = f", SHA-256 {message.digest.hex()[:16]}..." if message.digest else ""
        yield plain(f"  would delete {shown_unique_id(message.unique_id)} ({size(message.octets)}{digest})")
    if len(messages) > len(shown):
        yield f"  ... and would delete {len(messages) - len(shown):,} more (-v names them all)"


def total_line(reports: Sequence[AccountReport]) -> str:
    """Return one line over all accounts."""
    words = {Status.OK: "done", Status.PARTIAL: "partly done", Status.FAILED: "failed"}
    numbers = {status: sum(report.status is status for report in reports) for status in words}
    ends = [f"{number} {words[status]}" for status, number in numbers.items() if number or status is Status.OK]
    copied = sum(report.copied for report in reports)
    deleted = sum(report.deleted for report in reports)
    return f"{plural(len(reports), 'account')}: {', '.join(ends)}; {copied:,} copied, {deleted:,} deleted in all"
