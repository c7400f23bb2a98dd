"""What is wrong with a command line, in words: what was written, the nearest that there is, how it is used.

Light: the grammar needs it before anything else is imported. What looks for the nearest word is imported by an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress


class UsageError(SystemExit):
    """A command line that means nothing: ends the program with 2, and holds what to say of it."""

    def __init__(self, usage: str, program: str, message: str) -> None:
        super().__init__(2)
        self.usage = usage
        self.program = program
        self.message = message

    def show(self, given: Sequence[str]) -> None:
        """Say it on stderr; a script that wants JSON gets its document on stdout, too. Raises ``OSError`` of stdout."""
        with suppress(OSError):  # then there is nobody to hear it
            sys.stderr.write(f"{self.usage.rstrip()}\n{self.program}: {self.message}\n")
            sys.stderr.flush()
        if wants_json(given):
            import json

            sys.stdout.write(json.dumps({"errors": [{"kind": "usage", "message": self.message}]}) + "\n")
            sys.stdout.flush()


def wants_json(given: Sequence[str]) -> bool:
    """Say whether ``--json`` is among the options, whatever else they are."""
    return "--json" in given[: given.index("--")] if "--" in given else "--json" in given


def unknown_command(written: str, known: Iterable[str]) -> str:
    """Return what to say of a command that there is none of."""
    near = nearest(written, known)
    return f"there is no command {_quoted(written)}" + (
        f"; did you mean {near}?" if near else "; `mailferry --help` lists what there is"
    )


def unknown_words(program: str, extra: Sequence[str], known: Iterable[str]) -> str:
    """Return what to say of what a command has no use for: an option that it does not have, or a word too many."""
    option = first_option(extra)
    if not option:
        return f"{', '.join(map(_quoted, extra))}: more than this command takes"
    near = nearest(option, [one for one in known if one.startswith("--")])
    return f"there is no option {_quoted(option)}" + (
        f"; did you mean {near}?" if near else f"; `{program} --help` lists what there is"
    )


def misplaced(extra: Sequence[str], command: str, known: Iterable[str]) -> str:
    """Return what to say of a command's own option that stands before the command; nothing where it is not one."""
    option = first_option(extra)
    return f"{option} goes after the command: mailferry {command} {option}" if option in known else ""


def first_option(words: Iterable[str]) -> str:
    """Return the first of these that looks like an option, without its value; empty where none does."""
    return next((word.partition("=")[0] for word in words if word.startswith("-") and word != "-"), "")


def unknown_choice(written: str, known: Sequence[str]) -> str:
    """Return what to say of a value that is not among those that an option takes."""
    near = nearest(written, known)
    return f"{_quoted(written)} is not one of {', '.join(known)}" + (f"; did you mean {near}?" if near else "")


def nearest(written: str, known: Iterable[str]) -> str:
    """Return the word that was probably meant: one that begins like this, else the one most like it, or nothing."""
    from difflib import get_close_matches

    words = list(known)
    low = written.lower()
    begun = [word for word in words if len(low.strip("-")) > 1 and word.startswith(low)]
    return next(iter(begun or get_close_matches(low, words, 1)), "")


def _quoted(word: str) -> str:
    return f'"{word}"'
