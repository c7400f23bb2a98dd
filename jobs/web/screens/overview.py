"""The first page: one light, one sentence, and where each mailbox stands."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web.live.sources import mark_of
from jobs.web.standing import overview_of
from jobs.web.visit import Visit


def show(visit: Visit) -> Response:
    """Show how everything is that this user may see."""
    stamp = visit.site.streams.stamp  # before anything is read: what changes meanwhile is sent
    found = overview_of(visit.site, visit.user)
    return visit.page(
        "overview.html",
        light=found.light,
        sentence=found.sentence,
        rows=[visit.site.rows.html(one, found.now) for one in found.mailboxes],
        findings=found.findings,
        faults=found.faults,
        refused=found.refused,
        disks=found.disks,
        stamp=stamp,
        mark=mark_of(found),
    )
