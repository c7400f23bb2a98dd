"""``mailferry verify``: read every stored copy again and compare it with the ledger; repair nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.unproven import unproven_line
from migrator.archive.verification import Damage, Verification
from migrator.cli.context import archive_ledger, as_named, configuration
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.operations.verify import Verified, parse_since, verify_archive
from migrator.report import shown_unique_id
from migrator.ui.text import plain, plural, size, span

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ui.console import Console

_SECONDS_BETWEEN_LINES = 10.0


def run(arguments: Namespace, screen: Console) -> int:
    """Check the copies asked for and name what is damaged."""
    since = None if arguments.since is None else parse_since(arguments.since)
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    began = time.monotonic()
    found = _verified(config, accounts, arguments.sample, since, screen)
    if screen.is_json:
        screen.document(found.as_json())
    _show(found.verification, time.monotonic() - began, arguments, screen)
    return DONE if found.is_ok else NOT_ALL_DONE


def _verified(
    config: Config, accounts: Sequence[Account], share: float, since: float | None, screen: Console
) -> Verified:
    ledger = archive_ledger(config, screen, only_to_read=True)
    if ledger is None:
        return Verified()
    with closing(ledger):
        return verify_archive(accounts, config, ledger, share=share, since=since, on_read=_rate_line(screen))


def _rate_line(screen: Console) -> Callable[[int, int], None]:
    """Return a listener that says a line now and then."""
    began = said = time.monotonic()

    def listen(copies: int, octets: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES:
            said = now
            rate = size(octets / (now - began))
            screen.note(f"{plural(copies, 'copy', 'copies')} read, {size(octets)}, {rate}/s")

    return listen


def _show(verdict: Verification, seconds: float, arguments: Namespace, screen: Console) -> None:
    for damage in verdict.damaged:
        screen.result(_line(damage))
    for one in verdict.unreachable:
        screen.result(plain(f"{', '.join(one.accounts)}: {one.destination} could not be checked: {one.error}"))
    rate = f", {size(verdict.octets / seconds)}/s" if seconds > 0 else ""
    if not screen.is_quiet or not verdict.is_ok:
        copies = plural(verdict.checked, "copy", "copies")
        screen.result(f"{copies} read ({size(verdict.octets)} in {span(seconds)}{rate}): {_numbers(verdict)}")
    for altered in verdict.altered:
        screen.note(plain(unproven_line(altered)))
    if verdict.present:
        copies = plural(verdict.present, "copy", "copies")
        screen.note(
            f"{copies} that the server altered could only be seen to be there: there is no original to compare with."
        )
    for line in _cures(verdict.damaged, arguments):
        screen.result(line)


def _cures(damaged: Sequence[Damage], arguments: Namespace) -> Iterator[str]:
    """Say what helps: a repair mends what is damaged, and a setting decides on what was taken out of a mailbox."""
    if accounts := dict.fromkeys(damage.account for damage in damaged if not damage.decided_by):
        yield (
            "No source of a damaged copy will be deleted. If a file or a disk is missing, bring it back: that is all "
            "that is needed.\nThis fetches again what is lost, from another destination or the source:\n"
            f"  mailferry repair{as_named(arguments)} {' '.join(accounts)}"
        )
    for place in dict.fromkeys(damage.decided_by for damage in damaged if damage.decided_by):
        yield plain(
            'What is gone from a mailbox is not stored again unless you write when_copy_is_gone = "restore"; '
            f'"accept" says that this is as it should be: write either {place}, or accept single messages: '
            "mailferry quarantine"
        )


def _numbers(verdict: Verification) -> str:
    """Return what became of all that were read, in numbers that add up to them."""
    parts = [f"{verdict.ok:,} equal"]
    if verdict.unproven:
        ways = {one.reason.removeprefix("changed by the server: ") for one in verdict.altered}
        parts.append(f"{verdict.unproven:,} altered by the server ({', '.join(sorted(ways))})")
    if verdict.accepted:
        parts.append(f"{verdict.accepted:,} accepted as found")
    return ", ".join([*parts, f"{verdict.harmed:,} damaged or gone"])


def _line(damage: Damage) -> str:
    shown = "not from a mailbox" if damage.unique_id is None else f"message {shown_unique_id(damage.unique_id)}"
    identity = f"Message-ID {shown_unique_id(damage.message_id)}" if damage.message_id else "no Message-ID"
    return plain(
        f"{damage.account}: {shown}, {identity}, id {damage.digest.hex()[:20]}\n    in {damage.file}: {damage.reason}"
    )
