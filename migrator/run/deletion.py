"""Leaving a source: prove what is to go, DELE it, and let the reply to QUIT decide what counts as deleted."""

from __future__ import annotations

from contextlib import suppress

from migrator.errors import Advice, FerryError, GoneError, Kind
from migrator.message.digest import HeaderFacts
from migrator.model import Content, Digest, MessageNumber, MessageRow
from migrator.pop3.listing import Marked
from migrator.pop3.protocol import BrokenAtError
from migrator.pop3.session import Session
from migrator.run.context import RunContext
from migrator.run.fetch import Fetcher
from migrator.run.plan import Column


def prove_by_headers(context: RunContext, session: Session, fetcher: Fetcher, due: Column) -> Column:
    """Prove known messages by octets and header digest (TOP n 0), and their copies by reading them again.

    What is proven becomes deletable; what is not is reported. Returns the messages for which only their content can
    tell: no RETR has given it under its present unique-id, or the server does not show its headers or changed what was
    stored.
    """
    retrieved = context.maildrop.retrieved([message.row for message in due])
    rows = {message.number: message.row for message in due if message.row in retrieved}
    try:
        shown = dict(session.top(rows))
    except FerryError as error:
        if error.kind is not Kind.REFUSED:
            raise
        return due
    groups = context.maildrop.contents_sharing_unique_id(list(rows.values()))
    copies = fetcher.prove_copies(list({content.digest for group in groups.values() for content in group}))
    by_content = Column()
    proven: list[tuple[MessageNumber, MessageRow]] = []
    for number, row, octets in due:
        match _verdict(shown[number], groups[row], copies) if number in rows else None:
            case None:
                by_content.append(number, row, octets)
            case GoneError() as gone:
                context.counters.noted(gone.message)
            case FerryError() as doubt:
                context.counters.not_deleted(row, context.problem_of(row, doubt))
            case Content() as content:
                context.handled(content.digest)
                context.counters.verified_again()
                proven.append((number, row))
    context.maildrop.headers_read([row for _, row in proven])
    for number, row in proven:
        fetcher.proven_by_headers(number, row)
    return by_content


def _verdict(
    facts: HeaderFacts | FerryError, candidates: set[Content], copies: dict[Digest, FerryError | None]
) -> Content | FerryError | None:
    """Return the content that is proven at both ends, or what speaks against it; None if headers cannot tell."""
    if isinstance(facts, FerryError):
        return None
    content = _shown(facts, candidates)
    if isinstance(content, FerryError):
        return content
    doubt = copies[content.digest]
    if doubt is None:
        return content
    return None if doubt.kind is Kind.UNPROVEN else doubt


def _shown(facts: HeaderFacts, candidates: set[Content]) -> Content | FerryError:
    """Return the content that the source shows the headers of."""
    matches = [content for content in candidates if content.header_digest == facts.digest]
    if not matches:
        return FerryError(Kind.CHANGED, "the source now shows other headers for this message than were copied")
    if len(matches) > 1:
        return FerryError(
            Kind.AMBIGUOUS,
            "several messages share this unique-id and these headers, so that headers cannot tell which one this is",
            cure='proof_before_delete = "content" can',
        )
    return matches[0]


def delete(context: RunContext, session: Session, deletable: dict[MessageNumber, MessageRow]) -> int:
    """Delete these messages and end the session; returns how many the server's reply to QUIT confirmed.

    The wish is durable before the first DELE. What does not fit afterwards, or a QUIT without a positive reply, raises:
    then the next listing decides what has gone.
    """
    if not deletable:
        with suppress(FerryError):  # nothing depends on it
            session.quit()
        session.abandon()
        return 0
    context.maildrop.deletion_requested(list(deletable.values()))
    context.effects.step("deletion.requested")
    try:
        return _delete(context, session, deletable)
    except FerryError as error:
        reason = _ended_early(error) if isinstance(error, BrokenAtError) else error
        for row in deletable.values():
            context.counters.not_deleted(row, context.problem_of(row, reason))
        raise


def _ended_early(error: BrokenAtError) -> FerryError:
    """Return what is to be said of the messages that another one kept from being deleted."""
    message = "the session ended before its QUIT, so that nothing was deleted"
    return FerryError(error.kind, message, server_words=error.server_words)


def _delete(context: RunContext, session: Session, deletable: dict[MessageNumber, MessageRow]) -> int:
    refused = _send(context, session, deletable)
    gone = [row for number, row in deletable.items() if number not in refused]
    context.effects.step("source.dele-sent")
    shown = session.shows_marked()
    words = _quit(session)
    context.effects.step("source.quit")
    if shown is Marked.SHOWN:
        raise _unconfirmed(len(gone))
    context.maildrop.deleted(gone, words, context.effects.clock())
    context.effects.step("deletion.recorded")
    context.counters.deleted(gone)
    return len(gone)


def _unconfirmed(count: int) -> FerryError:
    """Return the error for deletions that only the next listing can confirm; it says so only if that does not."""
    return FerryError(
        Kind.PROTOCOL,
        f"the server goes on showing the {count} messages that were marked for deletion, and after QUIT, too",
        cure="delete them there by other means and set leave_on_server = true; their copies are proven",
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
    try:
        for number, error in session.delete(deletable):
            if error is not None:
                refused.add(number)
                row = deletable[number]
                context.counters.not_deleted(row, context.problem_of(row, error))
    except BrokenAtError as error:
        context.suspects.broke_at(deletable[error.number], error, is_archived=True)
        raise
    return refused


def too_many(context: RunContext, wanted: int) -> bool:
    """Say whether the run wants to delete more than it may; then none is deleted, and the report says so."""
    limit = context.job.policy.max_delete
    if limit is None or wanted <= limit:
        return False
    context.counters.problem(
        FerryError(
            Kind.REFUSED,
            f"{wanted} messages would be deleted at the source and --max-delete allows {limit}: none was deleted",
            cure="look at what `migrate --dry-run` lists, then allow more",
        )
    )
    return True
