"""Recognising mail whose unique-ids changed: by the digest of its headers, without retrieving it again.

When a maildrop moved to another host, or its server renumbered, everything looks new. TOP n 0 costs a line and a header
where RETR costs the message. A known message is recognised at most once, only where octets and header digest are
equal, the headers have something that tells messages apart, all that it could be has one and the same content, and
no more messages are like it than are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

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
    shown: defaultdict[_Key, list[MessageNumber]] = defaultdict(list)
    for number, facts in session.top(asked):
        if not isinstance(facts, FerryError) and facts.is_identifying:
            shown[asked[number], facts.digest].append(number)
    for key, numbers in shown.items():
        known = waiting.get(key, [])
        if len(numbers) <= len(known) and len({candidate.digest for candidate in known}) == 1:
            yield from zip(numbers, (candidate.row for candidate in known), strict=False)
