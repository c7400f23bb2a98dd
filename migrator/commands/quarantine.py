"""``mailferry quarantine``: what was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.commands import DONE
from migrator.commands.opening import configuration, existing_ledger
from migrator.errors import ConfigError
from migrator.report import shown_unique_id
from migrator.words import counted, plain, size

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ledger.history import SetAside
    from migrator.screen import Screen


def run(arguments: Namespace, screen: Screen) -> int:
    """List what is set aside, after retrying or accepting the messages named."""
    config = configuration(arguments, screen)
    names = [account.name for account in config.select(arguments.accounts)]
    ledger = existing_ledger(config)
    if ledger is None:
        _refuse_unknown([*arguments.retry, *arguments.accept], {})
        _show([], screen)
        return DONE
    with closing(ledger):
        known: dict[int, SetAside] = {message.row: message for message in ledger.history.set_aside(names)}
        _refuse_unknown([*arguments.retry, *arguments.accept], known)
        for row in arguments.retry:
            ledger.history.retry(known[row].row)
            screen.note(f"{row}: will be tried again at the next run of {known[row].account}")
        for row in arguments.accept:
            ledger.history.accept(known[row].row, time.time())
            screen.note(f"{row}: stays where it is and is reported no more")
        _show(ledger.history.set_aside(names), screen)
    return DONE


def _refuse_unknown(rows: Sequence[int], known: dict[int, SetAside]) -> None:
    if strange := [row for row in rows if row not in known]:
        raise ConfigError(
            [f"{row}: no message with this number is set aside; see mailferry quarantine" for row in strange]
        )


def _show(messages: Sequence[SetAside], screen: Screen) -> None:
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
    tried = f"since {_day(message.first_at)}, {counted(message.attempts, 'attempt')}"
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
