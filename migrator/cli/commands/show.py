"""``mailferry show``: one archived message, as a person reads it, as its bytes, or one of its attachments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.render import LONGEST_SHOWN, attachment_name, body_of, identified, rendered
from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, FerryError, Kind
from migrator.parse.process import NotParsed, Parser
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.message.body import Body
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Print one archived message."""
    if (arguments.attachment is None) != (arguments.path is None):
        raise ConfigError(["--attachment N: goes together with --to FILE"])
    with _found(arguments, screen) as body:
        if arguments.raw:
            _write_raw(body)
        elif arguments.attachment is not None:
            _save(body, arguments.attachment, arguments.path, screen)
        else:
            _show(body, screen)
    return DONE


@contextmanager
def _found(arguments: Namespace, screen: Console) -> Iterator[Body]:
    config = configuration(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise FerryError(Kind.REFUSED, "nothing has been archived yet")
    with closing(ledger), open_archive(config, ledger) as reader:
        digest = identified(arguments.id, ledger.archive)
        with body_of(digest, reader, exact=arguments.raw) as body:
            yield body


def _write_raw(body: Body) -> None:
    """Write the bytes that the digest was taken over, and nothing else."""
    for chunk in body.chunks():
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _show(body: Body, screen: Console) -> None:
    with Parser() as parser:
        shown = rendered(_content(body), parser)
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


def _content(body: Body) -> bytes:
    if body.octets > LONGEST_SHOWN:
        raise FerryError(
            Kind.TOO_LARGE, f"this message has {body.octets:,} bytes", cure="`mailferry show --raw` writes them"
        )
    return b"".join(body.chunks())


def _save(body: Body, number: int, path: Path, screen: Console) -> None:
    """Write one attachment to a new file; into a folder under its own name, made safe."""
    message = _content(body)
    with Parser() as parser:
        content = parser.attachment(message, number)
        shown = parser.show(message) if path.is_dir() else None
    if isinstance(content, NotParsed):
        raise FerryError(Kind.REFUSED, f"attachment {number} cannot be taken out: {content.reason}")
    if shown is not None:
        name = "" if isinstance(shown, NotParsed) else shown.attachments[number - 1].name
        path /= attachment_name(name, number)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except FileExistsError as error:
        raise FerryError(Kind.REFUSED, f"{path} exists, and is not overwritten") from error
    except OSError as error:
        raise FerryError(Kind.DISK_FULL, f"cannot write {path}: {error.strerror}") from error
    screen.note(f"saved {len(content):,} bytes to {path}")
