"""``mailferry notify --test``: send a test message to everyone who is notified, now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.cli.context import configuration_in_files
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import ConfigError
from migrator.ui.text import plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Try every channel once and say what became of each."""
    from jobs.alerting.channels import channels, send_everywhere
    from jobs.alerting.notification import Notification

    config = configuration_in_files(arguments, screen)
    ways = channels(config.notify)
    if not ways:
        raise ConfigError(["[notify]: names nobody to tell; add [notify.smtp] or apprise"])
    note = Notification(
        "test message", f"This is only a test. It looks after {plural(len(config.accounts), 'account')} here.\n"
    )
    results = send_everywhere(ways, note)
    for name, error in results:
        screen.result(f"{name}: {'sent' if error is None else f'FAILED: [{error.kind}] {error}'}")
    return DONE if all(error is None for _, error in results) else NOT_ALL_DONE
