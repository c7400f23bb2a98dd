"""What a person hears, and when: the difference between what is found now and what she has heard of.

Pure. A finding is reported once when it begins and once when it is over. What may pass by itself is reported once it
has lasted; what comes and goes at most every ``QUIET`` seconds. The words are the finding's: nothing of a mail.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from jobs.alerting.notification import Notification
from jobs.schedule.state_store import Fact
from migrator.backoff import DAY, HOUR
from migrator.findings.model import Finding, Severity
from migrator.findings.moments import when
from migrator.lazy_dataclasses import asdict, dataclass, replace
from migrator.ui.text import span

TOPIC = "incidents"
QUIET = 6 * HOUR

OF_A_LINE = frozenset(
    {"host-unknown", "host-unreachable", "wrong-service", "wrong-tls", "certificate", "refused", "quota-full"}
)
"""What a run met on its way: reported once several runs in a row have met it."""
PATIENCE: Mapping[str, float] = {"not-everywhere": HOUR, "disk-low": 0.0, "listen-taken": 0.0, "notify-dead": 0.0}
"""For how many seconds a finding must have lasted, where it is not as usual for its severity."""


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """A finding as it is remembered. ``told_at`` is 0.0 while nobody has heard of it."""

    title: str
    opened_at: float
    told_at: float = 0.0
    over_at: float = 0.0
    last_told_at: float = 0.0
    accounts: tuple[str, ...] = ()

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Fact) -> OpenIncident:
        """Read what was remembered."""
        known = {name: fact[name] for name in cls.__slots__ if name in fact}
        return replace(cls(**known), accounts=tuple(known.get("accounts", ())))  # type: ignore[arg-type]  # by as_fact


@dataclass(frozen=True, slots=True)
class AlertRules:
    """When a finding is reported: after how many runs in a row that met it, after how many seconds of a small one."""

    after_failures: int = 2
    patience: float = DAY


def is_to_be_reported(finding: Finding, lasted: float, rules: AlertRules) -> bool:
    """Tell whether a person should hear of a finding that has lasted for some seconds."""
    if finding.severity is Severity.HINT:
        return False
    if finding.id in OF_A_LINE or finding.id == "auth-refused":
        return finding.tries >= rules.after_failures
    usual = rules.patience if finding.severity is Severity.SOON else 0.0
    return lasted >= PATIENCE.get(finding.id, usual)


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """What to tell now, and what to remember of every finding afterwards."""

    opened: tuple[Finding, ...]
    recovered: tuple[OpenIncident, ...]
    remembered: Mapping[str, OpenIncident]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.opened and not self.recovered

    @property
    def is_anything_wrong(self) -> bool:
        """Whether a person has heard of something that is not over."""
        return any(incident.told_at and not incident.over_at for incident in self.remembered.values())


def incident_changes(
    findings: Sequence[Finding], before: Mapping[str, OpenIncident], now: float, rules: AlertRules
) -> IncidentChanges:
    """Compare what is found now with what is remembered: what has begun, what is over, what is only noise.

    The end of one trouble is not reported while the same accounts have another.
    """
    opened: list[Finding] = []
    remembered: dict[str, OpenIncident] = {}
    current = {finding.key: finding for finding in findings}
    for key, finding in current.items():
        still = _still(finding, before.get(key), now)
        lasted = now - min(still.opened_at, finding.since)
        if not still.told_at and abs(now - still.last_told_at) >= QUIET and is_to_be_reported(finding, lasted, rules):
            opened.append(finding)
            still = replace(still, told_at=now, last_told_at=now)
        remembered[key] = still
    troubled = {name for key, one in remembered.items() if one.told_at for name in current[key].accounts}
    over = {key: known for key, known in before.items() if key not in current}
    recovered = tuple(known for known in over.values() if _has_recovered(known, troubled))
    for key, known in over.items():
        if known.last_told_at and abs(now - known.last_told_at) < QUIET:
            remembered[key] = replace(known, told_at=0.0, over_at=known.over_at or now)
    return IncidentChanges(tuple(opened), recovered, remembered)


def _still(finding: Finding, known: OpenIncident | None, now: float) -> OpenIncident:
    """Return what is remembered of a finding that is there; one that was over begins again."""
    if known is None or known.over_at:
        last_told = known.last_told_at if known else 0.0
        return OpenIncident(finding.headline, now, last_told_at=last_told, accounts=finding.accounts)
    return known


def _has_recovered(known: OpenIncident, troubled: set[str]) -> bool:
    if not known.told_at or known.over_at:
        return False
    return not known.accounts or not troubled.issuperset(known.accounts)


def notification_of(changes: IncidentChanges, now: float) -> Notification:
    """Write one message of all that is new: what has begun, the most important first, then what is over."""
    titles = [finding.headline for finding in changes.opened]
    titles += [f"resolved: {incident.title}" for incident in changes.recovered]
    more = f" (and {len(titles) - 1} more)" if len(titles) > 1 else ""
    blocks = ["\n".join(_lines(finding, now)) for finding in changes.opened]
    blocks += [
        f"Resolved after {span(now - incident.opened_at)}: {incident.title}\nIt began at {when(incident.opened_at)}."
        for incident in changes.recovered
    ]
    return Notification(titles[0] + more, "\n\n".join(blocks) + "\n")


def _lines(finding: Finding, now: float) -> list[str]:
    lines = [finding.headline]
    if now - finding.since >= 60:
        lines.append(f"Since: {when(finding.since)}")
    lines.append(f"What to do: {finding.cure.text}.")
    if finding.cure.command:
        lines.append(f"  {shlex.join(finding.cure.command)}")
    if finding.accounts:
        lines.append(f"See: mailferry status {shlex.join(finding.accounts[:3])}")
    return lines
