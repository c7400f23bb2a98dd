"""Asks a person, one thing at a time, on a terminal. Without one nobody is asked, and nothing ever waits.

Questions go to stderr, so that stdout holds results only.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from migrator.errors import ConfigError
from migrator.ui.text import plain

_NO = frozenset({"n", "no"})
_YES = frozenset({"y", "yes", ""})


def is_possible() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty()


def agreed(question: str) -> bool:
    """Ask for a yes, which Enter means, or a no."""
    while True:
        answer = _answer(f"{question} [Y/n] ").lower()
        if answer in _YES or answer in _NO:
            return answer in _YES
        _say("Please answer y or n.\n")


def answer(question: str, default: str = "") -> str:
    """Ask for a line of text; Enter means the default."""
    return _answer(f"{question} [{default}] " if default else f"{question} ") or default


def secret(question: str) -> str:
    """Ask for a password, which is not shown; raises ``ConfigError`` where nothing was typed."""
    typed = hidden(question)
    if not typed:
        raise ConfigError(["no password was typed; nothing was changed"])
    return typed


def hidden(question: str) -> str:
    """Ask for a line that is not shown; raises ``ConfigError`` where the question is left by Ctrl-D."""
    with _left_on_its_line():
        try:
            return getpass.getpass(plain(f"{question} "), stream=sys.stderr)
        except EOFError:
            raise _unanswered() from None


def _answer(question: str) -> str:
    with _left_on_its_line():
        _say(question)
        line = sys.stdin.readline()
        if not line:  # Ctrl-D
            raise _unanswered()
    return line.strip()


def _unanswered() -> ConfigError:
    return ConfigError(["the question was left without an answer; nothing was changed"])


@contextmanager
def _left_on_its_line() -> Iterator[None]:
    """End the question's line where it gets no answer: what is said next begins a line of its own."""
    try:
        yield
    except (ConfigError, KeyboardInterrupt):
        _say("\n")
        raise


def _say(text: str) -> None:
    ending = "\n" if text.endswith("\n") else ""
    sys.stderr.write(plain(text.removesuffix("\n")) + ending)
    sys.stderr.flush()
