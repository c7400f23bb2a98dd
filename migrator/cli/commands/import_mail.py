"""``mailferry import``: take mail that lies about into an account's destinations, each message once and proven."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from migrator.cli.commands.search import every
from migrator.cli.context import configuration, ledger_in, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.copying.copier import Copier
from migrator.copying.in_turn import CopyToAll
from migrator.errors import ConfigError
from migrator.interchange.import_sources import Item, Sources
from migrator.interchange.importer import Imported, Importer
from migrator.interchange.mail_files import Variant
from migrator.ledger import Ledger
from migrator.run.account_lock import account_lock
from migrator.ui.text import group_by_reason, plain, plural, size
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config, Destination
    from migrator.ui.console import Console

_TELL_EVERY = 5_000
_SHOWN = 20


def run(arguments: Namespace, screen: Console) -> int:
    """Bring every message found at the paths into the account's destinations."""
    if missing := [str(path) for path in arguments.paths if not path.exists()]:
        raise ConfigError([f"{path}: there is no such file or folder" for path in missing])
    config = configuration(arguments, screen)
    [account] = config.select([arguments.account])
    with_passwords(config, [account])
    done = _imported(config, account, arguments, screen)
    if screen.is_json:
        screen.document(_as_json(done))
    _show(done, screen)
    return DONE if done.is_complete else NOT_ALL_DONE


def _imported(config: Config, account: Account, arguments: Namespace, screen: Console) -> Imported:
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} found so far"))
    sources = Sources(Variant(arguments.variant), config.state_dir / "spool")
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(ledger_in(config)))
        stack.enter_context(account_lock(config.state_dir, account.name))
        copiers = [_copier(stack, place, config, ledger) for place in account.destinations]
        for copier in copiers:
            if problems := copier.inspect():
                raise problems[0]
        importer = Importer(CopyToAll(copiers).copy, on_progress=told)
        return importer.copy(_items(sources, arguments))


def _copier(stack: ExitStack, place: Destination, config: Config, ledger: Ledger) -> Copier:
    destination = destination_of(place, config.state_dir)
    stack.callback(destination.close)
    return Copier(destination, ledger.copies(destination.identity, destination.kind), clock=time.time)


def _items(sources: Sources, arguments: Namespace) -> Iterator[Item]:
    for path in arguments.paths:
        yield from sources.found(path)


def _as_json(done: Imported) -> dict[str, object]:
    return {
        "found": done.found,
        "copied": done.copied,
        "duplicates": done.duplicates,
        "failed": len(done.failed),
        "bytes": done.octets,
        "errors": [{"place": place, "kind": str(error.kind), "message": str(error)} for place, error in done.failed],
        "left_out": [{"place": one.place, "reason": one.reason} for one in done.left_out],
    }


def _show(done: Imported, screen: Console) -> None:
    for line in group_by_reason((place, f"[{error.kind}] {error}") for place, error in done.failed):
        screen.problem(plain(line))
    troubles = [one for one in done.left_out if one.is_trouble]
    for one in troubles:
        screen.problem(plain(f"{one.place}: left out: {one.reason}"))
    others = [one for one in done.left_out if not one.is_trouble]
    for one in others if screen.verbosity else others[:_SHOWN]:
        screen.note(plain(f"{one.place}: left out: {one.reason}"))
    if len(others) > _SHOWN and not screen.verbosity:
        screen.note(f"... and {len(others) - _SHOWN:,} more that hold no mail; -v names them")
    if not screen.is_quiet or not done.is_complete:
        screen.result(
            f"{plural(done.found, 'message')} found: {done.copied:,} copied ({size(done.octets)}), "
            f"{done.duplicates:,} archived already, {len(done.failed):,} failed"
        )
