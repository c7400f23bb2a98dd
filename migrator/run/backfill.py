"""Filling what one of an account's destinations holds and another lacks, at every run.

A destination may have been added later, have been down, or been taken out and put back. What stands proven in another
one is read from there, compared with its digest, and copied like any other message: intended, stored, read back,
recorded. Folders are read before mailboxes. What no destination gives exactly comes from the source, while that still
lists it; else it is reported: ``ok`` means everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from migrator.copying.copier import Copier, Outcome
from migrator.errors import FerryError, Kind
from migrator.message.body import Body, LinesBody, Message
from migrator.message.dating import date_beside
from migrator.message.digest import digest_of_body
from migrator.message.line_ends import lines_of, pieces_of_lines
from migrator.message.spool import SpoolFile
from migrator.model import Content, Digest
from migrator.policy import WhenCopyIsGone
from migrator.run.context import RunContext
from migrator.ui.text import plural

_BATCH = 200
_MEMORY_LIMIT = 256 * 1024


def fill_destinations(context: RunContext) -> set[Digest]:
    """Copy what the account's destinations hold to those that lack it; returns what was copied.

    A destination that fails, or refuses a message, is reported, and filled by a later run.
    """
    filled: set[Digest] = set()
    for place, target in enumerate(context.targets.copiers):
        if place in context.targets.unusable:
            continue
        try:
            for digest, outcome in _fill(context, target):
                if isinstance(outcome, FerryError):
                    context.counters.problem(outcome, target.destination.label)
                else:
                    filled.add(digest)
        except FerryError as error:
            context.targets.unusable[place] = error
            context.counters.problem(error, target.destination.label)
    return filled


def report_unproven(context: RunContext) -> None:
    """Report copies that a server altered, whose messages the source did not list in this run: nothing else does."""
    for target in context.targets.copiers:
        if altered := context.maildrop.unproven_for_good(target.copies.destination_id):
            them = "it" if altered == 1 else "them"
            error = FerryError(
                Kind.UNPROVEN,
                f"{plural(altered, 'copy is', 'copies are')} kept as the server altered {them},"
                " and the source does not list the mail any more",
                cure='proof = "canonical" or "semantic" may accept that; see `mailferry verify`',
            )
            context.counters.problem(error, target.destination.label)


def _fill(context: RunContext, target: Copier) -> Iterator[tuple[Digest, Outcome]]:
    left: dict[Digest, str] = {}
    for place, source in _sources(context, target):
        remaining = iter(_lacking(context, target, source))
        while (batch := list(islice(remaining, _BATCH))) and not context.is_stopped:
            try:
                messages = _given(source, batch, context.spool_dir)
            except FerryError as error:
                context.targets.unusable[place] = error
                context.counters.problem(error, source.destination.label)
                break
            given = {message.digest for message in messages}
            left |= {content.digest: source.destination.label for content in batch if content.digest not in given}
            for message, outcome in zip(messages, target.copy(messages), strict=True):
                left.pop(message.digest, None)
                yield message.digest, outcome
    if left:
        _report(context, target, left)


_FAR = {"s3": 1, "imap": 2}


def _sources(context: RunContext, target: Copier) -> list[tuple[int, Copier]]:
    """Return the destinations, by place, that may give what another lacks: folders, then stores, then mailboxes."""
    usable = [
        (at, one)
        for at, one in enumerate(context.targets.copiers)
        if one is not target and at not in context.targets.unusable
    ]
    return sorted(usable, key=lambda pair: _FAR.get(pair[1].destination.kind, 0))


def _given(source: Copier, batch: Sequence[Content], spool_dir: Path) -> list[Message]:
    """Read what a destination gives exactly; what it does not give is judged, so that nobody relies on it again."""
    messages = read_archived(source, batch, spool_dir)
    given = {message.digest for message in messages}
    if doubtful := [content.digest for content in batch if content.digest not in given]:
        source.verify_again(doubtful)
    return messages


def _lacking(context: RunContext, target: Copier, source: Copier) -> list[Content]:
    return context.maildrop.lacking(
        target.copies.destination_id,
        source.copies.destination_id,
        restores_gone=target.destination.when_copy_is_gone is WhenCopyIsGone.RESTORE,
        accepted=context.targets.grades[target.copies.destination_id],
    )


def _report(context: RunContext, target: Copier, left: dict[Digest, str]) -> None:
    """Report what no destination gives and the source does not list any more."""
    lost = left.keys() - context.maildrop.are_listed(list(left))
    if lost:
        holders = ", ".join(sorted({left[digest] for digest in lost}))
        error = FerryError(
            Kind.ARCHIVE,
            f"{plural(len(lost), 'message')} of {holders} cannot be copied here: what stands there is altered or"
            f" unreadable, and the source no longer lists {'it' if len(lost) == 1 else 'them'}",
            cure="see what `mailferry verify` says of them",
        )
        context.counters.problem(error, target.destination.label)


def read_archived(source: Copier, contents: Sequence[Content], spool_dir: Path) -> list[Message]:
    """Read messages from one of an account's destinations; one that is not there, or not as it was, is left out."""
    copies = source.copies.find([content.digest for content in contents])
    located = [(content, copy.locator) for content in contents if (copy := copies.get(content.digest)) and copy.locator]
    bodies = source.destination.read([locator for _, locator in located])
    messages: list[Message] = []
    for (content, _), stored in zip(located, bodies, strict=True):
        if isinstance(stored, FerryError):
            continue
        body = _kept(stored, spool_dir)
        if digest_of_body(body) == content.digest:
            known = (content.digest, content.header_digest, content.message_id)
            messages.append(Message(*known, body.octets, body, date_beside(stored)))
    return messages


def _kept(stored: Body, spool_dir: Path) -> Body:
    """Keep a body beyond its turn: in memory, or in the spool if it is large."""
    octets = stored.octets
    if octets <= _MEMORY_LIMIT:
        return LinesBody(lines_of(stored))
    spool = SpoolFile(spool_dir)
    for lines in pieces_of_lines(stored):
        spool.write(lines)
    return spool.body(octets)
