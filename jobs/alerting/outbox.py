"""Notifications on their way to a person: kept until every channel has taken them, across restarts too."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence

from jobs.alerting.channels import Channel
from jobs.alerting.notification import Notification
from jobs.background_thread import BackgroundThread, Rest
from jobs.log import say
from jobs.schedule.state_store import Fact, StateStore
from migrator.errors import FerryError

TOPIC = "outbox"
RETRY_SECONDS = 300.0
KEPT_SECONDS = 3 * 86400.0


class Outbox(BackgroundThread):
    """A thread that delivers; what it leaves, the next start sends.

    ``channels`` is asked each time, so that a reload is heard.
    """

    def __init__(
        self, store: StateStore, channels: Callable[[], Sequence[Channel]], clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__("outbox")
        self._store = store
        self._channels = channels
        self._clock = clock

    def put(self, notification: Notification) -> None:
        """Keep a notification until it is delivered; durable on return. Without a channel there is nobody to tell."""
        channels = [channel.name for channel in self._channels()]
        if channels:
            fact: Fact = {"title": notification.title, "body": notification.body, "at": self._clock(), "ways": channels}
            self._store.put(TOPIC, uuid.uuid4().hex, fact)
            self.has_news()

    def work_once(self) -> Rest:
        """Deliver; what stays is tried again."""
        self.takes_news()
        try:
            is_all_sent = self.deliver()
        except FerryError as error:  # the ledger cannot be read
            say("worker.notify.failed", level=logging.WARNING, kind=str(error.kind), problem=str(error))
            is_all_sent = False
        return None if is_all_sent else RETRY_SECONDS

    def deliver(self) -> bool:
        """Try to deliver everything; returns whether nothing is left."""
        channels = {channel.name: channel for channel in self._channels()}
        left = 0
        facts = self._store.get_all(TOPIC)
        for name in sorted(facts, key=lambda name: _number(facts[name]["at"])):
            left += not self._deliver(name, facts[name], channels)
        return left == 0

    def _deliver(self, name: str, fact: Fact, channels: dict[str, Channel]) -> bool:
        wanted = fact["ways"]
        missing = [channel for channel in wanted if channel in channels] if isinstance(wanted, list) else []
        notification = Notification(str(fact["title"]), str(fact["body"]))
        still_missing = [channel for channel in missing if not self._send(channels[channel], notification)]
        if not still_missing or self._clock() - _number(fact["at"]) > KEPT_SECONDS:
            self._store.delete(TOPIC, name)
            return True
        if still_missing != wanted:
            self._store.put(TOPIC, name, {**fact, "ways": still_missing})
        return False

    def _send(self, channel: Channel, notification: Notification) -> bool:
        if self._stop.is_set():
            return False
        try:
            channel.send(notification)
        except FerryError as error:
            say(
                "worker.notify.failed",
                level=logging.WARNING,
                channel=channel.name,
                kind=str(error.kind),
                problem=str(error),
            )
            return False
        say("worker.notify.sent", channel=channel.name, title=notification.title)
        return True


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0
