"""What a batch says of its destination, with a batch's values as arrays and a transaction's statements in one pipeline.

Rows that several writers want are locked in the order of their digests: who takes them in another order waits for the
one that waits for him.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from migrator.copy_records import Anchor, Intended, Intent, Recollection, VolumeRecord, VolumeState
from migrator.lazy_dataclasses import asdict
from migrator.ledger.allowances import SharedAllowances
from migrator.ledger.copies import CopiesLedger, Judged, by_verdict
from migrator.ledger.copy_rows import COPY, IN_DOUBT, anchor_of, stored_copy
from migrator.ledger.postgres.arrays import numbers, octets, texts
from migrator.ledger.settled import copies_worth_less
from migrator.model import CopyState, Digest, ImapLocator, Locator, MaildirLocator, MboxLocator, StoredCopy

if TYPE_CHECKING:
    from migrator.ledger.database import Rows, Sql
    from migrator.ledger.postgres.connection import PostgresDatabase, PostgresSql
    from migrator.message.body import Message

_VOLUMES = (
    "select name, end_offset, tail_digest, stamp, state, changed_stamp from volumes"
    " where destination_id = $1 order by name"
)
_INTENTS = "select id, anchor from intents where destination_id = $1 order by id"
_INTENDED = (
    "select k.intent_id, c.digest, c.octets, coalesce(k.recognition, ''::bytea) from intents i"
    " join copies k on k.intent_id = i.id join contents c on c.id = k.content_id"
    " where i.destination_id = $1 and k.state = 'intended' order by k.id"
)
_FIND = (
    COPY.replace(
        "from copies k join contents c on c.id = k.content_id",
        "from unnest($2::bytea[]) with ordinality as wanted(digest, place)"
        " join contents c on c.digest = wanted.digest join copies k on k.content_id = c.id",
    )
    + " where k.destination_id = $1 and k.state != 'intended' order by wanted.place"
)

_FORGET_GONE = (
    f"delete from copies where destination_id = $1 and state = 'gone' and {IN_DOUBT}"
    " and content_id in (select id from contents where digest = any($2::bytea[]))"
)
# What takes a content's number while another writer gives it one sees that writer's in a statement of its own.
_NOTE_CONTENTS = (
    "insert into contents (digest, header_digest, octets, message_id)"
    " select * from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[])"
    " as new(digest, header_digest, octets, message_id) order by digest on conflict do nothing"
)
_INTEND = f"""
    with intent as (insert into intents (destination_id, anchor, begun_at) values ($1, $2, $3) returning id),
    wanted as (select c.id, w.digest, nullif(w.sign, ''::bytea) as sign, w.place
        from unnest($4::bytea[], $5::bytea[]) with ordinality as w(digest, sign, place)
        join contents c on c.digest = w.digest),
    again as (update copies k set state = 'intended', intent_id = intent.id,
            recognition = coalesce(w.sign, k.recognition)
        from wanted w, intent where k.destination_id = $1 and k.content_id = w.id and k.state = 'damaged'
        and {IN_DOUBT.replace("state", "k.state")} returning k.id, w.id as content_id),
    fresh as (insert into copies (destination_id, content_id, state, intent_id, recognition)
        select $1, w.id, 'intended', intent.id, w.sign from wanted w, intent
        where not exists (select 1 from copies k where k.destination_id = $1 and k.content_id = w.id
            and k.state = 'damaged' and {IN_DOUBT.replace("state", "k.state")})
        order by w.place returning id, content_id)
    select w.digest, made.id from (select * from again union all select * from fresh) as made
    join wanted w on w.id = made.content_id
"""

_NOTE_REPLACED = (
    'insert into remains (destination_id, content_id, volume_id, "offset", length, frame_crc, base_name)'
    ' select destination_id, content_id, volume_id, "offset", length, frame_crc, base_name from copies'
    " where id = any($1::bigint[]) and state = 'intended'"
    " and (volume_id is not null or base_name is not null or uid is not null)"
)
_IS_STORED = "intent_id = null, recognition = null, state = 'stored', proof = 'none', reason = '', verified_at = null"
_STORED = {
    MboxLocator: (
        'update copies k set volume_id = v.id, "offset" = at.start, length = at.length, frame_crc = at.crc,'
        f" {_IS_STORED} from unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])"
        " as at(id, volume, start, length, crc)"
        " join volumes v on v.destination_id = $1 and v.name = at.volume where k.id = at.id"
    ),
    MaildirLocator: (
        f"update copies k set base_name = at.name, {_IS_STORED} from unnest($2::bigint[], $3::text[]) as at(id, name)"
        " where k.id = at.id and k.destination_id = $1"
    ),
    ImapLocator: (
        f"update copies k set uid_validity = at.validity, uid = at.uid, {_IS_STORED}"
        " from unnest($2::bigint[], $3::bigint[], $4::bigint[]) as at(id, validity, uid)"
        " where k.id = at.id and k.destination_id = $1"
    ),
}
_JUDGED = (
    "update copies set state = $1, proof = $2, reason = $3,"
    " verified_at = case when $4::bool then $5 else verified_at end where id = any($6::bigint[])"
)


class PostgresCopies(CopiesLedger):
    """One destination, shared by every account that writes there."""

    def shared_allowances(self) -> SharedAllowances:
        """Return what all machines know of upload allowances."""
        return SharedAllowances(self._connection)

    def recollection(self) -> Recollection:
        """Return what a destination needs to know to find what happened since."""
        return self.before_storing(())[0]

    def before_storing(self, digests: Sequence[Digest]) -> tuple[Recollection, dict[Digest, StoredCopy]]:
        """Return ``recollection``, and what ``find`` finds of these contents, in one round trip."""
        with self._postgres.reading() as sql, sql.piped():
            volumes = sql.own(_VOLUMES, (self.destination_id,))
            intents = sql.own(_INTENTS, (self.destination_id,))
            intended = sql.own(_INTENDED, (self.destination_id,))
            found = sql.own(_FIND, (self.destination_id, octets(digests)))
        copies = {copy.digest: copy for copy in map(stored_copy, found)}
        return self._recollection(volumes, intents, intended), copies

    def _recollection(self, volumes: Rows, intents: Rows, intended: Rows) -> Recollection:
        messages: dict[int, list[Intended]] = {}
        for intent_id, *row in intended:
            messages.setdefault(intent_id, []).append(Intended(*row))
        return Recollection(
            tuple(
                VolumeRecord(name, end, tail, stamp, VolumeState(state), changed_stamp)
                for name, end, tail, stamp, state, changed_stamp in volumes
            ),
            tuple(Intent(anchor_of(anchor), tuple(messages.get(number, ()))) for number, anchor in intents),
            self,
        )

    def find(self, digests: Sequence[Digest]) -> dict[Digest, StoredCopy]:
        """Return the copies that are known of these contents; INTENDED ones cannot be trusted and are left out."""
        with self._postgres.reading() as sql:
            rows = sql.own(_FIND, (self.destination_id, octets(digests))).fetchall()
        return {copy.digest: copy for copy in map(stored_copy, rows)}

    def intended(self, anchor: Anchor, messages: Sequence[tuple[Message, bytes]], now: float) -> dict[Digest, int]:
        """Make it durable that these messages are about to be stored from ``anchor`` on; returns the copies' numbers.

        Each message comes with what recovery will recognise it by. None of them may have a copy here already, but for
        one that is GONE, in whose place the new one comes, or DAMAGED, which is that again should nothing be stored.
        """
        text = json.dumps({"type": type(anchor).__name__, **asdict(anchor)})
        digests = octets([message.digest for message, _ in messages])
        with self._postgres.transaction() as sql:
            sql.own(_FORGET_GONE, (self.destination_id, digests))
            self._note_contents(sql, ((m.digest, m.header_digest, m.octets, m.message_id) for m, _ in messages))
            signs = octets([sign for _, sign in messages])
            made = sql.own(_INTEND, (self.destination_id, text, now, digests, signs))
        return dict(made.fetchall())

    def stored(self, copies: Sequence[tuple[int, Locator]], volumes: Iterable[VolumeRecord]) -> None:
        """Note where copies stand, and the archive's new end; what else was intended here was not stored."""
        with self._postgres.transaction() as sql:
            self._note_volumes(sql, volumes)
            sql.own(_NOTE_REPLACED, (numbers(copy_id for copy_id, _ in copies),))
            for kind, statement in _STORED.items():
                if places := [(copy_id, *at) for copy_id, at in copies if isinstance(at, kind)]:
                    sql.own(statement, (self.destination_id, *map(_array, zip(*places, strict=True))))
            self._drop_intents(sql)

    def judged(self, copies: Sequence[Judged], now: float) -> None:
        """Note the outcome of reading back."""
        with self._postgres.transaction() as sql:
            for (state, proof, reason), copy_ids in by_verdict(copies).items():
                is_proven = state is CopyState.VERIFIED
                sql.own(_JUDGED, (state.value, proof.value, reason, is_proven, now, numbers(copy_ids)))
                if not is_proven:
                    copies_worth_less(sql, copy_ids)

    def _note_contents(self, sql: Sql, contents: Iterable[tuple[Digest, bytes, int, bytes]]) -> None:
        columns = [_array(column) for column in zip(*contents, strict=True)]
        if columns:
            ours = cast("PostgresSql", sql)
            # With a number of its own from the beginning, this transaction is one that readers of what is new see.
            ours.own("select pg_current_xact_id()")
            ours.own(_NOTE_CONTENTS, tuple(columns))

    @property
    def _postgres(self) -> PostgresDatabase:
        return cast("PostgresDatabase", self._connection)


def _array(column: tuple[Any, ...]) -> str:
    """Return a column of values, which are all of the kind of the first, as an array."""
    match column[0]:
        case bytes():
            return octets(column)
        case str():
            return texts(column)
        case _:
            return numbers(column)
