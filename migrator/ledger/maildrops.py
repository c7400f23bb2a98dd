"""What the ledger knows of a source: which messages it showed, when, and what became of each.

A listing is first matched (read only), then, when the run has recognised what it can by headers, noted (one
transaction). A row is one message that was seen: unique-id and announced octets are its attributes, never its key,
because servers give a unique-id again, give it to several messages, or have none (RFC 1939, section 7).
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from migrator.ledger.connection import Connection
from migrator.ledger.history import log_deletions
from migrator.model import (
    Content,
    Digest,
    HeaderDigest,
    KnownMessage,
    ListedMessage,
    MessageNumber,
    MessageRow,
    UniqueId,
)

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
    state = 'copied', gone_at = null
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message known from before whose bytes may now be listed under another unique-id."""

    row: MessageRow
    unique_id: UniqueId
    octets: int
    digest: Digest
    header_digest: HeaderDigest


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

    def candidates(self) -> Iterator[Candidate]:
        """Yield copied messages of this account that are not on the listing, newest first: absent and vanished ones.

        Only those come that have the octets of an unknown message of the listing.
        What this program deleted is no candidate: an equal message that shows up afterwards is retrieved again.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                "with mine as (select id from maildrops where account = ?),"
                " here as (select message_id from temp.listing where message_id is not null),"
                " out as (select m.* from mine join messages m on m.maildrop_id = mine.id where m.gone_at is null"
                "  and m.copied_at is not null and m.id not in here"
                "  union all"
                "  select m.* from mine join messages m on m.maildrop_id = mine.id where m.state = 'vanished')"
                " select out.id, out.unique_id, out.announced, c.digest, c.header_digest from out"
                " join contents c on c.id = out.content_id where out.copied_at is not null"
                " and out.announced in (select octets from temp.listing where message_id is null) order by out.id desc",
                (self._account,),
            ).fetchall()
        for row in rows:
            yield Candidate(*row)

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

        Afterwards every listed message has a row; a known one that is no longer listed is VANISHED, or DELETED if its
        deletion had been requested (then the log of deletions says so).
        """
        with self._connection.transaction() as sql:
            (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
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

    def listed(self, destination_ids: Sequence[int]) -> Iterator[KnownMessage]:
        """Yield every message of the listing, in the order of their numbers.

        Before ``note`` an unknown message has the row that ``note`` would give it. Memory stays flat.
        """
        marks = ", ".join("?" * len(destination_ids))
        query = (
            "select l.number, l.unique_id, l.octets, coalesce(m.id, ? + l.number), coalesce(c.id, 0), c.digest,"
            " c.id is not null and (select count(*) from copies k where k.content_id = c.id"
            f" and k.state = 'verified' and k.destination_id in ({marks})) = ?,"
            " coalesce(m.copied_at, l.copied_at), coalesce(p.kind, ''), coalesce(p.attempts, 0), p.last_at,"
            " p.accepted_at is not null"
            " from temp.listing l left join messages m on m.id = l.message_id"
            " left join contents c on c.id = coalesce(m.content_id, l.content_id)"
            " left join problems p on p.message_id = m.id where l.number > ? order by l.number limit ?"
        )
        last = 0
        while True:
            with self._connection.reading() as sql:
                (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
                values = (base, *destination_ids, len(destination_ids), last, _PAGE)
                rows = sql.execute(query, values).fetchall()
            yield from map(KnownMessage._make, rows)
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
        """Return, for each message, what may stand under its unique-id: more than itself where a server repeats it."""
        groups: defaultdict[MessageRow, set[Content]] = defaultdict(set)
        with self._connection.reading() as sql:
            shared = sql.execute(
                "select m.id, c.digest, c.header_digest, c.message_id from json_each(?) as wanted"
                " cross join messages m on m.id = wanted.value"
                " cross join messages s on s.gone_at is null and s.maildrop_id = m.maildrop_id"
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

    def is_filled(self, destination_id: int) -> bool:
        """Say whether a destination has all that the account's other folders held when it was added."""
        with self._connection.reading() as sql:
            query = "select 1 from fillings where destination_id = ? and account = ?"
            return sql.execute(query, (destination_id, self._account)).fetchone() is not None

    def filled(self, destination_id: int, now: float) -> None:
        """Note that a destination has been filled."""
        with self._connection.transaction() as sql:
            sql.execute(
                "insert or ignore into fillings (destination_id, account, filled_at) values (?, ?, ?)",
                (destination_id, self._account, now),
            )

    def lacking(self, target_id: int, source_id: int) -> list[Content]:
        """Return what this account has proven in one destination and not at all in another, in archive order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select distinct c.digest, c.header_digest, c.message_id from maildrops d"
                " join messages m on m.maildrop_id = d.id join contents c on c.id = m.content_id"
                " join copies s on s.destination_id = ? and s.content_id = c.id and s.state = 'verified'"
                " left join copies t on t.destination_id = ? and t.content_id = c.id"
                " where d.account = ? and t.id is null order by s.volume_id, s.offset, s.id",
                (source_id, target_id, self._account),
            )
            return [Content._make(row) for row in rows]

    def identified(self, messages: Sequence[tuple[MessageRow, Digest]]) -> None:
        """Note what these messages turned out to be, though not every copy is proven."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "update messages set content_id = (select id from contents where digest = ?), state = 'listed',"
                " copied_at = null where id = ?",
                [(digest, row) for row, digest in messages],
            )

    def copied(self, messages: Sequence[tuple[MessageRow, Digest]], now: float) -> None:
        """Note that each message now has a proven copy at every destination; its problem, if any, is over.

        ``copied_at``, from which "N days" counts, stays where the message already had this content.
        """
        with self._connection.transaction() as sql:
            sql.execute(
                "update messages set state = 'copied', content_id = found.content,"
                " copied_at = case when content_id = found.content then coalesce(copied_at, ?1) else ?1 end"
                " from (select wanted.value as row, c.id as content from json_each(?2) as wanted"
                "  left join contents c on c.digest = substr(?3, 32 * wanted.key + 1, 32)) as found"
                " where messages.id = found.row",
                (now, json.dumps([row for row, _ in messages]), b"".join(digest for _, digest in messages)),
            )
            if sql.execute("select 1 from problems limit 1").fetchone():
                sql.executemany("delete from problems where message_id = ?", [(row,) for row, _ in messages])

    def deletion_requested(self, rows: Sequence[MessageRow]) -> None:
        """Make it durable that DELE is about to be sent for these messages."""
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
