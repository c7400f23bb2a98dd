"""What the ledger knows of a source: which messages it showed, when, and what became of each.

What a listing shows is matched and noted in ``listings``. A row is one message that was seen: unique-id and announced
octets are its attributes, never its key, because servers give a unique-id again, give it to several messages, or have
none (RFC 1939, section 7).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from migrator.ledger.acceptance import let_lapse
from migrator.ledger.contents import THE_CONTENTS, places
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Sql
from migrator.ledger.history import log_deletions
from migrator.ledger.kept_numbers import numbers_changed
from migrator.ledger.listings import ListingLedger
from migrator.model import Content, Digest, KnownMessage, MessageNumber, MessageRow, Proof, UniqueId
from migrator.policy import WhenCopyIsGone

_CHUNK = 10_000
_PAGE = 2_000

_THIS_SESSION = "(select session from maildrops where maildrops.id = messages.maildrop_id)"

_TAKEN_OUT = 1_000
"""What a copy that a person took out adds to ``_holders``, where one that is there adds 1."""

Destinations = Mapping[int, WhenCopyIsGone]
"""An account's destinations by the ledger's numbers, each with what a copy that a person took out counts for."""


def _holders(destinations: Destinations) -> str:
    """Return SQL that counts the destinations which hold the content ``c``, and those it was taken out of.

    Only what was proven may be missing and count as held.
    """
    accepting = _numbers(number for number, when in destinations.items() if when is WhenCopyIsGone.ACCEPT)
    keeping = _numbers(number for number, when in destinations.items() if when is not WhenCopyIsGone.RESTORE)
    return (
        "(select coalesce(sum(case when k.state = 'verified' then 1 when k.state != 'gone' then 0"
        f" when k.destination_id in {accepting} and k.verified_at is not null then 1"
        f" when k.destination_id in {keeping} then {_TAKEN_OUT} else 0 end), 0)"
        f" from copies k where k.content_id = c.id and k.destination_id in {_numbers(destinations)})"
    )


def _numbers(numbers: Iterable[int]) -> str:
    return f"({', '.join(map(str, numbers))})"


class MaildropLedger(ListingLedger):
    """One maildrop of one account: host, port and user under which unique-ids mean something."""

    def revisions(self, destinations: Destinations) -> tuple[int, ...]:
        """Return a number for each of these destinations, in order: another one once copies there are worth less.

        What is asked of them after this, and settles a listing, does so under these numbers only.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select revision from destinations where id in {_numbers(destinations)} order by id"
            ).fetchall()
        return tuple(revision for (revision,) in rows)

    def settled(self, key: bytes, now: float) -> int | None:
        """Return how many messages a listing with this fingerprint holds if nothing is to be done for any of them."""
        with self._connection.reading() as sql:
            row = sql.execute(
                "select settled_count from maildrops where id = ? and settled_key = ? and settled_until > ?",
                (self._id, key, now),
            ).fetchone()
        return int(row[0]) if row else None

    def listing_settled(self, key: bytes, count: int, until: float) -> None:
        """Note that for a listing with this fingerprint nothing is left to do before ``until``."""
        with self._connection.transaction() as sql:
            sql.execute(
                "update maildrops set settled_key = ?, settled_count = ?, settled_until = ? where id = ?",
                (key, count, until, self._id),
            )

    def clock(self) -> tuple[float | None, float | None]:
        """Return when the last run of this account began, and since when the clock is doubted; None each if never."""
        with self._connection.reading() as sql:
            query = "select max(last_run_at), max(clock_doubted_at) from maildrops where account = ?"
            last_run_at, doubted_at = sql.execute(query, (self._account,)).fetchone()
        return last_run_at, doubted_at

    def run_began(self, now: float) -> None:
        """Note that a run of this account begins."""
        with self._connection.transaction() as sql:
            sql.execute("update maildrops set last_run_at = null where account = ?", (self._account,))
            sql.execute("update maildrops set last_run_at = ? where id = ?", (now, self._id))

    def clock_doubted(self, since: float | None) -> None:
        """Note that the clock was seen to have jumped, and nobody has looked yet; None: it is right."""
        with self._connection.transaction() as sql:
            sql.execute("update maildrops set clock_doubted_at = ? where account = ?", (since, self._account))

    def listed(self, destinations: Destinations) -> Iterator[KnownMessage]:
        """Yield every message of the listing, in the order of their numbers.

        Before ``note`` an unknown message has the row that ``note`` would give it. Memory stays flat.
        """
        query = (
            "select l.number, l.unique_id, l.octets, coalesce(m.id, ? + l.number), coalesce(c.id, 0), c.digest,"
            f" case when c.id is null then 0 else {_holders(destinations)} end,"
            " coalesce(m.copied_at, l.copied_at), coalesce(p.kind, ''), coalesce(p.attempts, 0), p.last_at,"
            " p.accepted_at is not null"
            " from temp.listing l left join messages m on m.id = l.message_id"
            " left join contents c on c.id = coalesce(m.content_id, l.content_id)"
            " left join problems p on p.message_id = m.id where l.number > ? order by l.number limit ?"
        )
        everywhere = len(destinations)
        for row in self._pages(query):
            held, taken_out = row[6] % _TAKEN_OUT, row[6] // _TAKEN_OUT
            is_kept = taken_out > 0 and held + taken_out == everywhere
            yield KnownMessage._make((*row[:6], held == everywhere, *row[7:], is_kept))

    def _pages(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query about the listing answers, which begins behind a message's number, a page at a time."""
        last = 0
        while True:
            with self._connection.reading() as sql:
                (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
                rows = sql.execute(query, (base, last, _PAGE)).fetchall()
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def contents(self, rows: Sequence[MessageRow]) -> dict[MessageRow, Content]:
        """Return what these messages turned out to be; one that was never retrieved is left out."""
        with self._connection.reading() as sql:
            contents = sql.execute(
                "select m.id, c.digest, c.header_digest, c.message_id from json_each(?) as wanted"
                " cross join messages m on m.id = wanted.value join contents c on c.id = m.content_id",
                (json.dumps(rows),),
            )
            return {row: Content(*content) for row, *content in contents}

    def contents_sharing_unique_id(self, rows: Sequence[MessageRow]) -> dict[MessageRow, set[Content]]:
        """Return, for each message, what a RETR gave under its unique-id: more than one where a server repeats it."""
        groups: defaultdict[MessageRow, set[Content]] = defaultdict(set)
        with self._connection.reading() as sql:
            shared = sql.execute(
                "select m.id, c.digest, c.header_digest, c.message_id from json_each(?) as wanted"
                " cross join messages m on m.id = wanted.value"
                " cross join messages s on s.gone_at is null and s.is_retrieved = 1 and s.maildrop_id = m.maildrop_id"
                " and s.unique_id = m.unique_id and (s.id = m.id or m.unique_id != x'')"
                " join contents c on c.id = s.content_id",
                (json.dumps(rows),),
            )
            for row, *content in shared:
                groups[row].add(Content(*content))
        return dict(groups)

    def unique_ids(self, rows: Sequence[MessageRow]) -> dict[MessageRow, UniqueId]:
        """Return the unique-ids of these messages."""
        with self._connection.reading() as sql:
            query = "select m.id, m.unique_id from json_each(?) as wanted cross join messages m on m.id = wanted.value"
            return dict(sql.execute(query, (json.dumps(rows),)).fetchall())

    def lacking(
        self, target_id: int, source_id: int, *, restores_gone: bool, accepted: Collection[Proof] = ()
    ) -> list[Content]:
        """Return what this account has proven in one destination and not at all in another, in archive order.

        What stands there unproven, altered no more than is ``accepted`` by now, counts as lacking: it can be proven.
        Where accounts share the first, a content belongs to those whose maildrops showed it, and to all if none did.
        """
        is_there = "t.state != 'intended'" + (" and t.state != 'gone'" if restores_gone else "")
        if accepted:
            grades = ", ".join(f"'{proof}'" for proof in accepted)
            is_there += f" and not (t.state = 'unproven' and t.proof in ({grades}))"
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select c.digest, c.header_digest, c.message_id from copies s join contents c on c.id = s.content_id"
                " where s.destination_id = ?1 and s.state = 'verified' and not exists (select 1 from copies t"
                f"  where t.destination_id = ?2 and t.content_id = s.content_id and {is_there})"
                " and (exists (select 1 from messages m join maildrops d on d.id = m.maildrop_id"
                "   where m.content_id = s.content_id and d.account = ?3)"
                "  or not exists (select 1 from messages m where m.content_id = s.content_id))"
                " order by s.volume_id, s.offset, s.id",
                (source_id, target_id, self._account),
            )
            return [Content._make(row) for row in rows]

    def are_listed(self, digests: Sequence[Digest]) -> set[Digest]:
        """Return those of these contents that the source showed when it was last listed, or that a person accepted."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select c.digest from {THE_CONTENTS} where exists (select 1 from maildrops d"
                " cross join messages m on m.maildrop_id = d.id left join problems p on p.message_id = m.id"
                " where d.account = ? and m.content_id = c.id and (m.gone_at is null or p.accepted_at is not null))",
                (*places(digests), self._account),
            )
            return {digest for (digest,) in rows}

    def unproven_for_good(self, destination_id: int) -> int:
        """Count this account's messages that a destination altered, their source lists no more and nobody accepted."""
        mine = (
            "(select 1 from maildrops d cross join messages m on m.maildrop_id = d.id and m.content_id = k.content_id"
            " left join problems p on p.message_id = m.id where d.account = ?2"
        )
        with self._connection.reading() as sql:
            (count,) = sql.execute(
                f"select count(*) from copies k where k.destination_id = ?1 and k.state = 'unproven'"
                f" and {IN_DOUBT.replace('state', 'k.state')} and exists {mine})"
                f" and not exists {mine} and (m.gone_at is null or p.accepted_at is not null))",
                (destination_id, self._account),
            ).fetchone()
        return int(count)

    def let_acceptances_lapse(self, reached: Mapping[int, Collection[Proof]]) -> None:
        """Forget that altered copies were accepted, where they reach what their destinations require by now."""
        with self._connection.reading() as sql:
            if sql.execute("select 1 from problems where accepted_at is not null limit 1").fetchone() is None:
                return
        with self._connection.transaction() as sql:
            let_lapse(sql, self._account, reached)

    def settle(self, destinations: Destinations, now: float) -> None:
        """Note as copied what no destination lacks any more, though it was another run, or a repair, that stored it.

        Without this a message that was stored in one destination, and is proven in all that are left, would be deleted
        from a state that does not allow it.
        """
        everywhere = len(destinations)
        unsettled = (
            " from messages m join maildrops d on d.id = m.maildrop_id where d.account = ?"
            " and m.copied_at is null and m.content_id is not null and m.gone_at is null"
        )
        with self._connection.reading() as sql:  # mostly there is none, and nobody need wait for other writers
            if not sql.execute(f"select 1{unsettled} limit 1", (self._account,)).fetchone():
                return
        with self._connection.transaction() as sql:
            held = f"(select {_holders(destinations)} from contents c where c.id = m.content_id)"
            rows = sql.execute(f"select m.id, {held}{unsettled}", (self._account,)).fetchall()
            settled = json.dumps([row for row, held in rows if held % _TAKEN_OUT + held // _TAKEN_OUT == everywhere])
            sql.execute(
                "update messages set state = 'copied', copied_at = ? where id in (select value from json_each(?))",
                (now, settled),
            )
            sql.execute("delete from problems where message_id in (select value from json_each(?))", (settled,))
            if rows:
                numbers_changed(sql, self._account)

    def identified(self, messages: Sequence[tuple[MessageRow, Digest]]) -> None:
        """Note what a RETR of this session showed these messages to be, though not every copy is proven."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "update messages set content_id = (select id from contents where digest = ?), state = 'listed',"
                f" copied_at = null, is_retrieved = 1, read_in = {_THIS_SESSION} where id = ?",
                [(digest, row) for row, digest in messages],
            )
            numbers_changed(sql, self._account)

    def copied(self, messages: Sequence[tuple[MessageRow, Digest]], now: float) -> None:
        """Note that each message, which a RETR of this session gave, has a proven copy at every destination now.

        Its problem, if any, is over. ``copied_at``, from which "N days" counts, stays where the message already had
        this content, or a row of it that has vanished did, whose place it takes: servers that give new unique-ids in
        each session would start the count again, and make the ledger grow.
        """
        with self._connection.transaction() as sql:
            sql.execute(
                "update messages set state = 'copied', content_id = found.content, is_retrieved = 1,"
                f" read_in = {_THIS_SESSION},"
                " copied_at = case when content_id = found.content then coalesce(copied_at, ?1) else ?1 end"
                " from (select wanted.value as row, c.id as content from json_each(?2) as wanted"
                "  left join contents c on c.digest = substr(?3, 32 * wanted.key + 1, 32)) as found"
                " where messages.id = found.row",
                (now, json.dumps([row for row, _ in messages]), b"".join(digest for _, digest in messages)),
            )
            if sql.execute("select 1 from problems limit 1").fetchone():
                sql.executemany("delete from problems where message_id = ?", [(row,) for row, _ in messages])
            self._take_the_place_of_vanished(sql, [row for row, _ in messages])
            numbers_changed(sql, self._account)

    def taken_over(self, pairs: Sequence[tuple[MessageNumber, Digest]], destinations: Destinations, now: float) -> None:
        """Note of the listing that was just noted which messages are copies that stand proven in every destination.

        Their headers have shown it, and no RETR: nothing of it goes at the source before one has given this content.
        Pairs of which a copy is missing somewhere, or of a message that is known as something else, change nothing.
        """
        held = f"(select {_holders(destinations)} from contents c where c.id = found.content)"
        with self._connection.transaction() as sql:
            sql.execute(
                "update messages set state = 'copied', content_id = found.content, copied_at = ?1, is_retrieved = 0,"
                " read_in = null from (select l.message_id as row, c.id as content from json_each(?2) as wanted"
                "  join temp.listing l on l.number = wanted.value"
                "  join contents c on c.digest = substr(?3, 32 * wanted.key + 1, 32)) as found"
                f" where messages.id = found.row and state = 'listed' and content_id is null and {held} = ?4",
                (
                    now,
                    json.dumps([number for number, _ in pairs]),
                    b"".join(digest for _, digest in pairs),
                    len(destinations),
                ),
            )
            numbers_changed(sql, self._account)

    def _take_the_place_of_vanished(self, sql: Sql, rows: Sequence[MessageRow]) -> None:
        vanished = sql.execute(
            "select distinct v.id, v.content_id, v.copied_at from json_each(?) as wanted"
            " cross join messages m on m.id = wanted.value"
            " cross join messages v on v.content_id = m.content_id and v.state = 'vanished'"
            " cross join maildrops d on d.id = v.maildrop_id and d.account = ?",
            (json.dumps(rows), self._account),
        ).fetchall()
        for old, content, copied_at in vanished:
            if copied_at is not None:
                sql.execute(
                    "update messages set copied_at = ? where copied_at > ? and content_id = ? and state = 'copied'"
                    " and id in (select value from json_each(?))",
                    (copied_at, copied_at, content, json.dumps(rows)),
                )
            sql.execute("delete from problems where message_id = ?", (old,))
            sql.execute("delete from messages where id = ?", (old,))

    def retrieved(self, rows: Sequence[MessageRow]) -> set[MessageRow]:
        """Return those of these messages whose content a RETR gave under the very unique-id they have now."""
        with self._connection.reading() as sql:
            query = (
                "select m.id from json_each(?) as wanted cross join messages m on m.id = wanted.value"
                " where m.is_retrieved = 1"
            )
            return {row for (row,) in sql.execute(query, (json.dumps(rows),))}

    def headers_read(self, rows: Sequence[MessageRow]) -> None:
        """Note that a TOP of this session showed the headers that these messages were copied with."""
        with self._connection.transaction() as sql:
            sql.execute(
                f"update messages set read_in = {_THIS_SESSION} where id in (select value from json_each(?))",
                (json.dumps(rows),),
            )

    def deletion_requested(self, rows: Sequence[MessageRow]) -> None:
        """Make it durable that DELE is about to be sent for these messages, which this session has read.

        The ledger refuses this for any other message.
        """
        with self._connection.transaction() as sql:
            sql.execute(
                "update messages set state = 'delete-requested' where id in (select value from json_each(?))",
                (json.dumps(rows),),
            )

    def deleted(self, rows: Sequence[MessageRow], quit_reply: str, now: float) -> None:
        """Note that the source's reply to QUIT confirmed these deletions; the log keeps where the copies are."""
        with self._connection.transaction() as sql:
            log_deletions(sql, rows, f"QUIT: {quit_reply}", now)
            sql.execute(
                "update messages set state = 'deleted', gone_at = ? where id in (select value from json_each(?))",
                (now, json.dumps(rows)),
            )
            numbers_changed(sql, self._account)
