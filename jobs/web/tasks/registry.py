"""Everything that can be asked for: another kind of task is a module of its own, and a name here."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.web.tasks.back_up import BACK_UP
from jobs.web.tasks.examine import EXAMINE
from jobs.web.tasks.export import EXPORT
from jobs.web.tasks.kind import TaskKind
from jobs.web.tasks.leave import LEAVE
from jobs.web.tasks.reindex import REINDEX
from jobs.web.tasks.repair import REPAIR
from jobs.web.tasks.restore import RESTORE
from jobs.web.tasks.tell_test import TELL_TEST
from jobs.web.tasks.verify import VERIFY

KINDS: Sequence[TaskKind] = (
    VERIFY,
    EXAMINE,
    EXPORT,
    RESTORE,
    LEAVE,
    BACK_UP,
    REPAIR,
    REINDEX,
    TELL_TEST,
)
