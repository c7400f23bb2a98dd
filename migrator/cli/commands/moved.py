"""``mailferry moved OLD NEW``: what is known of an archive or a mailbox stays known under its new path or spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.config.one_shot import FILE_NAME
from migrator.operations.moved import Moved, record_move
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Change what is known, all of it or nothing, and say what is left to edit."""
    config = configuration(arguments, screen) if _is_configured(arguments) else None
    state_dir = config.state_dir if config else arguments.state_dir.expanduser()
    done = record_move(arguments.old, arguments.new, state_dir, config)
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen)
    return DONE


def _is_configured(arguments: Namespace) -> bool:
    """Tell whether there is a configuration that may name the old place; a state folder need not have one."""
    return arguments.state_dir is None or (arguments.state_dir.expanduser() / FILE_NAME).exists()


def _show(done: Moved, screen: Console) -> None:
    for one in done.moves:
        taken = f"{plural(one.copies, 'copy', 'copies')} taken along" if one.copies else "nothing more was known of it"
        screen.result(plain(f"{one.old} is known as {one.new} now: {taken}"))
    if done.to_edit:
        screen.result("The configuration still names the old place. To edit:")
    for line in done.to_edit:
        screen.result(plain(f"  {line}"))
