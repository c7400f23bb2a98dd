"""What the ledger knows of a source: which messages it showed, when, and what became of each.

A listing is first matched (read only), then, when the run has recognised what it can by headers, noted (one
transaction). A row is one message that was seen: unique-id and announced octets are its attributes, never its key,
because servers give a unique-id again, give it to several messages, or have none (RFC 1939, section 7).
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from migrator.ledger.connection import Connection
from migrator.ledger.contents import THE_CONTENTS, places
from migrator.ledger.copies import IN_DOUBT
from migrator.ledger.history import log_deletions
from migrator.model import (
    Content,
    Digest,
    HeaderDigest,
    KnownMessage,
    ListedMessage,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.policy import WhenCopyIsGone

_CHUNK = 10_000
_PAGE = 2_000

_LISTING_TABLE = """
create temp table if not exists listing (
    number integer primary key,
    unique_id blob not null,
    octets integer not null,
    ordinal integer not null default 0,
    message_id integer,     -- the row of messages that this is, as far as unique-id and octets can tell
    recognised_id integer,  -- the row of messages that recognition by headers found it to be
    content_id integer,     -- with its content
    copied_at real
)
"""

# Where nothing tells the messages of one unique-id and size apart, they are numbered as they stand.
_NUMBER_THE_REST = """
update temp.listing set ordinal = o.place from
    (select number, row_number() over (partition by unique_id, octets order by number) - 1 as place
     from temp.listing where message_id is null and ordinal < 0) as o
where o.number = listing.number
"""

# A recognised message keeps its row, or servers that renumber at every session would make the ledger grow.
_MOVE_RECOGNISED = """
update messages set maildrop_id = ?, unique_id = l.unique_id, announced = l.octets, ordinal = l.ordinal,
    state = 'copied', gone_at = null, is_retrieved = 0, read_in = null
from (select * from temp.listing where recognised_id is not null) as l where messages.id = l.recognised_id
"""

_ABSENT = (
    "maildrop_id = ? and gone_at is null"
    " and id not in (select message_id from temp.listing where message_id is not null)"
)

# An account has one source: what other hosts or users showed before is not there any more.
_LEAVE_OTHER_MAILDROPS = """
update messages set state = 'vanished', gone_at = :now where gone_at is null and state != 'delete-requested'
and maildrop_id in (select o.id from maildrops o join maildrops d on o.account = d.account
    where d.id = :id and o.id != :id)
"""


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message known from before whose bytes may now be listed under another unique-id."""

    row: MessageRow
    octets: int
    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes


class MaildropLedger:
    """One maildrop of one account: host, port and user under which unique-ids mean something."""

    def __init__(self, connection: Connection, maildrop_id: int, account: str) -> None:
        """Stand for a maildrop of an account; a number of 0 is that of one which the ledger does not know."""
        self._connection = connection
        self._id = maildrop_id
        self._account = account

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

    def match(self, listing: Iterable[ListedMessage]) -> int:
        """Hold a listing against what is known; returns how many are not. Changes nothing that lasts."""
        with self._connection.scratch() as sql:
            sql.execute(_LISTING_TABLE)
            sql.execute("delete from temp.listing")
            entries = ((entry.number, entry.unique_id, entry.octets) for entry in listing)
            while chunk := list(islice(entries, _CHUNK)):
                sql.executemany("insert into temp.listing (number, unique_id, octets) values (?, ?, ?)", chunk)
            self._number_the_repeated(sql)
            sql.execute(
                "update temp.listing set message_id = (select m.id from messages m where m.maildrop_id = ?"
                " and m.unique_id = listing.unique_id and m.announced = listing.octets"
                " and m.ordinal = listing.ordinal and m.gone_at is null) where ordinal >= 0",
                (self._id,),
            )
            (unknown,) = sql.execute("select count(*) from temp.listing where message_id is null").fetchone()
        return int(unknown)

    def _number_the_repeated(self, sql: sqlite3.Connection) -> None:
        """Give messages that share unique-id and octets their ordinals: 0, 1, 2 in the order of the listing.

        Where there are more or fewer of them than are known, or where not all known ones are home, nothing tells which
        are new: then none is matched (ordinal -1), all are retrieved, and their digests tell. The same holds where
        there is no unique-id.
        """
        sql.execute("update temp.listing set ordinal = -1 where unique_id = x''")
        repeated = sql.execute(
            "select unique_id, octets, count(*) from temp.listing where unique_id != x''"
            " group by unique_id, octets having count(*) > 1"
        ).fetchall()
        for unique_id, octets, count in repeated:
            known, at_home = sql.execute(
                "select count(*), count(copied_at) from messages"
                " where maildrop_id = ? and unique_id = ? and announced = ? and gone_at is null",
                (self._id, unique_id, octets),
            ).fetchone()
            sql.execute(
                "update temp.listing set ordinal = case when ? then o.place else -1 end from"
                " (select number, row_number() over (order by number) - 1 as place from temp.listing"
                "  where unique_id = ? and octets = ?) as o where o.number = listing.number",
                (known == 0 or known == at_home == count, unique_id, octets),
            )

    def unknown(self, sizes: Collection[int]) -> dict[MessageNumber, int]:
        """Return number and octets of the listed messages of these sizes that no known message matches.

        Those of a repeated unique-id are left out: only their content can tell them apart.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select number, octets from temp.listing where message_id is null"
                " and (ordinal >= 0 or unique_id = x'') order by number"
            )
            return {number: octets for number, octets in rows if octets in sizes}

    def has_telling_unique_ids(self) -> bool:
        """Say whether some unique-id of the matched listing is more than the message's number, or nothing."""
        with self._connection.reading() as sql:
            query = (
                "select 1 from temp.listing where unique_id not in (x'', cast(cast(number as text) as blob)) limit 1"
            )
            return sql.execute(query).fetchone() is not None

    def last_listed(self) -> list[Candidate]:
        """Return what the account's maildrop showed when it was last seen with anything in it, as far as it was copied.

        To be asked after a listing was matched and nothing of it is known. Newest first.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                "with mine as ("
                "  select m.* from maildrops d join messages m on m.maildrop_id = d.id where d.account = ?),"
                " here as (select * from mine where gone_at is null),"
                " last as (select * from here union all select * from mine where state = 'vanished'"
                "  and not exists (select 1 from here) and gone_at = (select max(gone_at) from mine))"
                " select last.id, last.announced, c.digest, c.header_digest, c.message_id from last"
                " join contents c on c.id = last.content_id where last.copied_at is not null order by last.id desc",
                (self._account,),
            ).fetchall()
        return [Candidate(*row) for row in rows]

    def recognised(self, pairs: Sequence[tuple[MessageNumber, MessageRow]]) -> None:
        """Remember, for ``note``, that these listed messages are known ones; each known one at most once."""
        with self._connection.scratch() as sql:
            sql.executemany(
                "update temp.listing set (recognised_id, content_id, copied_at) ="
                " (select id, content_id, copied_at from messages where id = ?) where number = ?",
                [(row, number) for number, row in pairs],
            )

    def note(self, now: float) -> list[MessageRow]:
        """Record the matched listing in one transaction; returns the messages whose wanted deletion it confirms.

        This begins a session of the maildrop: what it reads from now on, and nothing else, it may want deleted.

        Afterwards every listed message has a row; a known one that is no longer listed is VANISHED, or DELETED if its
        deletion had been requested (then the log of deletions says so).
        """
        with self._connection.transaction() as sql:
            (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
            sql.execute("update maildrops set session = session + 1 where id = ?", (self._id,))
            gone = self._note_absent(sql, now)
            sql.execute(_NUMBER_THE_REST)
            sql.execute(_MOVE_RECOGNISED, (self._id,))
            sql.execute(
                "insert into messages (id, maildrop_id, unique_id, announced, ordinal, state, first_seen)"
                " select ? + number, ?, unique_id, octets, ordinal, 'listed', ?"
                " from temp.listing where message_id is null and recognised_id is null order by number",
                (base, self._id, now),
            )
            sql.execute(
                "update temp.listing set message_id = coalesce(recognised_id, ? + number) where message_id is null",
                (base,),
            )
        return gone

    def _note_absent(self, sql: sqlite3.Connection, now: float) -> list[MessageRow]:
        # What may well be listed, under another unique-id or without one, is not known to be deleted.
        sql.execute(
            "update messages set state = 'copied' where state = 'delete-requested' and id in"
            " (select recognised_id from temp.listing where recognised_id is not null)"
        )
        sql.execute(
            f"update messages set state = 'copied' where {_ABSENT} and state = 'delete-requested' and announced in"
            " (select octets from temp.listing where message_id is null and recognised_id is null)",
            (self._id,),
        )
        sql.execute(_LEAVE_OTHER_MAILDROPS, {"id": self._id, "now": now})
        absent = sql.execute(f"select id from messages where {_ABSENT} and state = 'delete-requested'", (self._id,))
        gone = [MessageRow(row) for (row,) in absent.fetchall()]
        log_deletions(sql, gone, "the next listing lacked it", now)
        sql.execute(
            "update messages set gone_at = ?, state = case state when 'delete-requested' then 'deleted'"
            f" else 'vanished' end where {_ABSENT}",
            (now, self._id),
        )
        return gone

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
        last = 0
        while True:
            with self._connection.reading() as sql:
                (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
                rows = sql.execute(query, (base, last, _PAGE)).fetchall()
            for row in rows:
                held, taken_out = row[6] % _TAKEN_OUT, row[6] // _TAKEN_OUT
                is_kept = taken_out > 0 and held + taken_out == everywhere
                yield KnownMessage._make((*row[:6], held == everywhere, *row[7:], is_kept))
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
                " cross join messages s on s.gone_at is null and s.is_retrieved and s.maildrop_id = m.maildrop_id"
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

    def settle(self, destinations: Destinations, now: float) -> None:
        """Note as copied what no destination lacks any more, though it was another run, or a repair, that stored it.

        Without this a message that was stored in one destination, and is proven in all that are left, would be deleted
        from a state that does not allow it.
        """
        everywhere = len(destinations)
        with self._connection.transaction() as sql:
            held = f"(select {_holders(destinations)} from contents c where c.id = m.content_id)"
            rows = sql.execute(
                f"select m.id, {held} from messages m join maildrops d on d.id = m.maildrop_id where d.account = ?"
                " and m.copied_at is null and m.content_id is not null and m.gone_at is null",
                (self._account,),
            ).fetchall()
            settled = json.dumps([row for row, held in rows if held % _TAKEN_OUT + held // _TAKEN_OUT == everywhere])
            sql.execute(
                "update messages set state = 'copied', copied_at = ? where id in (select value from json_each(?))",
                (now, settled),
            )
            sql.execute("delete from problems where message_id in (select value from json_each(?))", (settled,))

    def identified(self, messages: Sequence[tuple[MessageRow, Digest]]) -> None:
        """Note what a RETR of this session showed these messages to be, though not every copy is proven."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "update messages set content_id = (select id from contents where digest = ?), state = 'listed',"
                f" copied_at = null, is_retrieved = 1, read_in = {_THIS_SESSION} where id = ?",
                [(digest, row) for row, digest in messages],
            )

    def copied(self, messages: Sequence[tuple[MessageRow, Digest]], now: float) -> None:
        """Note that each message, which a RETR of this session gave, has a proven copy at every destination now.

        Its problem, if any, is over. ``copied_at``, from which "N days" counts, stays where the message already had
        this content, or a row of it that has vanished did, whose place it takes: servers that give new unique-ids in
        each session would start the count anew, and make the ledger grow.
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

    def _take_the_place_of_vanished(self, sql: sqlite3.Connection, rows: Sequence[MessageRow]) -> None:
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
                    "update messages set copied_at = min(copied_at, ?) where content_id = ? and state = 'copied'"
                    " and id in (select value from json_each(?))",
                    (copied_at, content, json.dumps(rows)),
                )
            sql.execute("delete from problems where message_id = ?", (old,))
            sql.execute("delete from messages where id = ?", (old,))

    def retrieved(self, rows: Sequence[MessageRow]) -> set[MessageRow]:
        """Return those of these messages whose content a RETR gave under the very unique-id they have now."""
        with self._connection.reading() as sql:
            query = (
                "select m.id from json_each(?) as wanted cross join messages m on m.id = wanted.value"
                " where m.is_retrieved"
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
