"""The end of an old provider: a list of what has to be true, deleting what is left there, and a report to print."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.leaving import Facts, Item, blocking, checklist, left_at_provider
from jobs.web.leaving_facts import facts_of, status_of
from jobs.web.tasks.leave import LEAVE, Leave
from jobs.web.visit import Refused, Visit
from jobs.web.wishes import policy_in_words
from jobs.web.words import Said
from migrator.config import Account

LONGEST_NUMBER = 18


def show(visit: Visit) -> Response:
    """Show the list."""
    account = _account(visit)
    return _page(visit, account, _facts(visit, account))


def _account(visit: Visit) -> Account:
    return visit.account(visit.request.path_params["name"])


def _facts(visit: Visit, account: Account) -> Facts:
    with visit.site.ledger() as ledger:
        return facts_of(account, visit.site.worker, ledger, visit.site.clock())


def _page(visit: Visit, account: Account, facts: Facts, problem: str = "", status: int = 200) -> Response:
    checks = checklist(facts)
    return visit.page(
        "leave.html",
        status,
        account=account,
        policy=policy_in_words(account.source.leave_on_server),
        checks=checks,
        is_blocked=bool(blocking(checks)),
        wants_backup=not _has_second_copy(facts),
        left=left_at_provider(facts),
        problem=problem,
    )


def _has_second_copy(facts: Facts) -> bool:
    return any(check.item is Item.SECOND_COPY and check.is_met for check in checklist(facts))


def delete_rest(visit: Visit) -> Response:
    """Put the deletion of what is left into the queue; wants the number typed, and one's own password, always."""
    account = _account(visit)
    facts = _facts(visit, account)
    if blocking(checklist(facts)) or not left_at_provider(facts):
        raise Refused(409, words.NOT_LEFT_YET)
    problem = _problem(visit, facts) or problem_of_own(visit, is_always=True)
    if problem:
        return _page(visit, account, facts, problem, 422)
    left = left_at_provider(facts)
    number = visit.site.tasks.ask(LEAVE, account.name, visit.user.name, details=Leave(left).as_details())
    word = "" if _has_second_copy(facts) else "; a backup exists, says the user"
    visit.note("delete the rest at the provider", account.name, f"job {number}: at most {left}{word}")
    return visit.go_to("/jobs", Said.TASK_ASKED)


def _problem(visit: Visit, facts: Facts) -> str:
    """Say what is missing in the form; empty where nothing is."""
    typed = "".join(one for one in visit.field("number") if one not in " .,'\u2019\u00a0\u202f")
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= LONGEST_NUMBER
    if not is_number or int(typed) != left_at_provider(facts):
        return words.WRONG_NUMBER
    if not _has_second_copy(facts) and not visit.field("backup"):
        return words.NO_BACKUP
    return ""


def report(visit: Visit) -> Response:
    """Show what was where, in a form to print."""
    account = _account(visit)
    with visit.site.ledger() as ledger:
        status = status_of(account, visit.site.worker, ledger)
        facts = facts_of(account, visit.site.worker, ledger, visit.site.clock())
        archived = ledger.overview.contents_of(account.name)
        days = ledger.receipts.by_day(account.name)
        first_copy = ledger.overview.first_copies([account.name]).get(account.name, 0.0)
    return visit.page(
        "leave_report.html",
        account=account,
        status=status,
        facts=facts,
        checks=checklist(facts),
        archived=archived,
        days=days,
        first_copy=first_copy,
        now=visit.site.clock(),
    )
