"""Findings about sign-ins: who must sign in, and whose sign-in is near its end. Pure.

Looking at what is kept tells most of it. That a mailbox refuses a token which its provider issues, only a run or a look
at the mailbox tells; it is over as soon as somebody has signed in since.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.findings.accounts import FOR_GOOD
from migrator.findings.draft import Draft
from migrator.findings.facts import AccountFacts, EndFacts, Facts, ProblemFacts

NEEDED = "sign-in-needed"


def of_sign_ins(facts: Facts) -> Iterator[Draft]:
    """Yield what a person must do about the sign-ins of each account."""
    for account in facts.accounts:
        yield from _needed(account, [end for end in facts.ends if end.account == account.name])
        for sign_in in account.sign_ins:
            if sign_in.ending:
                words = {"who": sign_in.label, "ending": sign_in.ending}
                cause = f"{account.name} {sign_in.label}"
                yield Draft("sign-in-ending", cause, (account.name,), words=words, verb="sign-in")


def _needed(account: AccountFacts, asked: list[EndFacts]) -> Iterator[Draft]:
    reason = next((sign_in.trouble for sign_in in account.sign_ins if sign_in.trouble), "")
    if not reason:
        problem = next((one for one in _met(account, asked) if one.finding == NEEDED), None)
        reason = problem.message if problem is not None else ""
    if reason:
        since = account.last_run.failing_since if account.last_run else 0.0
        words = {"problem": reason}
        yield Draft(NEEDED, account.name, (account.name,), words=words, since=since, verb="sign-in", tries=FOR_GOOD)


def _met(account: AccountFacts, asked: list[EndFacts]) -> Iterator[ProblemFacts]:
    """Yield what was met at the mailboxes: now, where they were asked, else in the last run."""
    if asked:
        yield from (end.problem for end in asked if end.problem is not None)
    elif account.last_run is not None:
        signed_in = max((sign_in.signed_in_at for sign_in in account.sign_ins), default=0.0)
        if signed_in <= account.last_run.started_at:
            yield from account.last_run.problems
