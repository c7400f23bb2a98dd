"""``mailferry show``: one archived message, as a person reads it, as its bytes, or one of its attachments."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, FerryError, Kind
from migrator.operations.show import open_message, render_message, save_attachment
from migrator.ui.text import plural
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.message.body import Body
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Print one archived message."""
    if arguments.attachment is None and arguments.path is not None:
        raise ConfigError(["--to FILE: goes together with --attachment N"])
    if arguments.attachment is not None and arguments.raw:
        raise ConfigError(["--raw, --attachment N: only one of them at a time"])
    config = configuration(arguments, screen)
    ledger = existing_ledger(config, only_to_read=True)
    if ledger is None:
        raise FerryError(Kind.REFUSED, "nothing has been archived yet")
    with closing(ledger), open_message(arguments.id, config, ledger, exact=arguments.raw) as body:
        if arguments.raw:
            screen.octets(body.chunks())  # those that the digest was taken over, and nothing else
        elif arguments.attachment is not None:
            saved = save_attachment(body, arguments.attachment, arguments.path or Path())
            screen.note(f"saved {plural(saved.octets, 'byte')} to {saved.path}")
        else:
            _show(body, screen)
    return DONE


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
        screen.result("\nAttachments (mailferry show ID --attachment NUMBER saves one here):")
        for line in shown.attachments:
            screen.result(f"  {line}")
