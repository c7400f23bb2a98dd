"""``mailferry repair``: fetch again what verify found damaged, from another destination or the source."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.importing import Outcome
from migrator.archive.repairing import Repair, Repaired
from migrator.archive.shelves import Shelf
from migrator.bringing import Everywhere
from migrator.commands import DONE, NOT_ALL_DONE
from migrator.commands.opening import configuration, read_ledger, with_passwords
from migrator.errors import AwayError
from migrator.locks import account_lock
from migrator.model import Digest, Message
from migrator.refetching import refetched
from migrator.shelving import shelves_of
from migrator.transfer import Carrier
from migrator.words import counted, plain

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.screen import Screen


def run(arguments: Namespace, screen: Screen) -> int:
    """Mend the damaged copies of the accounts asked for."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    done = _repaired(config, accounts, screen)
    if screen.is_json:
        screen.document(_as_json(done))
    _show(done, screen)
    return NOT_ALL_DONE if done.hopeless else DONE


def _repaired(config: Config, accounts: Sequence[Account], screen: Screen) -> Repaired:
    by_name = {account.name: account for account in accounts}

    def look(shelf: Shelf) -> None:
        carrier = Carrier(shelf.destination, shelf.copies, clock=time.time)
        try:
            carrier.inspect()
        except AwayError:
            if not Path(shelf.destination.identity.partition(":")[2]).is_dir():
                raise
            carrier.give_up_missing()

    def fetch(name: str, wanted: dict[Digest, bytes]) -> Iterator[Message]:
        return refetched(by_name[name], wanted, config.state_dir) if name in by_name else iter(())

    def bring(shelf: Shelf, messages: Sequence[Message]) -> list[Outcome]:
        return Everywhere([Carrier(shelf.destination, shelf.copies, clock=time.time)]).bring(messages)

    ledger = read_ledger(config, screen)
    if ledger is None:
        return Repaired()
    with ExitStack() as stack:
        stack.enter_context(closing(ledger))
        for account in accounts:
            stack.enter_context(account_lock(config.state_dir, account.name))
        shelves = stack.enter_context(shelves_of(config, ledger))
        return Repair(shelves, ledger.archive, look, bring, fetch).make(list(by_name))


def _as_json(done: Repaired) -> dict[str, object]:
    return {
        "repaired": [
            {"destination": one.destination, "digest": one.digest.hex(), "from": one.origin} for one in done.mended
        ],
        "damaged": [
            {
                "accounts": list(one.accounts),
                "destination": one.destination,
                "digest": one.digest.hex(),
                "reason": one.reason,
            }
            for one in done.hopeless
        ],
        "acknowledged": done.acknowledged,
    }


def _show(done: Repaired, screen: Screen) -> None:
    for one in done.mended:
        screen.note(plain(f"{one.digest.hex()[:20]}: stored anew in {one.destination}, from {one.origin}"))
    for name in done.acknowledged:
        screen.note(plain(f"{name}: closed as it stands; nothing more is written to it"))
    for lost in done.hopeless:
        screen.result(plain(f"{lost.digest.hex()[:20]} in {lost.destination}: not repaired: {lost.reason}"))
    if not screen.is_quiet or done.hopeless:
        copies = counted(len(done.mended), "copy", "copies")
        screen.result(f"{copies} repaired, {len(done.hopeless):,} still damaged")
