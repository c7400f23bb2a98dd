"""``mailferry add``: from an address to the first proven copy, one question at a time; every question has a flag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.adding import Asking
from migrator.cli.context import as_named, with_passwords
from migrator.cli.exit_codes import DONE, INTERRUPTED
from migrator.cli.finding_servers import address_of
from migrator.cli.sign_in_prompt import sign_in_where_needed
from migrator.cli.signals import stopping
from migrator.discovery import Found
from migrator.operations.add_account import Draft, Look, copy_some, failure_of, has_proven
from migrator.report import AccountReport
from migrator.run.context import Effects
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Find, agree, look, copy one message, write; nothing is written before all of that has worked."""
    address = address_of(arguments.address)
    asking = Asking(arguments, screen, address)
    asking.check_flags()
    found = asking.server()
    draft = asking.draft(found)
    sign_in_where_needed(draft.checked()[1], screen)
    seen, draft = asking.looked_at(draft, found)
    draft = asking.with_places(draft)
    config, account = draft.checked()
    with_passwords(config, [account])
    with stopping(screen) as stop, screen.progress() as progress:
        report = copy_some(account, config, Effects(stop=stop, progress=progress))
    if stop.is_set() or report.interrupted:
        screen.failure("interrupted", ["interrupted; the account was not added"])
        return INTERRUPTED
    if not has_proven(report):
        raise failure_of(report)
    file = draft.write()
    _tell(draft, file, found, seen, report, screen)
    _tell_next(draft, seen, report, arguments, screen)
    return DONE


def _tell(draft: Draft, file: Path, found: Found, seen: Look, report: AccountReport, screen: Console) -> None:
    if screen.is_json:
        screen.document(
            {
                "account": draft.name,
                "file": str(file),
                "found": {**found.as_json(), "host": draft.source["host"]},
                "messages": seen.messages,
                "octets": seen.octets,
                "copied": report.copied,
                "verified": report.verified,
            }
        )
    if screen.is_quiet:
        return
    if report.verified:
        screen.result(f"{plural(report.verified, 'message')} copied and proven.")
    elif seen.messages:
        screen.result("Nothing is new there: what it holds was copied and proven before.")
    else:
        screen.result("The mailbox is empty: there was nothing to copy.")
    screen.result(plain(f"{draft.name}: added ({file})"))


def _tell_next(draft: Draft, seen: Look, report: AccountReport, arguments: Namespace, screen: Console) -> None:
    left = seen.messages - report.known - report.copied - report.duplicates
    named = as_named(arguments)
    if left > 0:
        screen.note(plain(f"{plural(left, 'message')} to go: mailferry migrate{named} {draft.name}"))
    screen.note(f"To go on fetching: mailferry run{named}")
