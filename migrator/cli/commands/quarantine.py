"""``mailferry quarantine``: what was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, Kind
from migrator.ledger.history import SetAside
from migrator.model import MessageRow
from migrator.policy import WhenCopyIsGone
from migrator.report import shown_unique_id
from migrator.ui.text import plain, plural, size
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.ledger.archive import TakenOut
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """List what is set aside, after retrying or accepting the messages named."""
    config = configuration(arguments, screen)
    names = [account.name for account in config.select(arguments.accounts)]
    ledger = existing_ledger(config)
    if ledger is None:
        _refuse_unknown([*arguments.retry, *arguments.accept], ())
        _show([], screen)
        return DONE
    with closing(ledger):
        gone = {message.row: (account, message) for account, message in _taken_out(config, names, ledger)}
        known: dict[int, SetAside] = {message.row: message for message in ledger.history.set_aside(names)}
        _refuse_unknown([*arguments.retry, *arguments.accept], known.keys() | gone.keys())
        for row in arguments.retry:
            ledger.history.retry(MessageRow(row))
            account = known[row].account if row in known else gone[row][0]
            screen.note(f"{row}: will be tried again at the next run of {account}")
        for row in arguments.accept:
            if row in known:
                ledger.history.accept(known[row].row, time.time())
            else:
                ledger.archive.accept_taken_out(gone[row][1], time.time())
            screen.note(f"{row}: stays where it is and is reported no more")
        aside = ledger.history.set_aside(names)
        known_rows = {message.row for message in aside}
        undecided = [_as_set_aside(*pair) for row, pair in gone.items() if row not in known_rows]
        _show([*aside, *undecided], screen)
    return DONE


def _taken_out(config: Config, names: Sequence[str], ledger: Ledger) -> Iterator[tuple[str, TakenOut]]:
    """Yield each account's messages that a person took out of a destination, where no setting decides on that."""
    for account in config.select(names):
        destinations = [destination_of(place, config.state_dir) for place in account.destinations]
        keeping = [one for one in destinations if one.when_copy_is_gone is WhenCopyIsGone.KEEP]
        labels = {one.identity: one.label for one in keeping}
        for message in ledger.archive.taken_out(account.name, list(labels)):
            yield account.name, replace(message, destination=labels[message.destination])


def _as_set_aside(account: str, message: TakenOut) -> SetAside:
    since = message.copied_at or 0.0
    return SetAside(
        message.row,
        account,
        message.unique_id,
        message.octets,
        Kind.MISMATCH,
        f"{message.reason}; the source keeps it",
        message.destination,
        1,
        since,
        since,
        is_accepted=False,
        digest=message.digest,
    )


def _refuse_unknown(rows: Sequence[int], known: Collection[int]) -> None:
    if strange := [row for row in rows if row not in known]:
        raise ConfigError(
            [f"{row}: no message with this number is set aside; see mailferry quarantine" for row in strange]
        )


def _show(messages: Sequence[SetAside], screen: Console) -> None:
    if screen.is_json:
        screen.document({"messages": [_as_json(message) for message in messages]})
        return
    for message in messages:
        screen.result(_line(message))
    if messages:
        screen.note("mailferry quarantine --retry NUMBER tries one again, --accept NUMBER leaves it as it is.")
    else:
        screen.note("Nothing is set aside.")


def _line(message: SetAside) -> str:
    subject = f"{message.account}: message {shown_unique_id(message.unique_id)} ({size(message.octets)})"
    where = f" in {message.destination}" if message.destination else ""
    tried = f"since {_day(message.first_at)}, {plural(message.attempts, 'attempt')}"
    accepted = ", accepted" if message.is_accepted else ""
    return plain(f"{message.row}  {subject}{where}, {tried}{accepted}\n    [{message.kind}] {message.text}")


def _as_json(message: SetAside) -> dict[str, object]:
    return {
        "number": message.row,
        "account": message.account,
        "uidl": shown_unique_id(message.unique_id),
        "octets": message.octets,
        "digest": message.digest.hex() if message.digest else None,
        "destination": message.destination,
        "kind": str(message.kind),
        "message": message.text,
        "attempts": message.attempts,
        "first": _moment(message.first_at),
        "last": _moment(message.last_at),
        "accepted": message.is_accepted,
    }


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
