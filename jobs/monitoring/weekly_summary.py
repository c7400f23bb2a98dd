"""The weekly digest: where every message is, in numbers that add up. Pure: views in, words out."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.alerting.notification import Notification
from jobs.monitoring.snapshot import AccountView, Snapshot
from migrator.findings.model import Finding, Severity
from migrator.findings.moments import when
from migrator.ledger.history import AccountNumbers
from migrator.ui.text import plural, size, span, table

_HEAD = ("account", "on server", "= safe", "+ waiting", "+ failed", "+ accepted", "deleted so far", "last run")
_ACCEPTED = _HEAD.index("+ accepted")
_NOTHING = AccountNumbers(0, 0, 0, 0, 0, 0, None)


def weekly(snapshot: Snapshot) -> Notification:
    """Write the digest: a table of all accounts with its total, what needs a person, the disks."""
    needed = [finding for finding in snapshot.findings if finding.severity is not Severity.HINT]
    if troubled := snapshot.troubled:
        of_all = f"{plural(len(troubled), 'account')} of {len(snapshot.accounts)}"
        title = f"weekly digest: {of_all} {'needs' if len(troubled) == 1 else 'need'} a person"
    elif needed:
        title = f"weekly digest: {needed[0].headline}"
    else:
        title = f"weekly digest: all {plural(len(snapshot.accounts), 'account')} well"
    lines = [*_table(snapshot.accounts), "", *_needed(needed), *_verifications(snapshot), *_disks(snapshot)]
    return Notification(title, "\n".join(lines) + "\n")


def _table(accounts: Sequence[AccountView]) -> list[str]:
    rows = [_row(account.name, account.numbers or _NOTHING, _last(account)) for account in accounts]
    numbers = [account.numbers for account in accounts if account.numbers]
    total = AccountNumbers(
        sum(one.on_server for one in numbers),
        sum(one.safe for one in numbers),
        sum(one.waiting for one in numbers),
        sum(one.failed for one in numbers),
        sum(one.deleted for one in numbers),
        sum(one.octets_safe for one in numbers),
        None,
        sum(one.accepted for one in numbers),
    )
    lines = [_HEAD, *rows, _row("all", total, "")]
    return table(lines if total.accepted else [(*one[:_ACCEPTED], *one[_ACCEPTED + 1 :]) for one in lines], indent="")


def _row(name: str, numbers: AccountNumbers, last: str) -> tuple[str, ...]:
    stand = (numbers.on_server, numbers.safe, numbers.waiting, numbers.failed, numbers.accepted)
    return (name, *(f"{count:,}" for count in (*stand, numbers.deleted)), last)


def _last(account: AccountView) -> str:
    return when(account.state.last_worked) if account.state.last_worked else "never"


def _needed(findings: Sequence[Finding]) -> list[str]:
    lines = [line for finding in findings for line in (finding.headline, f"    {finding.cure.text}")]
    return [*lines, ""] if lines else []


def _verifications(snapshot: Snapshot) -> list[str]:
    moments = [account.verified_at for account in snapshot.accounts]
    if not moments or not all(moments):
        done = sum(moment > 0 for moment in moments)
        last = f"Full verification: {done} of {plural(len(moments), 'account')} done for the first time."
    else:
        last = f"Every archive was verified in full since {when(min(moments))}."
    return [last]


def _disks(snapshot: Snapshot) -> list[str]:
    lines = []
    for disk in snapshot.disks:
        forecast = "" if disk.full_in == float("inf") else f", full in about {span(disk.full_in)} at this pace"
        lines.append(f"Disk of {disk.path}: {size(disk.free)} of {size(disk.total)} free{forecast}.")
    return lines
