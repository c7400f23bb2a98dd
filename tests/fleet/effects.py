"""What workers did at their servers, by the servers' log, and what of it must not have been.

An effect is a message that was stored at a destination, or deleted at a source. A session in Dovecot's log has the
port of its client, a connection has the process that opened it, and the ledger says which epoch of the account that
process had taken last: within one worker an account is worked by one run at a time, whatever the queue says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import psycopg

from tests.fleet.lines import Opened

DOVECOT_SETTINGS = {
    "mail_plugins": "$mail_plugins notify mail_log",
    "mail_log_prefix": '"%s(%u)<%{session}>: "',
    "login_log_format_elements": "user=<%u> rport=<%{rport}> session=<%{session}>",
    "log_timestamp": '"%Y-%m-%d %H:%M:%S.%{usecs} "',
}
"""With these Dovecot's log holds what ``effects_in`` reads."""

WATCH = """
    create table epochs (account text, epoch bigint, holder text, at timestamptz default clock_timestamp());
    create function note_epoch() returns trigger language plpgsql as $$ begin
        insert into epochs values (substr(new.name, 9), new.epoch, new.holder); return null;
    end $$;
    create trigger watched after insert or update of epoch on leases for each row when (new.name like 'account %')
    execute function note_epoch();
"""
"""Writes down in the database who took which account when."""

_LOGIN = re.compile(r"Login: user=<[^>]*>, rport=<(?P<port>\d+)>, session=<(?P<session>[^>]+)>")
_DID = re.compile(
    r"^(?P<at>\S+ \S+) (?P<service>pop3|imap)\((?:from|to)-(?P<number>\d+)\)<(?P<session>[^>]+)>: Info: (?P<kind>save|expunge): "
    r"box=INBOX, uid=\d+, msgid=(?P<message>\S+)$"
)


class Taken(NamedTuple):
    """An epoch of an account: when it began, and whose it is."""

    account: str
    epoch: int
    process: int
    at: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What was done to a message, in the order of the log."""

    account: str
    kind: str
    message: str
    server: int
    port: int
    at: float


def effects_in(log: str, servers: Mapping[str, int]) -> Iterator[Effect]:
    """Yield what was stored and deleted, by the log of a Dovecot with these ports for ``pop3`` and ``imap``.

    A log-in may be logged after what was done behind it.
    """
    logins = {login["session"]: int(login["port"]) for login in _LOGIN.finditer(log)}
    for line in log.splitlines():
        if did := _DID.match(line):
            at = datetime.fromisoformat(did["at"]).timestamp()
            port, server = logins.get(did["session"], 0), servers[did["service"]]
            yield Effect(f"n{did['number']}", did["kind"], did["message"], server, port, at)


def epochs_taken(connection: psycopg.Connection) -> list[Taken]:
    """Return what ``WATCH`` has written down, in order."""
    rows = connection.execute("select account, epoch, holder, extract(epoch from at) from epochs order by at")
    return [Taken(account, epoch, int(holder.rsplit(" ", 1)[1]), float(at)) for account, epoch, holder, at in rows]


class Record:
    """Who had which account when."""

    def __init__(self, taken: Iterable[Taken], opened: Iterable[Opened]) -> None:
        self._taken: dict[str, list[Taken]] = {}
        self._opened: dict[tuple[int, int], list[Opened]] = {}
        for one in taken:
            self._taken.setdefault(one.account, []).append(one)
        for line in opened:
            self._opened.setdefault((line.server, line.port), []).append(line)

    def epoch_of(self, effect: Effect) -> int:
        """Return the epoch under which this was done, 0 where nobody is known who may have."""
        lines = [line for line in self._opened.get((effect.server, effect.port), []) if line.at <= effect.at]
        if not lines:
            return 0
        line = max(lines, key=lambda one: one.at)
        own = [one for one in self._taken.get(effect.account, []) if one.process == line.process and one.at <= line.at]
        return max((one.epoch for one in own), default=0)

    def newest_at(self, account: str, at: float) -> int:
        """Return the newest epoch of an account that had been taken by then."""
        return max((one.epoch for one in self._taken.get(account, []) if one.at <= at), default=0)


def violations(effects: Sequence[Effect], record: Record) -> list[str]:
    """Return what must not have been: an effect of nobody's, one of the past, a deletion before its copy."""
    found: list[str] = []
    stored: set[tuple[str, str]] = set()
    for effect in effects:
        what = f"{effect.account}: {effect.kind} of {effect.message} at {effect.at:.3f}"
        epoch, newest = record.epoch_of(effect), record.newest_at(effect.account, effect.at)
        if not epoch:
            found.append(f"{what} by nobody known")
        elif epoch < newest:
            found.append(f"{what} under epoch {epoch}, though {newest} had been taken")
        if effect.kind == "save":
            stored.add((effect.account, effect.message))
        elif (effect.account, effect.message) not in stored:
            found.append(f"{what} though no copy had been stored")
    return found


def twice(effects: Iterable[Effect]) -> Mapping[tuple[str, str], int]:
    """Return which messages were stored more than once, and how often."""
    counts = Counter((one.account, one.message) for one in effects if one.kind == "save")
    return {which: count for which, count in counts.items() if count > 1}


_UNPROVEN = """select count(*) from messages m where m.state = 'deleted' and not exists (
    select from copies k where k.content_id = m.content_id and k.state = 'verified')"""


def deleted_unproven(connection: psycopg.Connection) -> int:
    """Return how many messages the ledger calls deleted without a copy that was proven."""
    row = connection.execute(_UNPROVEN).fetchone()
    assert row is not None
    return int(row[0])
