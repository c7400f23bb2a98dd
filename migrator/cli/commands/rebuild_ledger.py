"""``mailferry rebuild-ledger``: learn again what the ledger knows of copies, from the archive files alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from migrator.archive.rebuild import Relearned
from migrator.cli.context import configuration, every
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.operations.rebuild import DamagedLedger, RebuiltLedger, rebuild_ledger
from migrator.ui.text import plain, plural, span

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_STEP = 10_000
_NAMED = 10


def run(arguments: Namespace, screen: Console) -> int:
    """Look through every archive folder, then prove what was found."""
    config = configuration(arguments, screen)
    began = time.monotonic()
    rebuilt = rebuild_ledger(
        config,
        on_damage=_damage_lines(screen),
        on_found=every(_STEP, lambda count: screen.note(f"{plural(count, 'message')} found so far")),
        on_checked=every(_STEP, lambda count: screen.note(f"{plural(count, 'copy', 'copies')} read so far")),
    )
    if screen.is_json:
        screen.document(rebuilt.as_json())
    _show(rebuilt, time.monotonic() - began, screen)
    return DONE if rebuilt.is_ok else NOT_ALL_DONE


def _damage_lines(screen: Console) -> Callable[[DamagedLedger], None]:
    def show(damaged: DamagedLedger) -> None:
        if damaged.problem:
            screen.note(f"the ledger is damaged: {damaged.problem}")
        screen.note(f"it was set aside as {damaged.kept}")

    return show


def _show(rebuilt: RebuiltLedger, seconds: float, screen: Console) -> None:
    for label in rebuilt.left_alone:
        screen.note(f"{label}: left as it is known; only files are looked through")
    for one in rebuilt.learned:
        screen.result(plain(f"{one.destination}: {plural(one.messages, 'message')} found"))
        for line in (*_missed(one), *_foreign(one)):
            screen.problem(plain(line))
    proven = rebuilt.verification
    for away in proven.unreachable:
        screen.problem(plain(f"{away.destination}: could not be checked: {away.error}"))
    screen.result(f"{plural(proven.ok, 'copy', 'copies')} proven, {proven.harmed:,} damaged, in {span(seconds)}")


def _missed(learned: Relearned) -> Iterator[str]:
    """Say what was not found, and that nothing of it was forgotten."""
    for one in learned.missed:
        known = plural(one.messages, "message")
        where = f"is not there, and {known} known to stand in it" if one.volume else f"was emptied: {known} known in it"
        yield (
            f"{learned.destination}{one.volume and f'/{one.volume}'} {where}: nothing of that is forgotten. Bring it"
            " back, which is all that is needed; if it is lost for good, mailferry repair stores again what it can"
        )


def _foreign(learned: Relearned) -> Iterator[str]:
    """Name what lies in the folder and is no volume, as far as it may be one that was packed."""
    named = learned.foreign if learned.missed else learned.packed
    if named:
        more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
        names = f"{', '.join(named[:_NAMED])}{more}"
        yield f"{learned.destination}: no volumes are {names}; if one was packed, unpack it and run this again"
