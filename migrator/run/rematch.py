"""Recognising a maildrop whose unique-ids have all changed: by the digests of its headers, without retrieving it again.

When a maildrop moved to another host, its server renumbered, or showed nothing once, everything looks new. TOP n 0
costs a line and a header where RETR costs the message. But headers are no proof of content: a twin with the same
headers and another body exists, however rarely. So a maildrop is recognised as a whole or not at all: not one unique-id
of the listing is known, and what it last held stands there again, by octets and header digest, all of it or, of much,
nearly all. What is new among what is known is retrieved, and its digest tells. A known message is recognised at most
once, it has a Message-ID, all that it could be has one and the same content, and no more messages are like it than are
known. A server whose unique-ids are message numbers, or which has none, tells nothing new each time: there only content
counts. Nothing that was so recognised is deleted before a RETR has given it under its new unique-id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from migrator.errors import FerryError, Kind
from migrator.ledger.listings import Candidate
from migrator.ledger.maildrops import MaildropLedger
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.session import Session

_FEWEST = 5
"""Fewer messages make no maildrop that could be known again; they are retrieved."""

_MISSING_IN = 10
"""One in ten may be missing: of a large maildrop something has always been deleted meanwhile."""

_Key = tuple[int, bytes]


def rematch(session: Session, maildrop: MaildropLedger) -> None:
    """Hold a listing of which nothing is known against the last one, and note which messages were recognised."""
    if not maildrop.has_telling_unique_ids():
        return
    candidates = maildrop.last_listed()
    fewest = max(_FEWEST, len(candidates) - len(candidates) // _MISSING_IN)
    candidates = [candidate for candidate in candidates if candidate.message_id]
    asked = maildrop.unknown({candidate.octets for candidate in candidates})
    if min(len(candidates), len(asked)) < fewest:
        return
    try:
        pairs = list(_pairs(session, asked, candidates))
    except FerryError as error:
        if error.kind is not Kind.REFUSED:
            raise
        return  # the server has no TOP: everything is retrieved, and digests tell
    if len(pairs) >= fewest:
        maildrop.recognised(pairs)


def _pairs(
    session: Session, asked: dict[MessageNumber, int], candidates: list[Candidate]
) -> Iterator[tuple[MessageNumber, MessageRow]]:
    waiting: defaultdict[_Key, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        waiting[candidate.octets, candidate.header_digest].append(candidate)
    shown: defaultdict[_Key, list[MessageNumber]] = defaultdict(list)
    for number, facts in session.top(asked):
        if not isinstance(facts, FerryError):
            shown[asked[number], facts.digest].append(number)
    for key, numbers in shown.items():
        known = waiting.get(key, [])
        if len(numbers) <= len(known) and len({candidate.digest for candidate in known}) == 1:
            yield from zip(numbers, (candidate.row for candidate in known), strict=False)
