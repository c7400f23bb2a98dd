"""What a person hears, and when: incidents from the state of the accounts, changes from incidents.

Pure. An incident is reported once when it opens and once when it is over. Accounts that fail because of one host are
one incident. A problem that comes and goes is reported at most every ``QUIET`` seconds. No text here holds anything of
a mail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from jobs.alerting.notification import Notification
from jobs.disk_usage import Disk
from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import THRESHOLD, Circuit
from jobs.schedule.state_store import Fact
from migrator.backoff import DAY, HOUR
from migrator.errors import Kind
from migrator.ui.text import size, span

TOPIC = "incidents"
QUIET = 6 * HOUR
CROWD = 3
"""From this many accounts on, trouble with one host is reported as the host's."""

_AT_ONCE = frozenset({Kind.ARCHIVE, Kind.DISK_FULL, Kind.MISMATCH, Kind.INTERNAL})
_ONLY_WHEN_LONG = frozenset({Kind.LOCKED, Kind.LOGIN_DELAY, Kind.IN_USE})
"""Somebody else is at the maildrop, or asks us to wait: nothing is wrong until it lasts."""


class Urgency(StrEnum):
    """How soon a person should look."""

    URGENT = "urgent"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that a person should know; ``key`` tells it from others and stays the same while it lasts."""

    key: str
    urgency: Urgency
    title: str
    text: str
    cure: str = ""

    @property
    def subject(self) -> str:
        """What the incident is about; incidents of one subject follow each other (failing, then parked)."""
        return subject_of(self.key)


def subject_of(key: str) -> str:
    """Return what an incident with this key is about."""
    topic, _, rest = key.partition(":")
    name, _, aspect = rest.rpartition(":")
    return f"{topic}:{name}" if topic == "account" and aspect in _OF_THE_WORK else key


_OF_THE_WORK = ("parked", "failing", "silent", "partial")


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident as it is remembered. ``told_at`` is 0.0 while nobody has heard of it."""

    title: str
    opened_at: float
    told_at: float = 0.0
    over_at: float = 0.0
    last_told_at: float = 0.0

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return asdict(self)

    @classmethod
    def from_fact(cls, fact: Fact) -> OpenIncident:
        """Read what was remembered."""
        return cls(**{name: fact[name] for name in cls.__slots__ if name in fact})  # type: ignore[arg-type]  # by as_fact


@dataclass(frozen=True, slots=True)
class AlertRules:
    """When trouble becomes an incident; times in seconds."""

    after_failures: int = 2
    silence: float = DAY
    partial: float = DAY


@dataclass(frozen=True, slots=True)
class AlertInputs:
    """All that alerts are judged by. ``intervals`` are the seconds between two runs of an account.

    ``hosts`` names the servers that each account needs, ``down`` those that nobody can reach at present; ``damaged``
    counts the wrong copies of each destination that has any.
    """

    accounts: Mapping[str, AccountState]
    intervals: Mapping[str, float]
    hosts: Mapping[str, frozenset[str]]
    down: Mapping[str, Circuit] = field(default_factory=dict)
    disks: Sequence[Disk] = ()
    damaged: Mapping[str, int] = field(default_factory=dict)
    config_problem: str = ""


def incidents(
    inputs: AlertInputs, already_open: Collection[str], *, now: float, rules: AlertRules
) -> dict[str, Incident]:
    """Return what is wrong now, by key; ``already_open`` are the keys of incidents that are not over."""
    crowds = Counter(host for hosts in inputs.hosts.values() for host in hosts)
    down = {host: circuit for host, circuit in inputs.down.items() if crowds[host] >= CROWD}
    found = [_host_incident(host, crowds[host], circuit) for host, circuit in down.items() if _is_confirmed(circuit)]
    for name, state in inputs.accounts.items():
        own = _of_account(name, state, inputs.intervals.get(name, DAY), now, rules)
        is_the_host = not state.is_parked and not inputs.hosts.get(name, frozenset()).isdisjoint(down)
        found += [incident for incident in own if not is_the_host or incident.key in already_open]
    found += [_disk_incident(disk) for disk in inputs.disks if disk.is_nearly_full]
    found += [_config_incident(inputs.config_problem)] if inputs.config_problem else []
    found += [_damage_incident(place, count) for place, count in inputs.damaged.items()]
    return {incident.key: incident for incident in found}


def _is_confirmed(circuit: Circuit) -> bool:
    """Tell whether a host was still down when it was asked again after a pause."""
    return circuit.failures > THRESHOLD


def _of_account(name: str, state: AccountState, interval: float, now: float, rules: AlertRules) -> list[Incident]:
    """Return what is wrong with working an account: nothing, or the one thing that says most."""
    if state.is_parked:
        return [_parked(name, state)]
    if _is_failure_to_tell(state, rules):
        return [_failing(name, state)]
    if _is_silent(state, interval, now, rules):
        return [_silent(name, state)]
    if state.partial_since and now - state.partial_since >= rules.partial:
        return [_partial(name, state)]
    return []


def _is_failure_to_tell(state: AccountState, rules: AlertRules) -> bool:
    if not state.is_failing or state.kind in _ONLY_WHEN_LONG:
        return False
    return state.attempts >= rules.after_failures or state.kind in _AT_ONCE


def _is_silent(state: AccountState, interval: float, now: float, rules: AlertRules) -> bool:
    """Tell whether the last run is too long ago: longer than the rule says, and than two intervals."""
    since = max(state.last_worked, state.first_seen)
    return now - since > max(rules.silence, 2 * interval)


def _parked(name: str, state: AccountState) -> Incident:
    cure = "change the password where the configuration takes it from; the worker then tries again by itself"
    title = f"{name}: the password was refused"
    return Incident(f"account:{name}:parked", Urgency.URGENT, title, state.message, cure)


def _failing(name: str, state: AccountState) -> Incident:
    urgency = Urgency.URGENT if state.kind in _AT_ONCE else Urgency.WARNING
    tries = "once" if state.attempts == 1 else f"{state.attempts} times in a row"
    text = f"Its run failed {tries}, since {when(state.failing_since)}: {state.message}"
    return Incident(f"account:{name}:failing", urgency, f"{name}: mail is not being archived", text)


def _silent(name: str, state: AccountState) -> Incident:
    last = f"the last was at {when(state.last_worked)}" if state.last_worked else "there has been none yet"
    reason = f" Last problem: {state.message}" if state.message else ""
    text = f"No run has come to its end for a long time; {last}.{reason}"
    return Incident(f"account:{name}:silent", Urgency.WARNING, f"{name}: silent for too long", text)


def _partial(name: str, state: AccountState) -> Incident:
    text = f"Every run since {when(state.partial_since)} has left messages behind: {state.message}"
    cure = "mailferry status names each of them"
    title = f"{name}: some messages cannot be archived"
    return Incident(f"account:{name}:partial", Urgency.WARNING, title, text, cure)


def _host_incident(host: str, accounts: int, circuit: Circuit) -> Incident:
    text = f"It has not been working since {when(circuit.since)}; {accounts} accounts wait for it. {circuit.message}"
    return Incident(f"host:{host}", Urgency.WARNING, f"{host} is in trouble", text.rstrip())


def _disk_incident(disk: Disk) -> Incident:
    text = f"Free are {size(disk.free)} of {size(disk.total)}; wanted are at least {size(disk.minimum)}."
    title = f"the disk of {disk.path} is nearly full"
    return Incident(f"disk:{disk.path}", Urgency.URGENT, title, text, "make room, or move the archive to a larger disk")


def _damage_incident(place: str, count: int) -> Incident:
    copies = "1 stored copy differs" if count == 1 else f"{count} stored copies differ"
    text = f"{copies} from what was retrieved, or cannot be read. No message is deleted on the strength of it."
    cure = "look at the storage it is on; mailferry verify names each, mailferry repair fetches them again"
    return Incident(f"damage:{place}", Urgency.URGENT, f"the archive {place} is damaged", text, cure)


def _config_incident(problem: str) -> Incident:
    title = "the changed configuration is invalid"
    text = f"The worker goes on with the one it has. {problem}"
    return Incident("configuration", Urgency.WARNING, title, text, "correct the file; it is read again by itself")


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """What to tell now, and what to remember of every incident afterwards."""

    opened: tuple[Incident, ...]
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
    current: Mapping[str, Incident], before: Mapping[str, OpenIncident], now: float
) -> IncidentChanges:
    """Compare what is wrong now with what is remembered: what has begun, what is over, what is only noise."""
    opened: list[Incident] = []
    recovered: list[OpenIncident] = []
    remembered: dict[str, OpenIncident] = {}
    troubled = {incident.subject for incident in current.values()}
    for key, incident in current.items():
        known = before.get(key)
        still = known if known and not known.over_at else OpenIncident(incident.title, now)
        last_told = known.last_told_at if known else 0.0
        if not still.told_at and abs(now - last_told) >= QUIET:
            opened.append(incident)
            still = OpenIncident(still.title, still.opened_at, now, 0.0, now)
        remembered[key] = OpenIncident(
            still.title, still.opened_at, still.told_at, 0.0, max(still.last_told_at, last_told)
        )
    for key, known in before.items():
        if key in current:
            continue
        if known.told_at and not known.over_at and subject_of(key) not in troubled:
            recovered.append(known)
        if abs(now - known.last_told_at) < QUIET:
            remembered[key] = OpenIncident(known.title, known.opened_at, 0.0, known.over_at or now, known.last_told_at)
    return IncidentChanges(tuple(opened), tuple(recovered), remembered)


def notification_of(changes: IncidentChanges, now: float) -> Notification:
    """Write one message of all that is new: what has begun, most urgent first, then what is over."""
    opened = sorted(changes.opened, key=lambda incident: incident.urgency is not Urgency.URGENT)
    titles = [incident.title for incident in opened] + [f"over: {incident.title}" for incident in changes.recovered]
    more = f" (and {len(titles) - 1} more)" if len(titles) > 1 else ""
    blocks = ["\n".join(filter(None, (one.title, one.text, one.cure and f"What to do: {one.cure}."))) for one in opened]
    blocks += [
        f"Over: {incident.title}\nIt began at {when(incident.opened_at)} and lasted {span(now - incident.opened_at)}."
        for incident in changes.recovered
    ]
    return Notification(titles[0] + more, "\n\n".join(blocks) + "\n")


def when(moment: float) -> str:
    """Write a moment for a person: local time to the minute, with its zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
