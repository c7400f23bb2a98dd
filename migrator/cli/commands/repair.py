"""``mailferry repair``: fetch again what verify found damaged, from another destination or the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from migrator.archive.mend import Mender
from migrator.archive.repair import Repair, Repaired
from migrator.archive.unproven import unproven_line
from migrator.cli.context import configuration, read_ledger, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.message.body import Message
from migrator.model import Digest
from migrator.pop3.session import open_session
from migrator.run.account_lock import account_lock
from migrator.run.refetch import refetched
from migrator.ui.text import plain, plural
from migrator.wiring.account import source_of
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Mend the damaged copies of the accounts asked for."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    done = _repaired(config, accounts, screen)
    if screen.is_json:
        screen.document(_as_json(done))
    _show(done, screen)
    return DONE if done.is_complete else NOT_ALL_DONE


def _repaired(config: Config, accounts: Sequence[Account], screen: Console) -> Repaired:
    by_name = {account.name: account for account in accounts}

    def fetch(name: str, wanted: dict[Digest, bytes]) -> Iterator[Message]:
        if name not in by_name:
            return iter(())
        account = by_name[name]
        session = open_session(source_of(account), account.source.password.reveal)
        return refetched(session, wanted, config.state_dir)

    ledger = read_ledger(config, screen)
    if ledger is None:
        return Repaired()
    with ExitStack() as stack:
        stack.enter_context(closing(ledger))
        for account in accounts:
            stack.enter_context(account_lock(config.state_dir, account.name))
        reader = stack.enter_context(open_archive(config, ledger))
        return Repair(reader, ledger.archive, Mender(ledger.archive), fetch).make(list(by_name))


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
        "unproven": sum(one.count for one in done.unproven),
        "errors": [
            {
                "accounts": list(one.accounts),
                "destination": one.destination,
                "kind": str(one.error.kind),
                "message": str(one.error),
            }
            for one in done.unreachable
        ],
    }


def _show(done: Repaired, screen: Console) -> None:
    for one in done.mended:
        screen.note(plain(f"{one.digest.hex()[:20]}: stored anew in {one.destination}, from {one.origin}"))
    for name in done.acknowledged:
        screen.note(plain(f"{name}: closed as it stands; nothing more is written to it"))
    for lost in done.hopeless:
        screen.result(plain(f"{lost.digest.hex()[:20]} in {lost.destination}: not repaired: {lost.reason}"))
    for away in done.unreachable:
        screen.problem(plain(f"{away.destination}: left alone: {away.error}"))
    for altered in done.unproven:
        screen.note(plain(unproven_line(altered)))
    if not screen.is_quiet or done.hopeless:
        copies = plural(len(done.mended), "copy", "copies")
        screen.result(f"{copies} repaired, {len(done.hopeless):,} still damaged")
