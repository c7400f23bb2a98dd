"""The numbers of the worker in Prometheus' form: over HTTP while it runs, as a textfile after a one-shot run.

Accounts are labelled by their name, never by an address. Last success is a time: alert on its age, not on failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.monitoring.snapshot import AccountView, Snapshot
from jobs.schedule.account_state import AccountState
from migrator.files import replace_file
from migrator.report import AccountReport, Status

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

EACH = 5_000
"""As many accounts have series of their own, fourteen each; with more of them metrics are by host."""

_AccountValue = Callable[[AccountView], float]

_PER_ACCOUNT: dict[str, tuple[str, _AccountValue]] = {
    "last_worked_seconds": ("When the account was last worked to its end (Unix time)", lambda a: a.state.last_worked),
    "last_full_verify_seconds": (
        "When the archive was last verified in full (Unix time)",
        lambda a: a.verified_at,
    ),
    "next_run_seconds": ("When the next run is due (Unix time)", lambda a: a.state.next_due),
    "failed_runs": ("Failed runs in a row", lambda a: a.state.attempts),
    "parked": ("1 while the account waits for a changed password", lambda a: float(a.state.is_parked)),
    "running": ("1 while the account is being worked", lambda a: float(a.is_running)),
    "damaged": ("Stored copies that are known to be wrong", lambda a: a.damaged),
}
_STATES = ("safe", "waiting", "failed", "accepted")


def is_by_host(accounts: int, *, is_fleet: bool) -> bool:
    """Say whether metrics count accounts by their sources, in place of showing each."""
    return is_fleet or accounts > EACH


def text_of(snapshot: Snapshot) -> bytes:
    """Return a snapshot as Prometheus reads it."""
    return _text(_metrics(snapshot))


def _text(metrics: Iterator[Metric]) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Once(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from metrics

        def describe(self) -> Iterable[Metric]:
            return ()

    registry = CollectorRegistry()
    registry.register(Once())
    return generate_latest(registry)


def _metrics(snapshot: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    yield from _by_host(snapshot) if snapshot.sources else _by_account(snapshot)
    for key, meaning, number in _whole(snapshot):
        yield GaugeMetricFamily(f"mailferry_{key}", meaning, value=number)
    yield from _findings(snapshot)
    yield from _disks(snapshot)


def _by_account(snapshot: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for key, (meaning, value) in _PER_ACCOUNT.items():
        family = GaugeMetricFamily(f"mailferry_{key}", meaning, labels=["account"])
        for account in snapshot.accounts:
            family.add_metric([account.label], value(account))
        yield family
    yield from _numbers(snapshot.accounts)


def _by_host(snapshot: Snapshot) -> Iterator[Metric]:
    """Count the accounts of each source: a series an account would be too many."""
    from prometheus_client.core import GaugeMetricFamily

    accounts = GaugeMetricFamily(
        "mailferry_host_accounts", "Accounts of a source, by how they are", labels=["host", "state"]
    )
    messages = GaugeMetricFamily("mailferry_host_messages", "Messages on a source", labels=["host", "state"])
    counted: Counter[tuple[str, str]] = Counter()
    safe: Counter[tuple[str, str]] = Counter()
    for account in snapshot.accounts:
        host = snapshot.sources.get(account.name, "")
        counted[host, _standing(account)] += 1
        if account.numbers is not None:
            for state in _STATES:
                safe[host, state] += getattr(account.numbers, state)
    for family, counts in ((accounts, counted), (messages, safe)):
        for labels, count in sorted(counts.items()):
            family.add_metric(labels, count)
        yield family


def _standing(account: AccountView) -> str:
    if account.is_running:
        return "running"
    if account.state.is_parked:
        return "parked"
    return "failing" if account.state.is_failing else "well"


def _findings(snapshot: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("mailferry_findings", "What a person must know, by id", labels=["id", "severity"])
    for (name, severity), count in Counter((one.id, str(one.severity)) for one in snapshot.findings).items():
        family.add_metric([name, severity], count)
    yield family


def _whole(snapshot: Snapshot) -> list[tuple[str, str, float]]:
    return [
        ("up_since_seconds", "When the worker was started (Unix time)", snapshot.started_at),
        ("accounts", "Accounts of the configuration", len(snapshot.accounts)),
        ("accounts_failing", "Accounts whose last run failed", snapshot.failing),
        ("hosts_down", "Servers that nobody can reach at present", len(snapshot.hosts_down)),
        ("faults", "What keeps the worker itself from its work", len(snapshot.faults)),
        ("queue_age_seconds", "How long the account that is ready longest has been waiting", snapshot.queue_age),
    ]


def _numbers(accounts: Sequence[AccountView]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    messages = GaugeMetricFamily("mailferry_messages", "Messages on the server", labels=["account", "state"])
    octets = GaugeMetricFamily("mailferry_safe_bytes", "Octets on the server that are safe", labels=["account"])
    oldest = GaugeMetricFamily(
        "mailferry_oldest_unsafe_seconds", "Since when the oldest message waits (Unix time)", labels=["account"]
    )
    deleted = CounterMetricFamily("mailferry_deleted_messages", "Confirmed deletions", labels=["account"])
    for account in accounts:
        if account.numbers is not None:
            for state in _STATES:
                messages.add_metric([account.label, state], getattr(account.numbers, state))
            octets.add_metric([account.label], account.numbers.octets_safe)
            oldest.add_metric([account.label], account.numbers.oldest_unsafe or 0.0)
            deleted.add_metric([account.label], account.numbers.deleted)
    yield from (messages, octets, oldest, deleted)


def _disks(snapshot: Snapshot) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    free = GaugeMetricFamily("mailferry_disk_free_bytes", "Free octets of a file system", labels=["path"])
    full_in = GaugeMetricFamily(
        "mailferry_disk_full_in_seconds", "Forecast; +Inf when it does not fill", labels=["path"]
    )
    for disk in snapshot.disks:
        free.add_metric([disk.path], disk.free)
        full_in.add_metric([disk.path], disk.full_in)
    yield from (free, full_in)


def write_textfile(path: Path, reports: Sequence[AccountReport], now: float) -> None:
    """Write the reports of a one-shot run for the node exporter's textfile collector, replaced at once."""
    with replace_file(path, mode=0o644, is_durable=False) as file:
        file.write(_text(_of_reports(reports, now)))


def _of_reports(reports: Sequence[AccountReport], now: float) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    keys = ("listed", "known", "new", "copied", "duplicates", "skipped", "failed", "remaining", "verified", "deleted")
    success = GaugeMetricFamily("mailferry_run_success", "1 when nothing was left to report", labels=["account"])
    ended = GaugeMetricFamily("mailferry_run_end_seconds", "When the run ended (Unix time)", labels=["account"])
    families = [
        GaugeMetricFamily(f"mailferry_run_{key}", f"Messages of the last run: {key}", labels=["account"])
        for key in keys
    ]
    for report in reports:
        label = AccountView(report.name, AccountState()).label
        success.add_metric([label], float(report.status is Status.OK))
        ended.add_metric([label], now)
        for key, family in zip(keys, families, strict=True):
            family.add_metric([label], getattr(report, key))
    yield from (success, ended, *families)
