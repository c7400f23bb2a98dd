"""Whether the worker itself is well, and why not. Pure, but for the file that tells another process.

A wrong password makes a worker degraded, not unhealthy: a restart would not help. Unhealthy is a worker that cannot
do its work.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jobs.alerting.incidents import when
from jobs.monitoring.snapshot import Snapshot
from migrator.files import replace_file

FILE_NAME = "worker.json"
STALE_SECONDS = 60.0
"""The file is written every few seconds; an older one was left by a worker that hangs or is gone."""


class HealthVerdict(StrEnum):
    """How the worker is."""

    OK = "ok"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict with its reasons, each a line for a person."""

    verdict: HealthVerdict
    reasons: tuple[str, ...]
    summary: str = ""

    def as_json(self) -> dict[str, object]:
        """Return what ``/healthz`` and the file hold."""
        return {"status": str(self.verdict), "summary": self.summary, "reasons": list(self.reasons)}


def health_of(snapshot: Snapshot) -> Health:
    """Judge a snapshot."""
    warnings = [*snapshot.warnings, *(f"{host} is down" for host in snapshot.hosts_down)]
    warnings += [f"the disk of {disk.path} is nearly full" for disk in snapshot.disks if disk.is_nearly_full]
    for account in snapshot.accounts:
        if account.state.is_parked:
            warnings.append(f"{account.label}: parked until its password or configuration changes")
        elif account.state.is_failing:
            warnings.append(f"{account.label}: fails since {when(account.state.failing_since)} ({account.state.kind})")
        if account.damaged:
            warnings.append(f"{account.label}: {account.damaged} stored copies are damaged")
    verdict = HealthVerdict.UNHEALTHY if snapshot.faults else HealthVerdict.DEGRADED if warnings else HealthVerdict.OK
    return Health(verdict, (*snapshot.faults, *warnings), snapshot.status_line())


def write(health: Health, state_dir: Path, now: float) -> None:
    """Leave the verdict in a file of the state folder, replaced at once, for ``mailferry healthcheck``."""
    document = {**health.as_json(), "at": now, "pid": os.getpid()}
    with replace_file(state_dir / FILE_NAME, is_durable=False) as file:
        file.write(json.dumps(document).encode())


def forget(state_dir: Path) -> None:
    """Take the verdict away: the worker ends."""
    (state_dir / FILE_NAME).unlink(missing_ok=True)


def read(state_dir: Path, now: float) -> Health:
    """Return the verdict of the worker of a state folder, as far as it can be trusted."""
    try:
        document = json.loads((state_dir / FILE_NAME).read_text(encoding="utf-8"))
        health = Health(HealthVerdict(document["status"]), tuple(document["reasons"]), document["summary"])
        age = now - float(document["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Health(HealthVerdict.UNHEALTHY, ("no worker is running on this state_dir",))
    if age > STALE_SECONDS:
        return Health(
            HealthVerdict.UNHEALTHY, (f"the worker has not been heard of for {age:.0f} seconds", *health.reasons)
        )
    return health
