"""``mailferry run``: work all accounts on their schedule, in the foreground, until SIGTERM."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from migrator.cli.context import configuration_to_work, show_bad_rows, with_passwords
from migrator.cli.exit_codes import DONE
from migrator.events import set_up
from migrator.ui.text import plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Run the worker; a run that does not end in time is left as a power cut would leave it."""
    from jobs.memory import share_arenas
    from jobs.service import Service, ServiceOptions

    share_arenas()

    def load() -> Config:
        config = configuration_to_work(arguments, screen)
        show_bad_rows(config, screen)
        with_passwords(config, config.accounts)
        return config

    config = load()
    if not screen.is_quiet:
        # The log is what a worker has to say; without -v only other commands are silent.
        set_up(logging.DEBUG if screen.verbosity > 1 else logging.INFO, as_json=arguments.log_json)

    if not arguments.log_json:
        screen.note(f"mailferry run: {plural(len(config.accounts), 'account')}; SIGHUP reloads, SIGTERM ends")
    is_clean = Service(config, ServiceOptions(load)).run()
    if not is_clean:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(DONE)  # a thread still waits for a server; nothing it holds is worth waiting for
    return DONE
