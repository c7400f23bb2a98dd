"""Deleting at the source: request durable, DELE, STAT, QUIT. The only module that asks a session to delete.

It is handed evidence and rules, never numbers: what it sends DELE for is what ``deletion_rule.decide`` returns.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress

from migrator.errors import Advice, FerryError, Kind, Scope, StoppedError
from migrator.events import event
from migrator.ledger.lease import insist
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.listing import Marked
from migrator.pop3.session import Session
from migrator.run.context import RunContext
from migrator.run.deletion_rule import Allowance, Decision, DeletionRules, Evidence, decide
from migrator.run.plan import Column
from migrator.ui.text import plural

_LOG = logging.getLogger("migrator.run")

Proven = Mapping[Evidence, Column]
"""Messages of one session by what is known of them."""


def count_deletable(proven: Proven, rules: DeletionRules, now: float) -> int:
    """Return how many messages may be deleted."""
    return sum(len(messages) for evidence, messages in proven.items() if _may_go(evidence, rules, now))


def delete(context: RunContext, session: Session, proven: Proven, rules: DeletionRules, now: float) -> int:
    """Delete what may go and end the session; returns how many the server's reply to QUIT confirmed.

    The wish is durable before the first DELE. What does not fit afterwards, or a QUIT without a positive reply, raises:
    then the next listing decides what has gone. It raises ``LeaseLostError`` where another worker may have the account
    by now: before DELE, and before QUIT, without which no DELE counts.
    """
    deletable = {
        message.number: message.row
        for evidence, messages in proven.items()
        if _may_go(evidence, rules, now)
        for message in messages
    }
    if not deletable:
        end_without_deleting(context, session)
        return 0
    context.maildrop.deletion_requested(list(deletable.values()))
    context.effects.step("deletion.requested")
    try:
        return _delete(context, session, deletable)
    except StoppedError:
        raise  # the next listing tells what has gone
    except FerryError as error:
        reason = _ended_early(error) if isinstance(error, BrokenAtError) else error
        for row, problem in context.problems.of_all(deletable.values(), reason).items():
            context.counters.not_deleted(row, problem)
        raise


def end_without_deleting(context: RunContext, session: Session) -> None:
    """Say QUIT, unless another worker may have the account by now; nothing depends on the reply."""
    with suppress(FerryError):
        insist(context.ledger.lease, "QUIT")  # a server may delete at QUIT what was retrieved (EXPIRE 0)
        session.quit()
        event(_LOG, "session.quit", level=logging.DEBUG, account=context.job.name)
    session.abandon()


def too_many(allowance: Allowance) -> FerryError:
    """Return what is to be said where a run wants to delete more than it may."""
    return FerryError(
        Kind.REFUSED,
        f"{plural(allowance.wanted, 'message')} would be deleted at the source and --max-delete allows"
        f" {allowance.at_most}: none was deleted",
        cure="look at what `migrate --dry-run` lists, then allow more",
    )


def _may_go(evidence: Evidence, rules: DeletionRules, now: float) -> bool:
    return decide(evidence, rules, now) is Decision.DELETE


def _ended_early(error: BrokenAtError) -> FerryError:
    """Return what is to be said of the messages that another one kept from being deleted."""
    message = "the session ended before its QUIT, so that nothing was deleted"
    return FerryError(error.kind, message, server_words=error.server_words)


def _delete(context: RunContext, session: Session, deletable: dict[MessageNumber, MessageRow]) -> int:
    insist(context.ledger.lease, "DELE")
    refused = _send(context, session, deletable)
    gone = [row for number, row in deletable.items() if number not in refused]
    context.effects.step("source.dele-sent")
    shown = session.shows_marked()
    insist(context.ledger.lease, "QUIT")
    words = _quit(session)
    context.effects.step("source.quit")
    event(_LOG, "session.quit", level=logging.DEBUG, account=context.job.name)
    if shown is Marked.SHOWN:
        raise _unconfirmed(len(gone))
    context.maildrop.deleted(gone, words, context.effects.clock())
    context.effects.step("deletion.recorded")
    context.counters.deleted(gone)
    event(_LOG, "deletions.confirmed", level=logging.DEBUG, account=context.job.name, messages=len(gone), by="QUIT")
    return len(gone)


def _unconfirmed(count: int) -> FerryError:
    """Return the error for deletions that only the next listing can confirm; it says so only if that does not."""
    return FerryError(
        Kind.PROTOCOL,
        f"the server goes on showing {plural(count, 'message')} marked for deletion, and after QUIT, too",
        cure="delete what is left there by other means and set leave_on_server = true; all copies are proven",
        advice=Advice.NOW,
    )


def _quit(session: Session) -> str:
    try:
        return session.quit()
    except FerryError as error:
        error.advice = Advice.NOW  # another session tells what has gone
        raise


def _send(context: RunContext, session: Session, deletable: dict[MessageNumber, MessageRow]) -> set[MessageNumber]:
    refused: set[MessageNumber] = set()
    limits: list[FerryError] = []
    try:
        for number, error in session.delete(deletable):
            if error is None:
                continue
            refused.add(number)
            if error.scope is not Scope.MESSAGE:
                limits.append(error)
                continue
            row = deletable[number]
            context.counters.not_deleted(row, context.problems.of(row, error))
    except BrokenAtError as error:
        context.suspects.broke_at(deletable[error.number], error, is_archived=True)
        raise
    if limits:
        context.counters.problem(limits[0])  # it means the session: no message is at fault
    return refused
