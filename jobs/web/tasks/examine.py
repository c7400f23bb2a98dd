"""A thorough look for everything that is or will go wrong."""

from __future__ import annotations

from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.tasks.kind import Examined, Hands, TaskKind
from jobs.web.tasks.task import Task


def _examine(_task: Task, hands: Hands) -> str:
    findings = list(hands.worker.examine())
    hands.note_examined(Examined(hands.clock(), findings))
    if not findings:
        return _("Nothing was found.")
    return ngettext("One thing was found.", "%(number)d things were found.", len(findings)) % {"number": len(findings)}


EXAMINE = TaskKind("examine", gettext_lazy("Look thoroughly"), _examine, see="/care")
