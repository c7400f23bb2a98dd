"""What a run says of its maildrop, where PostgreSQL has a better way: COPY, a cursor, arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from migrator.ledger.kept_numbers import numbers_changed
from migrator.ledger.maildrops import MaildropLedger
from migrator.ledger.postgres.arrays import numbers, octets
from migrator.ledger.postgres.dialect import translated
from migrator.model import Digest, MessageRow

if TYPE_CHECKING:
    from migrator.ledger.database import Sql
    from migrator.ledger.postgres.connection import PostgresDatabase, PostgresSql

_PAGE = 2_000

_UNKNOWN = "from pg_temp.listing where message_id is null and recognised_id is null order by number"
_GIVE_ROWS = (
    f"""with new as materialized (select number, nextval(pg_get_serial_sequence('messages', 'id')) as id
        from (select number {_UNKNOWN}) as unknown)
    update pg_temp.listing set message_id = new.id from new where new.number = listing.number""",
    """insert into messages (id, maildrop_id, unique_id, announced, ordinal, state, first_seen)
    select l.message_id, $1, l.unique_id, l.octets, l.ordinal, 'listed', $2 from pg_temp.listing l
    where not exists (select 1 from messages m where m.id = l.message_id) and l.recognised_id is null
    order by l.number""",
    "update pg_temp.listing set message_id = recognised_id where message_id is null",
)

_COPIED = """
    update messages m set state = 'copied', content_id = c.id, is_retrieved = 1, read_in = d.session,
        copied_at = case when m.content_id = c.id then coalesce(m.copied_at, $1) else $1 end
    from unnest($2::bigint[], $3::bytea[]) as done(id, digest) left join contents c on c.digest = done.digest,
        maildrops d
    where m.id = done.id and d.id = m.maildrop_id
"""
_SOLVED = "delete from problems where message_id = any($1::bigint[])"
# ``offset 0``: each content is looked up by itself, however many messages have vanished.
_TAKE_THE_PLACE_OF_VANISHED = """
    with done as materialized (select content_id from messages where id = any($1::bigint[])),
    vanished as materialized (select distinct v.id, v.content_id, v.copied_at from done
        cross join lateral (select id, maildrop_id, content_id, copied_at from messages
            where content_id = done.content_id and state = 'vanished' offset 0) as v
        join maildrops d on d.id = v.maildrop_id and d.account = $2),
    earlier as (update messages m set copied_at = least(m.copied_at, first.copied_at)
        from (select content_id, min(copied_at) as copied_at from vanished group by content_id) as first
        where m.content_id = first.content_id and m.id = any($1::bigint[]) and m.state = 'copied'),
    solved as (delete from problems where message_id in (select id from vanished))
    delete from messages where id in (select id from vanished)
"""


class PostgresMaildrop(MaildropLedger):
    """One maildrop of one account: host, port and user under which unique-ids mean something."""

    def copied(self, messages: Sequence[tuple[MessageRow, Digest]], now: float) -> None:
        """Note that each message, which a RETR of this session gave, has a proven copy at every destination now.

        Its problem, if any, is over. ``copied_at``, from which "N days" counts, stays where the message already had
        this content, or a row of it that has vanished did, whose place it takes.
        """
        rows = numbers(row for row, _ in messages)
        with self._postgres.transaction() as sql:
            sql.own(_COPIED, (now, rows, octets(digest for _, digest in messages)))
            sql.own(_SOLVED, (rows,))
            sql.own(_TAKE_THE_PLACE_OF_VANISHED, (rows, self._account))
            numbers_changed(sql, self._account)

    def _fill(self, sql: Sql, entries: Iterator[tuple[int, bytes, int]]) -> None:
        session = cast("PostgresSql", sql).session
        session.execute(b"truncate pg_temp.listing")
        with (
            session.cursor() as cursor,
            cursor.copy(b"copy pg_temp.listing (number, unique_id, octets) from stdin") as copy,
        ):
            for entry in entries:
                copy.write_row(entry)
        session.execute(b"analyze pg_temp.listing")

    def _give_rows(self, sql: Sql, now: float) -> None:
        ours = cast("PostgresSql", sql)
        number, insert, know = _GIVE_ROWS
        ours.own(number)
        ours.own(insert, (self._id, now))
        ours.own(know)

    def _pages(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query about the listing answers, by one cursor that outlives its transaction."""
        text = translated(query.replace(" limit ?", "")).text
        with self._postgres.reading() as sql:
            (base,) = sql.own("select coalesce(max(id), 0) from messages").fetchone() or (0,)
            sql.own("close all")
            sql.own(f"declare listed no scroll cursor with hold for {text}", (base, 0))
        while True:
            with self._postgres.reading() as sql:
                rows = sql.own(f"fetch forward {_PAGE} from listed").fetchall()
            yield from rows
            if len(rows) < _PAGE:
                break
        with self._postgres.reading() as sql:
            sql.own("close listed")

    @property
    def _postgres(self) -> PostgresDatabase:
        return cast("PostgresDatabase", self._connection)
