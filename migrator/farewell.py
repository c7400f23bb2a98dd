"""Leaving a source: prove what is to go, DELE it, and let the reply to QUIT decide what counts as deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.digest import HeaderFacts
from migrator.errors import Advice, FerryError, Kind
from migrator.haul import Haul
from migrator.model import HeaderDigest, MessageNumber, MessageRow
from migrator.plan import Column
from migrator.pop3.session import Session
from migrator.report import Problem

if TYPE_CHECKING:
    from migrator.run import AccountRun


def prove_by_headers(run: AccountRun, session: Session, haul: Haul, due: Column) -> Column:
    """Prove known messages by octets and header digest (TOP n 0), and their copies by reading them again.

    What is proven becomes deletable; what is not is reported. Returns the messages for which only their content
    can tell, because the server has no TOP.
    """
    rows = {message.number: message.row for message in due}
    try:
        shown = dict(session.top(rows))
    except FerryError as error:
        if error.kind is not Kind.REFUSED:
            raise
        return due
    contents = run.maildrop.contents(list(rows.values()))
    copies = haul.prove_copies([content.digest for content in contents.values()])
    for number, row in rows.items():
        content = contents[row]
        doubt = _header_doubt(shown[number], content.header_digest) or copies[content.digest]
        if doubt is None:
            haul.deletable[number] = row
            run.tally.verified_again()
        else:
            run.tally.not_deleted(row, problem_of(run, row, doubt))
    return Column()


def _header_doubt(facts: HeaderFacts | FerryError, recorded: HeaderDigest) -> FerryError | None:
    if isinstance(facts, FerryError):
        return facts
    if facts.digest == recorded:
        return None
    return FerryError(Kind.CHANGED, "the source now shows other headers for this message than were copied")


def delete(run: AccountRun, session: Session, deletable: dict[MessageNumber, MessageRow], listed: int) -> int:
    """Delete these messages and end the session; returns how many the server's reply to QUIT confirmed.

    The wish is durable before the first DELE. A count that does not fit afterwards, or a QUIT without a positive
    reply, raises: then the next listing decides what has gone.
    """
    if not deletable:
        with suppress(FerryError):  # nothing depends on it
            session.quit()
        session.abandon()
        return 0
    run.maildrop.deletion_requested(list(deletable.values()))
    run.around.step("deletion.requested")
    try:
        return _delete(run, session, deletable, listed)
    except FerryError as error:
        for row in deletable.values():
            run.tally.not_deleted(row, problem_of(run, row, error))
        raise


def _delete(run: AccountRun, session: Session, deletable: dict[MessageNumber, MessageRow], listed: int) -> int:
    refused = _send(run, session, deletable)
    gone = [row for number, row in deletable.items() if number not in refused]
    run.around.step("source.dele-sent")
    count = session.stat().count
    if count != listed - len(gone):
        raise FerryError(
            Kind.PROTOCOL,
            f"after deleting {len(gone)} of {listed} messages the server counts {count}; nothing was deleted",
        )
    words = _quit(session)
    run.around.step("source.quit")
    run.maildrop.deleted(gone, words, run.around.clock())
    run.around.step("deletion.recorded")
    run.tally.deleted(gone)
    return len(gone)


def _quit(session: Session) -> str:
    try:
        return session.quit()
    except FerryError as error:
        error.advice = Advice.NOW  # another session tells what has gone
        raise


def _send(run: AccountRun, session: Session, deletable: dict[MessageNumber, MessageRow]) -> set[MessageNumber]:
    refused: set[MessageNumber] = set()
    for number, error in session.delete(list(deletable)):
        if error is not None:
            refused.add(number)
            row = deletable[number]
            run.tally.not_deleted(row, problem_of(run, row, error))
    return refused


def too_many(run: AccountRun, wanted: int) -> bool:
    """Say whether the run wants to delete more than it may; then none is deleted, and the report says so."""
    limit = run.job.policy.max_delete
    if limit is None or wanted <= limit:
        return False
    run.tally.trouble(
        FerryError(
            Kind.REFUSED,
            f"{wanted} messages would be deleted at the source and --max-delete allows {limit}: none was deleted",
            cure="look at what `migrate --dry-run` lists, then allow more",
        )
    )
    return True


def problem_of(run: AccountRun, row: MessageRow, error: FerryError) -> Problem:
    """Name the message of a ledger row in a problem."""
    return Problem.of(error, unique_id=run.maildrop.unique_ids([row]).get(row))
