"""Whether a ledger in PostgreSQL has every rule that it was made with, and whether its settings are those it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.ledger.postgres.schema import TRIGGERS

if TYPE_CHECKING:
    from migrator.ledger.postgres.connection import PostgresSql


_HERE = "relnamespace = (select relnamespace from pg_class where oid = to_regclass('schema_version'))"
_IN_FORCE = (
    f"select tgname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid where {_HERE} and tgenabled = 'O'"
)
_UNCHECKED = (
    "select conname::text from pg_constraint n join pg_class c on c.oid = n.conrelid"
    f" where {_HERE} and not convalidated"
)
_DAMAGED = (
    "select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid"
    f" where {_HERE} and not (i.indisvalid and i.indisready)"
)
_STANDBYS = (  # what a role may not see of them is null
    "select application_name,"
    " sync_state is distinct from 'async' and current_setting('synchronous_standby_names') != ''"
    " from pg_stat_replication r where application_name not in ('pg_basebackup', 'pg_receivewal') and not exists"
    " (select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical') order by 1"
)
_TIMEOUT = "select extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval)::int"


def unsafe_rules(sql: PostgresSql) -> list[str]:
    """Return the rules and indexes that are missing or switched off; empty when all is well."""
    in_force = {name for (name,) in sql.own(_IN_FORCE)}
    return [
        *(f"the rule {name} is not in force" for name in TRIGGERS if name not in in_force),
        *(f"the rule {name} was never checked" for (name,) in sql.own(_UNCHECKED)),
        *(f"the index {name} is damaged: reindex it" for (name,) in sql.own(_DAMAGED)),
    ]


def unsafe_settings(sql: PostgresSql) -> list[str]:
    """Return what is set in a way in which a promise does not hold, each as what is wrong and what to do."""
    found: list[str] = []
    for name, wanted, why in (
        ("synchronous_commit", ("on", "remote_apply"), "a commit that was answered may be lost"),
        ("fsync", ("on",), "a power cut may take what was committed"),
        ("full_page_writes", ("on",), "a power cut may tear its pages"),
    ):
        (value,) = sql.own("select current_setting($1)", (name,)).fetchone() or ("",)
        if value not in wanted:
            found.append(f"{name} is {value}: {why}; set it to {wanted[0]}")
    found.extend(
        f"the standby {name} follows asynchronously: promoted, it has forgotten copies, deletions and who works what;"
        " name it in synchronous_standby_names, or never promote it"
        for name, is_synchronous in sql.own(_STANDBYS)
        if not is_synchronous
    )
    (timeout,) = sql.own(_TIMEOUT).fetchone() or (0,)
    if not 0 < timeout <= 10:
        found.append("idle_in_transaction_session_timeout does not hold: connect to PostgreSQL itself, not to a pooler")
    return found
