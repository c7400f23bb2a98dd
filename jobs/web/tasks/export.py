"""Mail to take away: what was chosen becomes one file, a zip of eml files or an mbox file."""

from __future__ import annotations

import json
from contextlib import closing

from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.tasks.chosen import Chosen
from jobs.web.tasks.files import refuse_full_disk
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.errors import FerryError, Kind
from migrator.interchange.exporter import Exported, Form
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.operations.export import export_messages

_LOOK_EVERY = 50
"""Messages between two looks at how full the disk is."""

FORMS = (Form.EML, Form.MBOX)
"""What an export from the page may be written as."""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export is to hold, and its form."""

    chosen: Chosen
    form: Form

    def as_details(self) -> str:
        """Return what is written down of it."""
        return json.dumps({**self.chosen.as_details(), "form": self.form})

    @classmethod
    def of(cls, task: Task) -> Export:
        """Return what a task was asked for."""
        details = json.loads(task.details)
        return cls(Chosen.of_details(details), Form(details["form"]))


def _export(task: Task, hands: Hands) -> str:
    wanted, config = Export.of(task), hands.config
    path = hands.file(f"mailferry-export-{task.number}{'.zip' if wanted.form is Form.EML else '.mbox'}")
    with closing(Ledger.open(config.ledger_place)) as ledger:
        digests = wanted.chosen.wanted(config, ledger)
        total = wanted.chosen.count(digests, config, ledger)

        def on_progress(count: int) -> None:
            hands.went_on(count, None if total is None else max(total, count))
            if count % _LOOK_EVERY == 1:
                refuse_full_disk(path.parent, config)

        accounts = wanted.chosen.accounts(config)
        done = export_messages(path, wanted.form, accounts, config, ledger, wanted=digests, on_progress=on_progress)
    if not done.written:
        raise FerryError(Kind.REFUSED, _first(done) if done.failed else _("no message was found to write"))
    return _in_words(done)


def _first(done: Exported) -> str:
    return str(done.failed[0][2])


def _in_words(done: Exported) -> str:
    written = ngettext("%(number)d message was written", "%(number)d messages were written", done.written)
    said = written % {"number": done.written}
    if not done.failed:
        return f"{said}."
    failed = ngettext("%(number)d could not be: %(why)s", "%(number)d could not be, such as: %(why)s", len(done.failed))
    return f"{said}; {failed % {'number': len(done.failed), 'why': _first(done)}}."


EXPORT = TaskKind("export", gettext_lazy("Save messages"), _export, lambda task: Export.of(task).chosen.in_words())
