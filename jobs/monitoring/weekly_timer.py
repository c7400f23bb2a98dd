"""Sends the weekly digest when it is due; the first is due at the first such moment after the first start."""

from __future__ import annotations

from collections.abc import Callable

from jobs.alerting.outbox import Outbox
from jobs.monitoring.snapshot import Snapshot
from jobs.monitoring.weekly_summary import weekly
from jobs.schedule.state_store import StateStore
from jobs.schedule.timetable import Timetable
from migrator.config import Notify, Schedule

TOPIC = "digest"


def send_if_due(
    settings: Notify | None, store: StateStore, outbox: Outbox, look: Callable[[], Snapshot], now: float
) -> None:
    """Put the digest into the outbox, once a week; durable on return."""
    if settings is None or not settings.wants_digest:
        return
    last = store.get_all(TOPIC).get("last", {}).get("at")
    if not isinstance(last, float):
        store.put(TOPIC, "last", {"at": now})
    elif Timetable(Schedule(cron=settings.digest), now).next_after(TOPIC, last) <= now:
        outbox.put(weekly(look()))
        store.put(TOPIC, "last", {"at": now})
