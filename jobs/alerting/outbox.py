"""Notes on their way to a person: kept until every channel has taken them, across restarts too."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence

from jobs.alerting.channels import Channel
from jobs.alerting.notification import Notification
from jobs.background_thread import BackgroundThread, Rest
from jobs.log import say
from jobs.schedule.account_state import Fact, Notes
from migrator.errors import FerryError

TOPIC = "outbox"
RETRY_SECONDS = 300.0
KEPT_SECONDS = 3 * 86400.0


class Outbox(BackgroundThread):
    """A quiet thread that delivers; what it leaves, the next life sends.

    ``ways`` is asked anew each time, so that a reload is heard.
    """

    def __init__(
        self, notes: Notes, ways: Callable[[], Sequence[Channel]], clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; nothing is sent before ``start``."""
        super().__init__("outbox")
        self._notes = notes
        self._ways = ways
        self._clock = clock

    def put(self, note: Notification) -> None:
        """Keep a note until it is delivered; durable on return. Without a channel there is nobody to tell."""
        ways = [way.name for way in self._ways()]
        if ways:
            fact: Fact = {"title": note.title, "body": note.body, "at": self._clock(), "ways": ways}
            self._notes.noted(TOPIC, uuid.uuid4().hex, fact)
            self.has_news()

    def turn(self) -> Rest:
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
        ways = {way.name: way for way in self._ways()}
        left = 0
        facts = self._notes.facts(TOPIC)
        for name in sorted(facts, key=lambda name: _number(facts[name]["at"])):
            left += not self._deliver(name, facts[name], ways)
        return left == 0

    def _deliver(self, name: str, fact: Fact, ways: dict[str, Channel]) -> bool:
        wanted = fact["ways"]
        missing = [way for way in wanted if way in ways] if isinstance(wanted, list) else []
        note = Notification(str(fact["title"]), str(fact["body"]))
        still_missing = [way for way in missing if not self._send(ways[way], note)]
        if not still_missing or self._clock() - _number(fact["at"]) > KEPT_SECONDS:
            self._notes.forgotten(TOPIC, name)
            return True
        if still_missing != wanted:
            self._notes.noted(TOPIC, name, {**fact, "ways": still_missing})
        return False

    def _send(self, way: Channel, note: Notification) -> bool:
        if self._stop.is_set():
            return False
        try:
            way.send(note)
        except FerryError as error:
            say(
                "worker.notify.failed",
                level=logging.WARNING,
                channel=way.name,
                kind=str(error.kind),
                problem=str(error),
            )
            return False
        say("worker.notify.sent", channel=way.name, title=note.title)
        return True


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0
