"""Storing damaged copies again, from where their messages still are: the work of ``mailferry repair``."""

from __future__ import annotations

import json
from contextlib import closing

from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.archive.repair import Repaired
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.operations.repair import repair_copies


def accounts_of(task: Task) -> list[str]:
    """Return the accounts that a repair was asked for."""
    return [str(name) for name in json.loads(task.details)]


def _repair(task: Task, hands: Hands) -> str:
    config = hands.config
    accounts = config.select(accounts_of(task))
    with closing(Ledger.open(config.ledger_place)) as ledger:
        done = repair_copies(accounts, config, ledger)
    if not done.is_complete:
        raise FerryError(Kind.ARCHIVE, _in_words(done))
    return _in_words(done)


def _in_words(done: Repaired) -> str:
    """Say what was stored again, and what could not be."""
    mended, left = len(done.mended), len(done.hopeless)
    if not mended and done.is_complete:
        return _("Nothing had to be stored again: nothing is damaged any more.")
    stored = ngettext("%(number)d copy was stored again", "%(number)d copies were stored again", mended)
    said = stored % {"number": mended}
    if left:
        harm = ngettext(
            "%(number)d is still damaged: %(why)s", "%(number)d are still damaged, such as: %(why)s", left
        ) % {"number": left, "why": done.hopeless[0].reason}
        return f"{said}; {harm}."
    if done.unreachable:
        away = done.unreachable[0]
        return _("%(stored)s; %(place)s was left alone: %(why)s.") % {
            "stored": said,
            "place": away.destination,
            "why": away.error.message,
        }
    return _("%(stored)s: nothing is damaged any more.") % {"stored": said}


REPAIR = TaskKind(
    "repair", gettext_lazy("Store damaged copies again"), _repair, lambda task: ", ".join(accounts_of(task))
)
