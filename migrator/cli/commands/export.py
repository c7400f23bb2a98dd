"""``mailferry export``: write archived messages out with a manifest; overwrite nothing, go on where it was cut."""

from __future__ import annotations

from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING

from migrator.cli.commands.search import every
from migrator.cli.context import configuration, existing_ledger, tell_unknown_folders
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.selection import wanted_by
from migrator.errors import ConfigError
from migrator.interchange.exporter import Exported, Form, export, parts
from migrator.ui.text import plain, plural
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console

_TELL_EVERY = 5_000


def run(arguments: Namespace, screen: Console) -> int:
    """Write the messages asked for to a path."""
    if arguments.path.suffix.lower() == ".zip" and arguments.format != Form.EML:
        raise ConfigError([f"--format {arguments.format}: a zip holds eml files; write --format eml"])
    config = configuration(arguments, screen)
    done = _exported(config, arguments, screen)
    if screen.is_json:
        screen.document(_as_json(done))
    _show(done, screen)
    return NOT_ALL_DONE if done.failed else DONE


def _exported(config: Config, arguments: Namespace, screen: Console) -> Exported:
    accounts = [(account.name, account.file_name) for account in config.select(arguments.accounts)]
    ledger = existing_ledger(config)
    if ledger is None:
        raise ConfigError(["there is no ledger yet; if there is an archive, `mailferry rebuild-ledger` reads it"])
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} exported so far"))
    with closing(ledger), open_archive(config, ledger) as reader:
        tell_unknown_folders(config, ledger, screen)
        wanted = wanted_by(arguments.query, config, ledger, screen)
        planned = parts(arguments.path, Form(arguments.format), accounts, reader, ledger.archive, wanted)
        return export(arguments.path, planned, reader, on_progress=told)


def _as_json(done: Exported) -> dict[str, object]:
    return {
        "written": done.written,
        "present": done.present,
        "failed": len(done.failed),
        "manifest": None if done.manifest is None else str(done.manifest),
        "errors": [
            {"account": account, "digest": digest.hex(), "kind": str(error.kind), "message": str(error)}
            for account, digest, error in done.failed
        ],
    }


def _show(done: Exported, screen: Console) -> None:
    for account, digest, error in done.failed:
        screen.problem(plain(f"{account}: {digest.hex()[:20]}: {error}"))
    if screen.is_quiet:
        return
    was_there = f", {done.present:,} were there already" if done.present else ""
    failed = f", {len(done.failed):,} could not be" if done.failed else ""
    screen.result(f"{plural(done.written, 'message')} written{was_there}{failed}")
    if done.manifest is not None:
        folder, name = quote(str(done.manifest.parent.absolute())), quote(done.manifest.name)
        screen.result(f"check them with: cd {folder} && sha256sum -c {name}")
