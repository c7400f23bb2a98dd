"""``mailferry show``: one archived message, as a person reads it, as its bytes, or one of its attachments."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, FerryError, Kind
from migrator.operations.show import open_message, render_message, save_attachment
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.message.body import Body
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Print one archived message."""
    if (arguments.attachment is None) != (arguments.path is None):
        raise ConfigError(["--attachment N: goes together with --to FILE"])
    config = configuration(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise FerryError(Kind.REFUSED, "nothing has been archived yet")
    with closing(ledger), open_message(arguments.id, config, ledger, exact=arguments.raw) as body:
        if arguments.raw:
            _write_raw(body)
        elif arguments.attachment is not None:
            saved = save_attachment(body, arguments.attachment, arguments.path)
            screen.note(f"saved {saved.octets:,} bytes to {saved.path}")
        else:
            _show(body, screen)
    return DONE


def _write_raw(body: Body) -> None:
    """Write the bytes that the digest was taken over, and nothing else."""
    for chunk in body.chunks():
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _show(body: Body, screen: Console) -> None:
    shown = render_message(body)
    for line in shown.headers:
        screen.result(line)
    screen.result()
    if shown.problem:
        screen.problem(f"This message cannot be shown: {shown.problem}. `mailferry show --raw` writes its bytes.")
        return
    screen.result(shown.text)
    if shown.attachments:
        screen.result("\nAttachments (mailferry show ID --attachment NUMBER --to FILE):")
        for line in shown.attachments:
            screen.result(f"  {line}")
