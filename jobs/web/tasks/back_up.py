"""A backup of the settings to take away: what ``mailferry backup-state`` writes, as a file that is kept for a day.

Passwords that stand in the configuration are stars in it, and a key that secrets are encrypted with is not in it.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from jobs.web.language import gettext as _, gettext_lazy
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.config.redaction import without_passwords
from migrator.ledger import Ledger
from migrator.operations.backup_state import backup_state


def _back_up(_task: Task, hands: Hands) -> str:
    now = hands.clock()
    path = hands.file(f"mailferry-backup-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.tar.gz")
    config = hands.config
    with closing(Ledger.open(config.ledger_place)) as ledger:
        done = backup_state(path, config, ledger, without_passwords, clock=hands.clock)
    if done.left_out:
        return _("The backup is there, but %(files)s could not be put into it: back that up by hand.") % {
            "files": ", ".join(done.left_out)
        }
    if done.ledger_by:
        return _("The backup is there, without the ledger, which is in a database. Back that up with: %(command)s") % {
            "command": done.ledger_by
        }
    return _("The backup is there. Keep it on another machine.")


BACK_UP = TaskKind("back-up", gettext_lazy("Back up the settings"), _back_up, is_quick=True)
