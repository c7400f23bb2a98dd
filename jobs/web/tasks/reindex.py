"""Making the search index again from the archive; no mail depends on it."""

from __future__ import annotations

from contextlib import closing

from jobs.web.language import gettext_lazy, ngettext
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.ledger import Ledger
from migrator.operations.reindex import reindex


def _reindex(_task: Task, hands: Hands) -> str:
    config = hands.config
    with closing(Ledger.open(config.ledger_place)) as ledger:
        done = reindex(config, ledger, on_progress=hands.went_on)
    unread = sum(done.unread.values())
    found = ngettext("%(number)d message can be found", "%(number)d messages can be found", done.added)
    said = found % {"number": done.added}
    if not unread:
        return f"{said}."
    left = ngettext("%(number)d could not be read yet: %(why)s", "%(number)d could not be read yet: %(why)s", unread)
    return f"{said}; {left % {'number': unread, 'why': next(iter(done.unread))}}."


REINDEX = TaskKind("reindex", gettext_lazy("Make the search index again"), _reindex)
