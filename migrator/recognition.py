"""Recognising mail whose unique-ids changed: by the digest of its headers, without retrieving it again.

When a maildrop moved to another host, or its server renumbered, everything looks new. TOP n 0 costs a line and a header
where RETR costs the message. A known message is recognised at most once, only where octets and header digest are
equal, the headers have something that tells messages apart, and all that it could be has one and the same content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from migrator.digest import HeaderFacts
from migrator.errors import FerryError, Kind
from migrator.ledger.maildrops import Candidate, MaildropLedger
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.session import Session

_Key = tuple[int, bytes]


def recognise(session: Session, maildrop: MaildropLedger) -> int:
    """Hold unknown messages against known ones that are not listed; returns how many were recognised."""
    candidates = list(maildrop.candidates())
    if not candidates:
        return 0
    asked = maildrop.unknown({candidate.octets for candidate in candidates})
    try:
        pairs = list(_pairs(session, asked, candidates))
    except FerryError as error:
        if error.kind is not Kind.REFUSED:
            raise
        return 0  # the server has no TOP: everything is retrieved, and digests tell
    maildrop.recognised(pairs)
    return len(pairs)


def _pairs(
    session: Session, asked: dict[MessageNumber, int], candidates: list[Candidate]
) -> Iterator[tuple[MessageNumber, MessageRow]]:
    waiting: defaultdict[_Key, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        waiting[candidate.octets, candidate.header_digest].append(candidate)
    for number, facts in session.top(asked):
        if isinstance(facts, FerryError) or not facts.is_identifying:
            continue
        if (row := _taken(waiting, asked[number], facts)) is not None:
            yield number, row


def _taken(waiting: defaultdict[_Key, list[Candidate]], octets: int, facts: HeaderFacts) -> MessageRow | None:
    rows = waiting.get((octets, facts.digest))
    if not rows or len({candidate.digest for candidate in rows}) > 1:
        return None
    return rows.pop(0).row
