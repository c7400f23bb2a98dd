"""What the button of a finding does: each is what a person can do elsewhere on the page, for all accounts it names."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.responses import Response

from jobs.web import words
from jobs.web.cures import OF_ALL, Act
from jobs.web.tasks.reindex import REINDEX
from jobs.web.tasks.repair import REPAIR
from jobs.web.tasks.verify import VERIFY
from jobs.web.visit import Refused, Visit, path_of_account
from jobs.web.words import Said
from migrator.config import Account
from migrator.operations.account_list import resume
from migrator.operations.trust_clock import trust_clock


def cure(visit: Visit) -> Response:
    """Do what a button asks for; each account in it is noted by itself."""
    accounts = [visit.account(name) for name in dict.fromkeys(visit.form.get("account", ()))]
    try:
        act = Act(visit.field("act"))
    except ValueError:
        raise Refused(400, words.NOT_READ) from None
    if not accounts and act not in OF_ALL:
        raise Refused(400, words.NOT_READ)
    for name in [account.name for account in accounts] or [""]:
        visit.note(str(act), name)
    match act:
        case Act.RUN:
            return _run(visit, accounts)
        case Act.CLOCK:
            with visit.site.ledger() as ledger:
                trust_clock(accounts, ledger)
            return _run(visit, accounts)
        case Act.RESUME:
            with visit.site.ledger() as ledger:
                resume(accounts, ledger)
            visit.site.worker.look_again()
            return visit.go_to(_back(accounts), Said.RESUMED)
        case Act.VERIFY:
            return _verify(visit, accounts)
        case Act.REPAIR:
            names = [account.name for account in accounts]
            subject = names[0] if len(names) == 1 else ""
            visit.site.tasks.ask(REPAIR, subject, visit.user.name, details=json.dumps(names))
            return visit.go_to("/jobs", Said.TASK_ASKED)
        case Act.REINDEX:
            visit.site.tasks.ask(REINDEX, "", visit.user.name)
            return visit.go_to("/jobs", Said.TASK_ASKED)


def _run(visit: Visit, accounts: Sequence[Account]) -> Response:
    for account in accounts:
        visit.site.worker.try_now(account.name)
    return visit.go_to(_back(accounts), Said.RUN_ASKED if len(accounts) == 1 else Said.RUNS_ASKED)


def _verify(visit: Visit, accounts: Sequence[Account]) -> Response:
    """Ask for one task for all of them, where all are meant."""
    is_all = len(accounts) == len(visit.site.worker.config().accounts)
    for name in [""] if is_all else [account.name for account in accounts]:
        visit.site.tasks.ask(VERIFY, name, visit.user.name)
    return visit.go_to("/jobs", Said.TASK_ASKED)


def _back(accounts: Sequence[Account]) -> str:
    return path_of_account(accounts[0].name) if len(accounts) == 1 else "/"
