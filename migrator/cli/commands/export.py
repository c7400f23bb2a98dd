"""``mailferry export``: write archived messages out with a manifest; overwrite nothing, go on where it was cut."""

from __future__ import annotations

from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, every, needed_ledger
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.index_lines import indexing, rebuilding, show_index_state, show_remarks
from migrator.interchange.exporter import Exported, Form
from migrator.operations.export import export_messages
from migrator.operations.search import find_digests
from migrator.ui.text import group_by_reason, plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console

_STEP = 5_000


def run(arguments: Namespace, screen: Console) -> int:
    """Write the messages asked for to a path."""
    done = _exported(configuration(arguments, screen), arguments, screen)
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen)
    return NOT_ALL_DONE if done.failed else DONE


def _exported(config: Config, arguments: Namespace, screen: Console) -> Exported:
    accounts = config.select(arguments.accounts)
    with closing(needed_ledger(config, screen, only_to_read=True)) as ledger:
        matches = find_digests(
            arguments.query, config, ledger, on_progress=indexing(screen), on_rebuild=rebuilding(screen)
        )
        show_remarks(arguments.query, screen)
        show_index_state(matches.index, screen)
        return export_messages(
            arguments.path,
            Form(arguments.format),
            accounts,
            config,
            ledger,
            wanted=matches.digests,
            on_progress=every(_STEP, lambda count: screen.note(f"{plural(count, 'message')} exported so far")),
        )


def _show(done: Exported, screen: Console) -> None:
    for line in group_by_reason(
        (f"{account}: {digest.hex()[:20]}", str(error)) for account, digest, error in done.failed
    ):
        screen.problem(plain(line))
    if screen.is_quiet:
        return
    was_there = f", {done.present:,} were there already" if done.present else ""
    failed = f", {len(done.failed):,} could not be" if done.failed else ""
    screen.result(f"{plural(done.written, 'message')} written{was_there}{failed}")
    if done.manifest is not None and (done.written or done.present):
        folder, name = quote(str(done.manifest.parent.absolute())), quote(done.manifest.name)
        screen.result(f"check them with: cd {folder} && sha256sum -c {name}")
