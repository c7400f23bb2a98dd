"""The weekly digest: where every message is, in numbers that add up. Pure: views in, words out."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.alerting.incidents import when
from jobs.alerting.notification import Notification
from jobs.monitoring.snapshot import AccountView, Snapshot
from migrator.ledger.history import AccountNumbers
from migrator.ui.text import plural, size, span, table

_HEAD = ("account", "on server", "= safe", "+ waiting", "+ failed", "deleted so far", "last run")
_NOTHING = AccountNumbers(0, 0, 0, 0, 0, 0, None)


def weekly(snapshot: Snapshot) -> Notification:
    """Write the digest: a table of all accounts with its total, what needs a person, the disks."""
    troubled = [account for account in snapshot.accounts if account.state.is_failing or _failed(account)]
    if troubled:
        title = f"weekly digest: {plural(len(troubled), 'account')} of {len(snapshot.accounts)} in trouble"
    else:
        title = f"weekly digest: all {plural(len(snapshot.accounts), 'account')} well"
    lines = [*_table(snapshot.accounts), "", *_troubles(troubled), *_verifications(snapshot), *_disks(snapshot)]
    return Notification(title, "\n".join(lines) + "\n")


def _failed(account: AccountView) -> int:
    return account.numbers.failed if account.numbers else 0


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
    )
    return table([_HEAD, *rows, _row("all", total, "")], indent="")


def _row(name: str, numbers: AccountNumbers, last: str) -> tuple[str, ...]:
    counts = (numbers.on_server, numbers.safe, numbers.waiting, numbers.failed, numbers.deleted)
    return (name, *(f"{count:,}" for count in counts), last)


def _last(account: AccountView) -> str:
    return when(account.state.last_worked) if account.state.last_worked else "never"


def _troubles(troubled: Sequence[AccountView]) -> list[str]:
    lines = []
    for account in troubled:
        if account.state.is_parked:
            lines.append(f"{account.name}: waits for a changed password: {account.state.message}")
        elif account.state.is_failing:
            lines.append(f"{account.name}: fails since {when(account.state.failing_since)}: {account.state.message}")
        else:
            lines.append(
                f"{account.name}: {plural(_failed(account), 'message')} set aside; mailferry quarantine names each"
            )
    return [*lines, ""] if lines else []


def _verifications(snapshot: Snapshot) -> list[str]:
    moments = [account.verified_at for account in snapshot.accounts]
    damaged = max((account.damaged for account in snapshot.accounts), default=0)
    if not moments or not all(moments):
        done = sum(moment > 0 for moment in moments)
        last = f"Full verification: {done} of {plural(len(moments), 'account')} done for the first time."
    else:
        last = f"Every archive was verified in full since {when(min(moments))}."
    return [last, f"Damaged copies: {damaged}. Run: mailferry verify" if damaged else "Damaged copies: none."]


def _disks(snapshot: Snapshot) -> list[str]:
    lines = []
    for disk in snapshot.disks:
        forecast = "" if disk.full_in == float("inf") else f", full in about {span(disk.full_in)} at this pace"
        lines.append(f"Disk of {disk.path}: {size(disk.free)} of {size(disk.total)} free{forecast}.")
    return lines
