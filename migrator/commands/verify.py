"""``mailferry verify``: read every stored copy again and hold it against the ledger; repair nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

from migrator.archive.query import Calendar, Dated, QueryError, parse
from migrator.archive.verify import Check, Damage, Selection, Verdict
from migrator.commands import DONE, NOT_ALL_DONE
from migrator.commands.opening import configuration, read_ledger, unknown_folders
from migrator.errors import ConfigError
from migrator.report import shown_unique_id
from migrator.shelving import shelves_of
from migrator.words import counted, plain, size, span

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.screen import Screen

_SECONDS_BETWEEN_LINES = 10.0


def run(arguments: Namespace, screen: Screen) -> int:
    """Check the copies asked for and name what is damaged."""
    since = _since(arguments.since)
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    names = tuple(account.name for account in accounts)
    began = time.monotonic()
    verdict, is_all_known = _verdict(config, accounts, Selection(names, arguments.sample, since), screen)
    if screen.is_json:
        screen.document(_as_json(verdict))
    _show(verdict, time.monotonic() - began, arguments, screen)
    return DONE if verdict.is_ok and is_all_known else NOT_ALL_DONE


def _since(written: str | None) -> float | None:
    if written is None:
        return None
    try:
        query = parse(f"after:{written}", Calendar(date.today()))  # noqa: DTZ011  # the day of the person who asks
    except QueryError as error:
        raise ConfigError([f"--since {written}: {str(error).removeprefix(f'after:{written}: ')}"]) from error
    if not isinstance(query, Dated) or query.start is None:
        raise ConfigError([f"--since {written}: is no day"])
    return float(query.start)


def _verdict(config: Config, accounts: Sequence[Account], selection: Selection, screen: Screen) -> tuple[Verdict, bool]:
    """Return what was found, and whether there is no folder of these accounts that the ledger does not know."""
    ledger = read_ledger(config, screen)
    if ledger is None:
        return Verdict(), True
    with closing(ledger), shelves_of(config, ledger) as shelves:
        is_all_known = not unknown_folders(config, accounts, ledger)
        return Check(shelves, ledger.archive, clock=time.time, told=_teller(screen)).make(selection), is_all_known


def _teller(screen: Screen) -> Callable[[int, int], None]:
    """Return a listener that says a line now and then."""
    began = told = time.monotonic()

    def listen(copies: int, octets: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _SECONDS_BETWEEN_LINES:
            told = now
            rate = size(octets / (now - began))
            screen.note(f"{counted(copies, 'copy', 'copies')} read, {size(octets)}, {rate}/s")

    return listen


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "checked": verdict.checked,
        "ok": verdict.ok,
        "damaged": [damage.as_json() for damage in verdict.damaged],
        "bytes": verdict.octets,
        "present": verdict.present,
        "errors": [
            {
                "account": account,
                "destination": one.destination,
                "kind": str(one.error.kind),
                "message": str(one.error),
            }
            for one in verdict.unreachable
            for account in one.accounts
        ],
    }


def _show(verdict: Verdict, seconds: float, arguments: Namespace, screen: Screen) -> None:
    for damage in verdict.damaged:
        screen.result(_line(damage))
    for one in verdict.unreachable:
        screen.result(plain(f"{', '.join(one.accounts)}: {one.destination} could not be checked: {one.error}"))
    rate = f", {size(verdict.octets / seconds)}/s" if seconds > 0 else ""
    damaged = verdict.checked - verdict.ok
    if not screen.is_quiet or not verdict.is_ok:
        copies = counted(verdict.checked, "copy", "copies")
        screen.result(
            f"{copies} read ({size(verdict.octets)} in {span(seconds)}{rate}): {verdict.ok:,} ok, {damaged:,} damaged"
        )
    if verdict.present:
        copies = counted(verdict.present, "copy", "copies")
        screen.note(f"{copies} that the server altered could only be seen to be there: no original is at hand.")
    if verdict.damaged:
        config = f" -c {arguments.config}" if arguments.config else ""
        accounts = " ".join(dict.fromkeys(damage.account for damage in verdict.damaged))
        screen.result(
            "No source of a damaged copy will be deleted. This fetches them again, from another destination or the "
            f"source:\n  mailferry repair{config} {accounts}"
        )


def _line(damage: Damage) -> str:
    shown = "not from a maildrop" if damage.unique_id is None else f"message {shown_unique_id(damage.unique_id)}"
    identity = f"Message-ID {shown_unique_id(damage.message_id)}" if damage.message_id else "no Message-ID"
    return plain(
        f"{damage.account}: {shown}, {identity}, id {damage.digest.hex()[:20]}\n    in {damage.file}: {damage.reason}"
    )
