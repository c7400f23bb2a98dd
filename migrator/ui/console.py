"""What a person sees: lines that add up, problems with their cure, progress while it lasts.

Results go to stdout, everything else to stderr; with ``--json`` stdout gets one document and every line goes to
stderr. No line holds a control character of a server's, nor a secret that it is to mask.

A reader of stdout that goes away (``| head -1``) changes nothing of what a command does; output that cannot be written
(a full disk) ends it with an ``OutputError``. What stderr does not take is lost: there is nobody to hear it.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain, repeat
from typing import TYPE_CHECKING, TextIO

from migrator.errors import FerryError, Kind
from migrator.report import Progress, Silent
from migrator.ui.masks import Masks
from migrator.ui.text import wrapped

if TYPE_CHECKING:
    from argparse import Namespace


class Style(StrEnum):
    """Colours, by meaning."""

    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    STRONG = "1"


def _width(stream: TextIO) -> int | None:
    """Return how many columns the terminal has that a stream goes to; None for a pipe or a file."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except (OSError, ValueError):  # a terminal that does not say, a stream without a descriptor
        return None


class OutputError(FerryError):
    """What a command was asked for cannot be written to stdout; nothing more must be written there."""

    def __init__(self, error: OSError) -> None:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if is_full else error.strerror or str(error)
        super().__init__(Kind.DISK_FULL if is_full else Kind.INTERNAL, f"cannot write the output: {reason}")


class Console:
    """Where one command speaks to a person, or to a script."""

    def __init__(
        self,
        *,
        is_json: bool = False,
        is_quiet: bool = False,
        verbosity: int = 0,
        has_color: bool | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        """Speak to ``out`` and ``err``; ``has_color`` of None means: where it is a terminal that wants it."""
        self.is_json = is_json
        self.is_quiet = is_quiet
        self.verbosity = verbosity
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self._has_color = has_color
        self._masks = Masks()
        self.has_document = False
        self.has_reader = True

    @classmethod
    def of(cls, arguments: Namespace) -> Console:
        """Return the screen that a command line asks for."""
        return cls(
            is_json=arguments.json,
            is_quiet=arguments.quiet,
            verbosity=arguments.verbose,
            has_color=False if arguments.no_color else None,
        )

    def mask(self, values: Iterable[str]) -> None:
        """Write stars wherever one of these would appear, unless it is so short that any text holds it."""
        self._masks.add(values)

    def result(self, line: str = "") -> None:
        """Say what the command was asked for; raises ``OutputError``. Without a reader it is said to nobody."""
        if self.is_json:
            self._say(line)
            return
        with self._for_reader():
            self._put(self.out, line)

    def octets(self, chunks: Iterable[bytes]) -> None:
        """Write bytes to stdout and nothing else, as long as somebody reads them; raises ``OutputError``."""
        for chunk in chunks:
            with self._for_reader():
                self.out.buffer.write(chunk)
            if not self.has_reader:
                return
        with self._for_reader():
            self.out.flush()

    def note(self, line: str) -> None:
        """Say something that helps while it happens; nothing when quiet."""
        if not self.is_quiet:
            self._say(line)

    def problem(self, line: str) -> None:
        """Say what went wrong."""
        self._say(line)

    def failure(self, kind: str, lines: Sequence[str], *, said: str = "", finding: str = "") -> None:
        """Say that the command as a whole could not be done; a script that wants JSON gets a document all the same.

        ``said`` stands before each line for people, who see neither ``kind`` nor which command it was.
        """
        for line in lines:
            self.problem(f"{said}{line}")
        if self.is_json and not self.has_document:
            more = {"finding": finding} if finding else {}
            self.document({"errors": [{"kind": kind, "message": line, **more} for line in lines]})

    def document(self, document: object) -> None:
        """Write the one JSON document of a command; raises ``OutputError``."""
        self.has_document = True
        with self._for_reader():
            self.out.write(f"{json.dumps(self._starred(document))}\n")
            self.out.flush()

    def document_of(self, key: str, items: Iterable[object]) -> None:
        """Write the one JSON document of a command, a list under a key, item by item: it may be of any length."""
        self.has_document = True
        commas = chain([""], repeat(", "))
        written = (f"{comma}{json.dumps(self._starred(item))}" for comma, item in zip(commas, items, strict=False))
        self.text(chain([f"{{{json.dumps(key)}: ["], written, ["]}\n"]))

    def text(self, pieces: Iterable[str]) -> None:
        """Write text to stdout as it is, as long as somebody reads it; raises ``OutputError``."""
        for piece in pieces:
            with self._for_reader():
                self.out.write(piece)
            if not self.has_reader:
                return
        with self._for_reader():
            self.out.flush()

    def styled(self, text: str, style: Style) -> str:
        """Return text in a colour, where the results' stream shows colours."""
        return f"\x1b[{style}m{text}\x1b[0m" if self._shows_color(self.err if self.is_json else self.out) else text

    def _shows_color(self, stream: TextIO) -> bool:
        if self._has_color is not None:
            return self._has_color
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def _say(self, line: str) -> None:
        try:
            self._put(self.err, line)
        except OSError:
            forget_output(self.err)

    def _put(self, stream: TextIO, line: str) -> None:
        """Write a line for a person: on a terminal it is broken between words."""
        stream.writelines(f"{part}\n" for part in wrapped(self._stars(line), _width(stream)))
        stream.flush()

    @contextmanager
    def _for_reader(self) -> Iterator[None]:
        """Write to stdout; once that has failed, everything goes to nobody, what still waits in a buffer included."""
        try:
            yield
        except BrokenPipeError:
            self.has_reader = False
            forget_output(self.out)
        except OSError as error:
            forget_output(self.out)
            raise OutputError(error) from error

    def _stars(self, text: str) -> str:
        return self._masks.masked(text)

    def _starred(self, document: object) -> object:
        """Put stars into messages alone: a password may be a word that names or values are made of."""
        match document:
            case dict():
                return {
                    key: self._stars(value) if key == "message" and isinstance(value, str) else self._starred(value)
                    for key, value in document.items()
                }
            case list():
                return [self._starred(value) for value in document]
            case _:
                return document

    def restore_terminal(self) -> None:
        """Show the cursor again that live progress has hidden, for an end that leaves no time to take it down."""
        if self._shows_live() and not self.is_quiet:
            self.err.write("\x1b[?25h\n")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show how runs go on: live on a terminal, a line now and then elsewhere, nothing when quiet."""
        if self.is_quiet:
            yield Silent()
        elif self._shows_live():
            from migrator.ui.progress import live_progress

            with live_progress(self.err, has_color=self._shows_color(self.err)) as progress:
                yield progress
        else:
            from migrator.ui.progress import LineProgress

            yield LineProgress(self.note)

    def _shows_live(self) -> bool:
        return self.err.isatty() and os.environ.get("TERM") != "dumb" and not self.verbosity


def forget_output(stream: TextIO) -> None:
    """Have the stream write into nothing: what is left in its buffer must not fail once more at the program's end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
