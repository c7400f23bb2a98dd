"""What a person sees: lines that add up, problems with their cure, progress while it lasts.

Results go to stdout, everything else to stderr; with ``--json`` stdout gets one document and every line goes to
stderr. No line holds a control character of a server's, nor a secret that it is to mask.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from migrator.report import Progress, Silent

if TYPE_CHECKING:
    from argparse import Namespace


class Style(StrEnum):
    """Colours, by meaning."""

    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    STRONG = "1"


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
        self._secrets: set[str] = set()
        self.has_document = False

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
        self._secrets.update(value for value in values if len(value) > 3)

    def result(self, line: str = "") -> None:
        """Say what the command was asked for."""
        self._write(self.err if self.is_json else self.out, line)

    def note(self, line: str) -> None:
        """Say something that helps while it happens; nothing when quiet."""
        if not self.is_quiet:
            self._write(self.err, line)

    def problem(self, line: str) -> None:
        """Say what went wrong."""
        self._write(self.err, line)

    def failure(self, kind: str, lines: Sequence[str]) -> None:
        """Say that the command as a whole could not be done; a script that wants JSON gets a document all the same."""
        for line in lines:
            self.problem(line)
        if self.is_json and not self.has_document:
            self.document({"errors": [{"kind": kind, "message": line} for line in lines]})

    def document(self, document: object) -> None:
        """Write the one JSON document of a command."""
        self.has_document = True
        self.out.write(f"{json.dumps(self._starred(document))}\n")
        self.out.flush()

    def styled(self, text: str, style: Style) -> str:
        """Return text in a colour, where the results' stream shows colours."""
        return f"\x1b[{style}m{text}\x1b[0m" if self._shows_color(self.err if self.is_json else self.out) else text

    def _shows_color(self, stream: TextIO) -> bool:
        if self._has_color is not None:
            return self._has_color
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def _write(self, stream: TextIO, line: str) -> None:
        stream.write(f"{self._stars(line)}\n")
        stream.flush()

    def _stars(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

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
