"""What makes a settled listing one that is looked at again: every change of what it was settled by is noted here.

A destination has a revision, which is part of what a listing is settled under (``MaildropLedger.revisions``): so those
are looked at again that were settled by what this destination held, however many accounts write there, and no others.
Where it is in doubt whether anything is worth less than before, it counts as so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from migrator.ledger.database import Sql

_WORTH_LESS = "update destinations set revision = revision + 1 where id"


def destination_worth_less(sql: Sql, destination_id: int) -> None:
    """Note that copies in a destination are not what they were; part of the caller's transaction."""
    sql.execute(f"{_WORTH_LESS} = ?", (destination_id,))


def copies_worth_less(sql: Sql, copy_ids: Sequence[int]) -> None:
    """Note that these copies are not what they were, wherever they stand; part of the caller's transaction."""
    sql.execute(
        f"{_WORTH_LESS} in (select destination_id from copies where id in (select value from json_each(?)))",
        (json.dumps(copy_ids),),
    )


def message_decided(sql: Sql, row: int) -> None:
    """Note that a person has decided about a message, which concerns its maildrop; part of the caller's transaction."""
    sql.execute(
        "update maildrops set settled_key = null where id = (select maildrop_id from messages where id = ?)", (row,)
    )
