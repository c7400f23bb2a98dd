"""Tells a person what has begun and what is over: once each, across restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.alerting.incidents import (
    TOPIC,
    AlertRules,
    IncidentChanges,
    OpenIncident,
    incident_changes,
    notification_of,
)
from jobs.alerting.outbox import Outbox
from jobs.log import say
from jobs.schedule.state_store import StateStore
from migrator.findings.model import Finding


class Alerts:
    """The findings that a person has heard of, and the outbox for what is new."""

    def __init__(self, store: StateStore, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    def tell(self, findings: Sequence[Finding], rules: AlertRules, now: float) -> IncidentChanges:
        """Compare what is found with what a person knows, and tell the difference; durable on return."""
        before = {key: OpenIncident.from_fact(fact) for key, fact in self._store.get_all(TOPIC).items()}
        changes = incident_changes(findings, before, now, rules)
        if not changes.is_empty:
            self._outbox.put(notification_of(changes, now))
        self._remember(changes, before)
        return changes

    def _remember(self, changes: IncidentChanges, before: Mapping[str, OpenIncident]) -> None:
        for key, incident in changes.remembered.items():
            if before.get(key) != incident:
                self._store.put(TOPIC, key, incident.as_fact())
        for key in before.keys() - changes.remembered.keys():
            self._store.delete(TOPIC, key)
        for begun in changes.opened:
            say("worker.incident.opened", key=begun.key, title=begun.headline)
        for over in changes.recovered:
            say("worker.incident.over", title=over.title)
