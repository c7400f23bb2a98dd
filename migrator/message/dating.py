"""Date a message for the place that it is stored in, and say as an event what the date was taken from.

An mbox knows of each message when it arrived, by the From_ line above it: what is read there keeps it.
"""

from __future__ import annotations

import logging
from datetime import datetime

from migrator.events import event
from migrator.message.arrival_date import arrival_date
from migrator.message.body import Body, HasEnvelope, Message
from migrator.message.written_date import moment_of

_LOG = logging.getLogger("migrator.message")


def moment_of_arrival(message: Message, beginning: bytes, now: datetime) -> datetime:
    """Return when a message arrived; ``beginning`` holds its header. See ``arrival_date`` for what counts."""
    arrived = arrival_date(beginning, now, message.fallback_date)
    if _LOG.isEnabledFor(logging.DEBUG):  # said of every message: it is not to be put into words for nobody
        event(_LOG, "message.dated", level=logging.DEBUG, digest=message.digest.hex()[:16], source=str(arrived.source))
    return arrived.moment


def date_beside(body: Body) -> float | None:
    """Return when a message arrived as the From_ line above it says, in seconds since the epoch; None without one."""
    if not isinstance(body, HasEnvelope) or not body.envelope:
        return None
    moment = moment_of(body.envelope.partition(b" ")[2].partition(b" ")[2])
    return None if moment is None else moment.timestamp()
