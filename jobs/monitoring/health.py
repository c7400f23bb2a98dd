"""Whether the worker itself is well, and why not. Pure, but for the file that tells another process.

A wrong password makes a worker degraded, not unhealthy: a restart would not help. Unhealthy is a worker that cannot
do its work.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.lock import is_worker_alive
from migrator.files import replace_file
from migrator.findings.machine import ENDED, silent_for
from migrator.findings.model import Finding, Severity
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from jobs.monitoring.snapshot import Snapshot

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
    """A verdict with its reasons, each a line for a person; the findings are in the contract's form."""

    verdict: HealthVerdict
    reasons: tuple[str, ...]
    summary: str = ""
    findings: tuple[Mapping[str, object], ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return what ``/healthz`` holds."""
        return {
            "status": str(self.verdict),
            "summary": self.summary,
            "reasons": list(self.reasons),
            "findings": list(self.findings),
        }


def health_of(snapshot: Snapshot) -> Health:
    """Judge a snapshot."""
    return judged(snapshot.faults, snapshot.findings, snapshot.status_line())


def judged(faults: Sequence[str], findings: Sequence[Finding], summary: str) -> Health:
    """Judge by what keeps the worker from its work, and by what was found."""
    needed = [finding.headline for finding in findings if finding.severity is not Severity.HINT]
    verdict = HealthVerdict.UNHEALTHY if faults else HealthVerdict.DEGRADED if needed else HealthVerdict.OK
    return Health(verdict, (*faults, *needed), summary, tuple(finding.as_json() for finding in findings))


def write(health: Health, state_dir: Path, now: float, *, worker: Mapping[str, object] | None = None) -> None:
    """Leave the verdict in a file of the state folder, replaced at once, for ``mailferry healthcheck``.

    ``worker`` is what only the worker knows and other processes make findings of (``jobs.look``).
    """
    document = {**health.as_json(), **(worker or {}), "at": now, "pid": os.getpid()}
    with replace_file(state_dir / FILE_NAME, is_durable=False) as file:
        file.write(json.dumps(document).encode())


def forget(state_dir: Path) -> None:
    """Take the verdict away: the worker ends."""
    (state_dir / FILE_NAME).unlink(missing_ok=True)


def read(state_dir: Path, now: float) -> Health:
    """Return the verdict of the worker of a state folder, as far as it can be trusted; one that died says nothing."""
    try:
        document = json.loads((state_dir / FILE_NAME).read_text(encoding="utf-8"))
        reasons, findings = tuple(document["reasons"]), tuple(document.get("findings", ()))
        health = Health(HealthVerdict(document["status"]), reasons, document["summary"], findings)
        age = now - float(document["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return Health(HealthVerdict.UNHEALTHY, ("no worker is running on this state_dir",))
    if not is_worker_alive(state_dir):
        return Health(HealthVerdict.UNHEALTHY, (ENDED,))
    if age > STALE_SECONDS:
        return Health(HealthVerdict.UNHEALTHY, (silent_for(age), *health.reasons))
    return health
