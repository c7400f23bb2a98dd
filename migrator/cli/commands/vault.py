"""``mailferry vault``: the passwords that were typed into the page, and what to do where their key is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.cli.context import configuration_in_files
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.config.no_dumps import forbid_dumps
from migrator.errors import ConfigError, FerryError
from migrator.ui.text import day_and_time, plain

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config.vault import Vault
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Show what is kept, open the vault by its recovery key, make another recovery key, or begin another vault."""
    config = configuration_in_files(arguments, screen)
    from migrator.config.vault import vault_of

    vault = vault_of(config)
    forbid_dumps()
    match arguments.action:
        case "recover":
            return _recover(arguments, vault, screen)
        case "recovery-key":
            return _recovery_key(vault, screen)
        case "begin-again":
            return _begin_again(vault, screen)
        case _:
            return _status(vault, screen)


def _document(screen: Console, document: object) -> None:
    if screen.is_json:
        screen.document(document)


def _status(vault: Vault, screen: Console) -> int:
    content = vault.content()
    if content is None:
        _document(screen, {"path": str(vault.path), "passwords": []})
        screen.result("there is no vault: no password was typed into the page")
        return DONE
    problem, key = "", ""
    try:
        master = vault.master()
        key = master.source if master else ""
    except FerryError as error:
        problem = str(error)
    kept = sorted(content.entries.items())
    _document(
        screen,
        {
            "path": str(vault.path),
            "key": key,
            "problem": problem,
            "recovery_made_at": content.recovery_made_at or None,
            "passwords": [{"name": name, "set_at": entry.set_at, "set_by": entry.set_by} for name, entry in kept],
        },
    )
    for name, entry in kept:
        screen.result(plain(f"{name}: set on {day_and_time(entry.set_at)} by {entry.set_by}"))
    screen.result(plain(f"the key: {key}" if key else f"the key: {problem}"))
    made = f"made on {day_and_time(content.recovery_made_at)}" if content.recovery else "none"
    screen.result(f"recovery key: {made}")
    return NOT_ALL_DONE if problem else DONE


def _recover(arguments: Namespace, vault: Vault, screen: Console) -> int:
    if arguments.key_file:
        written = _text(arguments.key_file)
    elif questions.is_possible():
        written = questions.hidden("Recovery key (it is not shown):")
    else:
        raise ConfigError(["vault recover: give the recovery key by --key-file FILE"])
    vault.recover(written)
    master = vault.master()
    _document(screen, {"key": master.source if master else ""})
    screen.result(plain(f"the vault opens again; its key is now in {master.source if master else ''}"))
    return DONE


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"--key-file {path}: cannot be read"]) from error


def _recovery_key(vault: Vault, screen: Console) -> int:
    key = vault.new_recovery_key(time.time())
    _document(screen, {"recovery_key": key})
    if not screen.is_json:
        screen.result(key)
    screen.note("Write it down now: it is kept nowhere and not shown again. An earlier one opens nothing any more.")
    return DONE


def _begin_again(vault: Vault, screen: Console) -> int:
    aside = vault.set_aside()
    _document(screen, {"aside": str(aside) if aside else None})
    said = (
        f"the vault was set aside as {aside}: type its passwords into the page again" if aside else "there is no vault"
    )
    screen.result(plain(said))
    return DONE
