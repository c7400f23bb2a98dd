"""``mailferry rebuild-ledger``: build the ledger's knowledge of copies anew, from the archive files alone.

A ledger that is damaged is set aside, never deleted. One that is sound keeps everything but its copies: runs,
deletions, and what the maildrops showed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.rebuild import Relearned, relearn
from migrator.archive.verify import Check, Selection, Verification
from migrator.cli.commands.search import every
from migrator.cli.context import configuration, ledger_in
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.copying.copier import Copier
from migrator.errors import AwayError, FerryError
from migrator.ledger import FILE_NAME, Ledger
from migrator.run.account_lock import account_lock
from migrator.ui.text import plain, plural, span
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console

_TELL_EVERY = 10_000
_NAMED = 10


def run(arguments: Namespace, screen: Console) -> int:
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
        screen.result(plain(f"{one.destination}: {plural(one.messages, 'message')} found"))
        for line in _missed(one):
            screen.problem(plain(line))
    for away in verdict.unreachable:
        screen.problem(plain(f"{away.destination}: could not be checked: {away.error}"))
    damaged = verdict.harmed
    screen.result(
        f"{plural(verdict.ok, 'copy', 'copies')} proven, {damaged:,} damaged, in {span(time.monotonic() - began)}"
    )
    return DONE if verdict.is_ok and not any(one.missed for one in learned) else NOT_ALL_DONE


def _missed(learned: Relearned) -> Iterator[str]:
    """Say what was not found, and that nothing of it was forgotten."""
    for one in learned.missed:
        known = plural(one.messages, "message")
        where = f"is not there, and {known} known to stand in it" if one.volume else f"is emptied: {known} known in it"
        yield (
            f"{learned.destination}{one.volume and f'/{one.volume}'} {where}: nothing of that is forgotten. Bring it"
            " back, which is all that is needed; if it is lost for good, mailferry repair stores again what it can"
        )
    if learned.foreign:
        yield f"in that folder are also: {', '.join(learned.foreign[:_NAMED])}; if a volume was packed, unpack it"


def _sound_ledger(config: Config, screen: Console) -> Ledger:
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


def _set_aside(path: Path, screen: Console) -> None:
    kept = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    screen.note(f"it was set aside as {kept}")


def _rebuilt(config: Config, ledger: Ledger, screen: Console) -> tuple[list[Relearned], Verification]:
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} found so far"))
    checked = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'copy', 'copies')} read so far"))
    with open_archive(config, ledger, even_unknown=True) as reader:
        local = [archive_folder for archive_folder in reader.all if archive_folder.is_local]
        for archive_folder in local:  # first let it mend what a crash left, while the intents are still known
            with suppress(AwayError):
                Copier(archive_folder.destination, archive_folder.copies, clock=time.time).inspect()
        learned = [relearn(archive_folder, ledger.archive, on_progress=told) for archive_folder in local]
        for archive_folder in reader.all:
            if not archive_folder.is_local:
                screen.note(f"{archive_folder.destination.label}: left as it is known; only files are looked through")
        check = Check(
            reader.only(local), ledger.archive, clock=time.time, on_progress=lambda copies, _octets: checked(copies)
        )
        return learned, check.make(Selection())


def _as_json(learned: list[Relearned], verdict: Verification) -> dict[str, object]:
    return {
        "destinations": [
            {
                "destination": one.destination,
                "messages": one.messages,
                "missing": [{"volume": volume.volume, "messages": volume.messages} for volume in one.missed],
                "foreign": list(one.foreign),
            }
            for one in learned
        ],
        "checked": verdict.checked,
        "ok": verdict.ok,
        "damaged": [damage.as_json() for damage in verdict.damaged],
    }
