"""``mailferry rebuild-ledger``: build the ledger's knowledge of copies anew, from the archive files alone.

A ledger that is damaged is set aside, never deleted. One that is sound keeps everything: what is missing or damaged in
the archive stays known as that, for to forget it would be to call it well.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.shelves import Shelf
from migrator.archive.verify import Check, Selection, Verdict
from migrator.commands import DONE, NOT_ALL_DONE
from migrator.commands.opening import configuration, ledger_in
from migrator.commands.search import every
from migrator.errors import FerryError
from migrator.ledger import FILE_NAME, Ledger
from migrator.locks import account_lock
from migrator.shelving import shelves_of
from migrator.transfer import Carrier
from migrator.words import counted, span

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.screen import Screen

_TELL_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Relearned:
    """What was found in one destination."""

    destination: str
    messages: int


def run(arguments: Namespace, screen: Screen) -> int:
    """Look through every archive folder, then prove what was found."""
    config = configuration(arguments, screen)
    began = time.monotonic()
    with ExitStack() as stack:
        for account in config.accounts:
            stack.enter_context(account_lock(config.state_dir, account.name))
        ledger = stack.enter_context(closing(_sound_ledger(config, screen)))
        learned, verdict = _rebuilt(config, ledger, screen)
    if screen.is_json:
        screen.document(_as_json(learned, verdict))
    for one in learned:
        screen.result(f"{one.destination}: {counted(one.messages, 'message')} found")
    damaged = verdict.checked - verdict.ok
    screen.result(
        f"{counted(verdict.ok, 'copy', 'copies')} proven, {damaged:,} damaged, in {span(time.monotonic() - began)}"
    )
    return DONE if verdict.is_ok else NOT_ALL_DONE


def _sound_ledger(config: Config, screen: Screen) -> Ledger:
    """Open the ledger; a damaged one is set aside first, and a new one begun."""
    path = config.state_dir / FILE_NAME
    if path.exists():
        try:
            ledger = ledger_in(config)
        except FerryError as error:
            if not _is_damage(error):
                raise
        else:
            if not (problems := _problems(ledger)):
                return ledger
            ledger.close()
            screen.note(f"the ledger is damaged: {problems[0]}")
        _set_aside(path, screen)
    return ledger_in(config)


def _is_damage(error: FerryError) -> bool:
    """Say whether the file is no database any more; a full disk, a lock or a newer program is another matter."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError)


def _problems(ledger: Ledger) -> list[str]:
    try:
        return ledger.integrity_problems()
    except FerryError as error:
        return [error.message]


def _set_aside(path: Path, screen: Screen) -> None:
    kept = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    screen.note(f"it was set aside as {kept}")


def _rebuilt(config: Config, ledger: Ledger, screen: Screen) -> tuple[list[Relearned], Verdict]:
    checked = every(_TELL_EVERY, lambda count: screen.note(f"{counted(count, 'copy', 'copies')} read so far"))
    with shelves_of(config, ledger, even_unknown=True) as shelves:
        local = [shelf for shelf in shelves.all if shelf.is_local]
        learned = [_relearned(shelf) for shelf in local]
        for shelf in shelves.all:
            if not shelf.is_local:
                screen.note(f"{shelf.destination.label}: left as it is known; only files are looked through")
        check = Check(
            shelves.only(local), ledger.archive, clock=time.time, told=lambda copies, _octets: checked(copies)
        )
        return learned, check.make(Selection())


def _relearned(shelf: Shelf) -> Relearned:
    """Look at a folder from its beginning: whatever is there is known then, and what is not is not forgotten."""
    shelf.copies.doubted()
    Carrier(shelf.destination, shelf.copies, clock=time.time).inspect()
    return Relearned(shelf.destination.label, shelf.copies.copies_known())


def _as_json(learned: list[Relearned], verdict: Verdict) -> dict[str, object]:
    return {
        "destinations": [{"destination": one.destination, "messages": one.messages} for one in learned],
        "checked": verdict.checked,
        "ok": verdict.ok,
        "damaged": [damage.as_json() for damage in verdict.damaged],
    }
