"""``mailferry import``: copy mail from files into an account's destinations, each message once and proven."""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, every, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import ConfigError
from migrator.interchange.importer import Imported
from migrator.interchange.importing.items import LeftOut
from migrator.interchange.mail_files import Variant
from migrator.operations.import_mail import import_mail
from migrator.ui.text import group_by_reason, plain, plural, size
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_STEP = 5_000
_SHOWN = 20


def run(arguments: Namespace, screen: Console) -> int:
    """Copy every message found at the paths into the account's destinations."""
    if problems := [problem for path in arguments.paths if (problem := _problem(path))]:
        raise ConfigError(problems)
    config = configuration(arguments, screen)
    [account] = config.select([arguments.account])
    with_passwords(config, [account])
    on_progress = every(_STEP, lambda count: screen.note(f"{plural(count, 'message')} found so far"))
    with closing(open_ledger(config)) as ledger:
        done = import_mail(
            arguments.paths,
            Variant(arguments.variant) if arguments.variant else None,
            account,
            config.state_dir,
            ledger,
            keeps_flags=arguments.flags,
            on_progress=on_progress,
        )
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen, keeps_flags=arguments.flags)
    return DONE if done.is_complete else NOT_ALL_DONE


def _problem(path: Path) -> str:
    """Say why a path that was named cannot be imported; nothing where it can."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"{path}: the link leads back to itself"
        return "" if error.errno == errno.EACCES else f"{path}: there is no such file or folder"
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    what = "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
    return f"{path}: it is {what}, which can be read only once: write it into a file first"


def _show(done: Imported, screen: Console, *, keeps_flags: bool) -> None:
    for line in group_by_reason((place, f"[{error.kind}] {error}") for place, error in done.failed):
        screen.problem(plain(line))
    for line in group_by_reason(done.doubtful):
        screen.problem(plain(line))
    for one in done.left_out:
        if one.is_trouble:
            screen.problem(plain(f"{one.place}: left out: {one.reason}"))
    _show_others([one for one in done.left_out if not one.is_trouble], screen)
    _show_marks(done, screen, keeps_flags=keeps_flags)
    if done.taken_out:
        were = "message was" if done.taken_out == 1 else "messages were"
        cure = "not stored again: mailferry verify says what helps"
        screen.note(f"{done.taken_out:,} {were} taken out of a destination by a person, and {cure}")
    if not screen.is_quiet or not done.is_complete:
        screen.result(
            f"{plural(done.found, 'message')} found: {done.copied:,} copied ({size(done.octets)}), "
            f"{done.duplicates:,} archived already, {len(done.failed):,} failed"
        )


def _show_others(others: Sequence[LeftOut], screen: Console) -> None:
    for one in others if screen.verbosity else others[:_SHOWN]:
        screen.note(plain(f"{one.place}: left out: {one.reason}"))
    if len(others) > _SHOWN and not screen.verbosity:
        screen.note(f"... and {len(others) - _SHOWN:,} more that hold no mail; -v names them")


def _show_marks(done: Imported, screen: Console, *, keeps_flags: bool) -> None:
    """Say what stood beside the messages, and what became of it."""
    if done.deleted:
        are = "message is" if done.deleted == 1 else "messages are"
        screen.note(f"{done.deleted:,} more {are} marked as deleted, and left out")
    if done.flagged and not keeps_flags:
        are = "message was" if done.flagged == 1 else "messages were"
        screen.note(f"{done.flagged:,} {are} read, flagged or answered, which copies are not: --flags keeps it")
    if done.labels:
        named = [f"{label} ({count:,})" for label, count in list(done.labels.items())[:_SHOWN]]
        rest = len(done.labels) - len(named)
        more = f" and {rest:,} more" if rest else ""
        screen.note(plain(f"labels, which stay in each message's header: {', '.join(named)}{more}"))
