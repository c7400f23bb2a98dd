"""``mailferry receipts``: what was deleted at a source, what confirmed it, and where its copies are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.receipts import Receipt, parse_digest, parse_since, read_receipts
from migrator.operations.receipts_table import copy_in_words, receipts_as_csv
from migrator.report import shown_unique_id
from migrator.ui import sanitize
from migrator.ui.text import day_and_time, plain, plural, size
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_SHOWN_DIGEST = 20


def run(arguments: Namespace, screen: Console) -> int:
    """Show the receipts that were asked for, oldest first."""
    since = None if arguments.since is None else parse_since(arguments.since, time.time())
    digests = None if arguments.digest is None else parse_digest(arguments.digest)
    config = configuration(arguments, screen)
    with ExitStack() as stack:
        ledger = existing_ledger(config, only_to_read=True)
        if ledger is None:
            config.select(arguments.accounts)
            receipts: Iterator[Receipt] = iter(())
        else:
            stack.enter_context(closing(ledger))
            receipts = read_receipts(config, ledger, accounts=arguments.accounts, since=since, digests=digests)
        if screen.is_json:
            screen.document_of("receipts", (receipt.as_json() for receipt in receipts))
        elif arguments.csv:
            screen.text(receipts_as_csv(receipts))
        else:
            _show(receipts, screen)
    return DONE


def _show(receipts: Iterable[Receipt], screen: Console) -> None:
    count = 0
    for count, receipt in enumerate(receipts, 1):  # noqa: B007  # the last number is their number
        for line in _lines(receipt):
            screen.result(plain(line))
        if not screen.has_reader:
            return
    screen.note(f"{plural(count, 'deletion')}." if count else "Nothing was deleted.")


def _lines(receipt: Receipt) -> Iterator[str]:
    deletion, envelope = receipt.deletion, receipt.envelope
    what = f"message {shown_unique_id(deletion.unique_id)} ({size(deletion.octets)})"
    yield f"{day_and_time(deletion.deleted_at)}  {deletion.account}: {what}, id {deletion.digest.hex()[:_SHOWN_DIGEST]}"
    if envelope.sender or envelope.subject:
        date = "no date" if envelope.date is None else day_and_time(envelope.date)
        sender = sanitize.line(envelope.sender, limit=200)
        yield f"    {date}  {sender}: {sanitize.line(envelope.subject, limit=400) or '(no subject)'}"
    answer = f', "{receipt.reply}"' if receipt.reply else ""
    confirmed = f"the reply to QUIT{answer}" if receipt.confirmed_by == "quit" else "the next listing, which lacked it"
    yield f"    confirmed by {confirmed}"
    yield from (f"    copy: {copy_in_words(copy)}" for copy in receipt.copies)
