"""What a person accepted as it is, so that nothing counts it as wrong any more.

An acceptance is of a message. It holds for copies that a server altered or that somebody took out, wherever they are,
and for damage in the one destination that the problem named: what is damaged elsewhere was accepted by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Sql
from migrator.ledger.kept_numbers import numbers_changed
from migrator.model import CopyState, Proof

_MAILBOX = re.compile(r"imap:(.*)@([^@/]*)/(.*)", re.DOTALL)


def accepted_copies(sql: Sql, state: CopyState) -> dict[int, str]:
    """Return the copies in this state that were accepted, by number, each with its destination's identity.

    Cheap: acceptances are few, and copies are looked up by them.
    """
    rows = sql.execute(
        "select distinct k.id, t.identity, p.destination from problems p cross join messages m on m.id = p.message_id"
        " cross join copies k on k.content_id = m.content_id cross join destinations t on t.id = k.destination_id"
        f" where p.accepted_at is not null and k.state = ? and {IN_DOUBT.replace('state', 'k.state')}",
        (state,),
    )
    return {
        copy_id: identity
        for copy_id, identity, label in rows
        if state is not CopyState.DAMAGED or is_label_of(label or "", identity)
    }


def is_label_of(label: str, identity: str) -> bool:
    """Say whether this is what a person calls the destination."""
    if found := _MAILBOX.fullmatch(identity):
        user, host, folder = found.groups()
        return label.rstrip("/").casefold() == f"{folder} of {user} at {host}".casefold()
    return label == identity.replace(":", " ", 1)


def let_lapse(sql: Sql, account: str, reached: Mapping[int, Collection[Proof]]) -> None:
    """Forget that this account's altered copies were accepted, where all of them reach the proof that is required now.

    ``reached`` are the grades that each destination accepts, by its number. Their messages are proven like any other.
    """
    falls_short = " or ".join(f"(k.destination_id = {number} and {_is_none_of(of)})" for number, of in reached.items())
    altered = (
        "(select 1 from copies k where k.content_id = m.content_id and k.state = 'unproven'"
        f" and k.destination_id in ({', '.join(map(str, reached))})"
    )
    sql.execute(
        "update problems set accepted_at = null where message_id in (select m.id from problems p"
        " join messages m on m.id = p.message_id join maildrops d on d.id = m.maildrop_id"
        " where p.accepted_at is not null and p.kind = 'unproven' and d.account = ?"
        f" and exists {altered}) and not exists {altered} and ({falls_short})))",
        (account,),
    )
    numbers_changed(sql, account)


def _is_none_of(grades: Collection[Proof]) -> str:
    return " and ".join(f"k.proof != '{proof}'" for proof in grades) or "true"
