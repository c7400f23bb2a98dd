"""The parts of the pages that move: the overview's light and mailboxes, and what stands on the page of a mailbox.

The pages themselves are made of the same templates, so that a part that is sent is the one that a reload would show.
None of them has a form: a form belongs to one session, and a part to all who see the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from jobs.web.language import Language, speaking
from jobs.web.live.board import Parts
from jobs.web.mailbox import MailboxView, mailbox_view
from jobs.web.people import User
from jobs.web.site import Site
from jobs.web.standing import Overview, Standing, overview_of
from jobs.web.templates import rendered
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import replace


def unlike(findings: Sequence[Finding], *others: str) -> str:
    """Return the id of a mark that a page has of what it shows and no part renews: another mark, another page."""
    known = [(one.id, one.subject, one.text, str(one.severity), one.accounts) for one in findings]
    return f"as-of-{sha256(repr((known, others)).encode()).hexdigest()[:16]}"


def _marked(mark: str) -> Parts:
    return {mark: f'<span id="{mark}" hidden></span>'}


class OverviewSource:
    """The parts of the overview of those who see the same accounts."""

    def __init__(self, site: Site, user: User, language: Language) -> None:
        self._site = site
        self._user = user
        self._language = language
        self._mailboxes: Mapping[str, Standing] = {}
        self._now = 0.0

    def seen(self) -> object:
        """Return what of the worker concerns these accounts, and the rest only where all of it is seen."""
        seen = self._site.worker.seen()
        if self._user.sees_everything:
            return seen
        return [seen.of(name) for name in sorted(self._user.accounts)]

    def whole(self) -> Parts:
        """Return every part."""
        found = overview_of(self._site, self._user)
        self._mailboxes, self._now = {one.name: one for one in found.mailboxes}, found.now
        with speaking(self._language):
            light = rendered("live/light.html", light=found.light, sentence=found.sentence)
            rows = {f"row-{one.name}": self._row(one) for one in found.mailboxes}
        return {"light": light, **_marked(mark_of(found)), **rows}

    def moving(self) -> Parts:
        """Return the rows of the mailboxes that are worked now."""
        running = self._site.worker.progress()
        with speaking(self._language):
            return {
                f"row-{name}": self._row(replace(self._mailboxes[name], progress=progress))
                for name, progress in running.items()
                if name in self._mailboxes
            }

    def _row(self, one: Standing) -> str:
        return str(self._site.rows.html(one, self._now))


def mark_of(overview: Overview) -> str:
    """Return the mark of what an overview shows and no part renews."""
    names = (one.name for one in overview.mailboxes)
    return unlike(overview.findings, overview.refused, *overview.faults, *names)


class AccountSource:
    """The parts of the page of one mailbox."""

    def __init__(self, site: Site, user: User, language: Language, name: str) -> None:
        self._site = site
        self._user = user
        self._language = language
        self._name = name
        self._view: MailboxView | None = None

    def seen(self) -> object:
        """Return what of the worker concerns this mailbox."""
        return self._site.worker.seen().of(self._name)

    def whole(self) -> Parts:
        """Return every part; none where the mailbox is configured no more."""
        account = next((one for one in self._site.accounts(self._user) if one.name == self._name), None)
        self._view = None if account is None else mailbox_view(self._site, self._user, account)
        if self._view is None:
            return {}
        view = self._view
        with speaking(self._language):
            parts = {part: rendered(f"live/{part}.html", view=view) for part in ("moving", "numbers", "days", "runs")}
        return {**parts, **_marked(unlike(view.findings))}

    def moving(self) -> Parts:
        """Return how far its run is."""
        progress = self._site.worker.progress().get(self._name)
        if self._view is None or progress is None:
            return {}
        with speaking(self._language):
            return {"moving": rendered("live/moving.html", view=replace(self._view, progress=progress))}
