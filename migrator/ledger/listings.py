"""What a source showed: a listing, matched with the messages that the ledger knows of it, and noted.

It is first matched (read only), then, when the run has recognised what it can by headers, noted (one transaction).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from migrator.lazy_dataclasses import dataclass
from migrator.ledger.database import Database, Sql
from migrator.ledger.history import log_deletions
from migrator.ledger.kept_numbers import numbers_changed
from migrator.model import Digest, HeaderDigest, ListedMessage, MessageNumber, MessageRow

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

# By indexes alone, whatever others have in the ledger. What is gone has vanished, or was deleted and so copied before.
LAST_LISTED = """
with drops as (select id from maildrops where account = ?),
here as (select m.* from drops cross join messages m on m.maildrop_id = drops.id and m.gone_at is null),
vanished as (select m.* from drops cross join messages m on m.maildrop_id = drops.id and m.state = 'vanished'),
gone as (select gone_at from vanished union all
    select m.gone_at from drops cross join messages m on m.maildrop_id = drops.id and m.copied_at is not null),
last as (select * from here union all select * from vanished
    where not exists (select 1 from here) and gone_at = (select max(gone_at) from gone))
select last.id, last.announced, c.digest, c.header_digest, c.message_id from last
join contents c on c.id = last.content_id where last.copied_at is not null order by last.id desc
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message known from before whose bytes may now be listed under another unique-id."""

    row: MessageRow
    octets: int
    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes


class ListingLedger:
    """The listings of one maildrop of one account."""

    def __init__(self, connection: Database, maildrop_id: int, account: str) -> None:
        """Stand for a maildrop of an account; a number of 0 is that of one which the ledger does not know."""
        self._connection = connection
        self._id = maildrop_id
        self._account = account

    def match(self, listing: Iterable[ListedMessage]) -> int:
        """Compare a listing with what is known; returns how many are not. Changes nothing that lasts."""
        with self._connection.scratch() as sql:
            sql.execute(_LISTING_TABLE)
            self._fill(sql, iter(listing))
            self._number_the_repeated(sql)
            sql.execute(
                "update temp.listing set message_id = (select m.id from messages m where m.maildrop_id = ?"
                " and m.unique_id = listing.unique_id and m.announced = listing.octets"
                " and m.ordinal = listing.ordinal and m.gone_at is null) where ordinal >= 0",
                (self._id,),
            )
            (unknown,) = sql.execute("select count(*) from temp.listing where message_id is null").fetchone()
        return int(unknown)

    def _fill(self, sql: Sql, entries: Iterator[tuple[int, bytes, int]]) -> None:
        """Put number, unique-id and octets of each message into the table, in place of what it holds."""
        sql.execute("delete from temp.listing")
        while chunk := list(islice(entries, _CHUNK)):
            sql.executemany("insert into temp.listing (number, unique_id, octets) values (?, ?, ?)", chunk)

    def _number_the_repeated(self, sql: Sql) -> None:
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
            rows = sql.execute(LAST_LISTED, (self._account,)).fetchall()
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
            sql.execute("update maildrops set session = session + 1 where id = ?", (self._id,))
            gone = self._note_absent(sql, now)
            sql.execute(_NUMBER_THE_REST)
            sql.execute(_MOVE_RECOGNISED, (self._id,))
            self._give_rows(sql, now)
            numbers_changed(sql, self._account)
        return gone

    def _give_rows(self, sql: Sql, now: float) -> None:
        """Give a row to each message that has none; then the listing knows the row of every message."""
        (base,) = sql.execute("select coalesce(max(id), 0) from messages").fetchone()
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

    def _note_absent(self, sql: Sql, now: float) -> list[MessageRow]:
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
