"""Proving known messages at both ends without retrieving them: octets and header digest there, every copy here.

Only where the owner asks for no more (``proof_before_delete = "headers"``), and only for a message of which an earlier
RETR under its present unique-id gave the content.
"""

from __future__ import annotations

from migrator.copying.fan_out import FanOut
from migrator.errors import FerryError, GoneError, Kind
from migrator.message.digest import HeaderFacts
from migrator.model import Content, Digest, MessageNumber, MessageRow
from migrator.pop3.session import Session
from migrator.run.context import RunContext
from migrator.run.plan import Column


def prove_by_headers(context: RunContext, session: Session, fan_out: FanOut, due: Column) -> tuple[Column, Column]:
    """Prove known messages by octets and header digest (TOP n 0), and their copies by reading them again.

    Returns the messages for which only their content can tell (no RETR has given it under its present unique-id, or the
    server does not show its headers or changed what was stored), and those that are proven. The others are reported.
    """
    retrieved = context.maildrop.retrieved([message.row for message in due])
    rows = {message.number: message.row for message in due if message.row in retrieved}
    try:
        shown = dict(session.top(rows))
    except FerryError as error:
        if error.kind is not Kind.REFUSED:
            raise
        return due, Column()
    groups = context.maildrop.contents_sharing_unique_id(list(rows.values()))
    copies = fan_out.verify_again(list({content.digest for group in groups.values() for content in group}))
    by_content, proven = Column(), Column()
    for message in due:
        match _verdict(message.number, message.row, shown, groups, copies):
            case None:
                by_content.append(*message)
            case GoneError() as gone:
                context.counters.noted(gone.message)
            case FerryError() as doubt:
                context.counters.not_deleted(message.row, context.problems.of(message.row, doubt))
            case Content() as content:
                context.handled.add(content.digest)
                context.counters.verified(message.row)
                proven.append(*message)
    context.maildrop.headers_read([message.row for message in proven])
    return by_content, proven


def _verdict(
    number: MessageNumber,
    row: MessageRow,
    shown: dict[MessageNumber, HeaderFacts | FerryError],
    groups: dict[MessageRow, set[Content]],
    copies: dict[Digest, FerryError | None],
) -> Content | FerryError | None:
    """Return the content that is proven at both ends, or what speaks against it; None if headers cannot tell."""
    facts = shown.get(number)
    if facts is None or isinstance(facts, FerryError):
        return None
    content = _shown(facts, groups[row])
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
