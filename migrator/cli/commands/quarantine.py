"""``mailferry quarantine``: what was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.quarantine import Quarantine, review_quarantine
from migrator.report import shown_unique_id
from migrator.ui.text import plain, plural, size
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ledger.history import SetAside
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """List what is set aside, after retrying or accepting the messages named."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with ExitStack() as stack:
        if ledger := existing_ledger(config):
            stack.enter_context(closing(ledger))
        choices = {"retry": arguments.retry, "accept": arguments.accept}
        found = review_quarantine(accounts, config.state_dir, ledger, **choices, now=time.time())
    _show(found, screen)
    return DONE


def _show(found: Quarantine, screen: Console) -> None:
    for decision in found.decisions:
        what = f"will be tried again at the next run of {decision.account}"
        screen.note(f"{decision.row}: {what if decision.is_retried else 'stays where it is and is reported no more'}")
    if screen.is_json:
        screen.document(found.as_json())
        return
    for message in found.messages:
        screen.result(_line(message))
    if found.messages:
        screen.note("mailferry quarantine --retry NUMBER tries one again, --accept NUMBER leaves it as it is.")
    else:
        screen.note("Nothing is set aside.")


def _line(message: SetAside) -> str:
    subject = f"{message.account}: message {shown_unique_id(message.unique_id)} ({size(message.octets)})"
    where = f" in {message.destination}" if message.destination else ""
    tried = f"since {_day(message.first_at)}, {plural(message.attempts, 'attempt')}"
    accepted = ", accepted" if message.is_accepted else ""
    return plain(f"{message.row}  {subject}{where}, {tried}{accepted}\n    [{message.kind}] {message.text}")


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
