"""Prints man pages from the command line's own grammar: one for the program, one for each command."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from migrator import __version__
from migrator.cli.parser import parser

SEE_ALSO = "The documents in full: /usr/share/doc/mailferry/docs, or docs/ of the source."
FILES = (
    (
        "./config.toml, $XDG_CONFIG_HOME/mailferry/config.toml, /etc/mailferry/config.toml",
        "the configuration, the first that is there",
    ),
    ("accounts.d/*.toml", "accounts of their own files, beside the configuration"),
    ("$XDG_STATE_HOME/mailferry", "the ledger of what was moved without a configuration"),
    ("$XDG_CACHE_HOME/mailferry", "what commands have found right of configurations; may be deleted"),
    ("/var/lib/mailferry", "state and archives of the service"),
)


def print_pages(into: Path, epoch: int) -> list[Path]:
    """Write ``mailferry.1`` and a ``mailferry-COMMAND.1`` for each command; return their paths."""
    into.mkdir(parents=True, exist_ok=True)
    day = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    pages = {"mailferry": main_page(day)}
    pages |= {f"mailferry-{name}": command_page(name, command, day) for name, command in commands().items()}
    for name, text in pages.items():
        (into / f"{name}.1").write_text(text)
    return [into / f"{name}.1" for name in pages]


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the grammar of each command, in the order of ``--help``."""
    [choices] = [action.choices for action in parser()._actions if action.dest == "command"]  # noqa: SLF001  # argparse has no other way to ask
    return dict(choices) if isinstance(choices, dict) else {}


def main_page(day: str) -> str:
    """Return the page of the program: what it does, its commands, its options, its exit codes."""
    whole = parser()
    lines = [heading("mailferry", day), *section("NAME"), r"mailferry \- move mail out of POP3 mailboxes, provably"]
    lines += [*section("SYNOPSIS"), r".B mailferry", r"[\fIOPTION\fR...] \fICOMMAND\fR ..."]
    lines += [*section("DESCRIPTION"), roff(whole.description or "")]
    lines += section("COMMANDS")
    for name, command in commands().items():
        lines += [".TP", rf"\fB{roff(name)}\fR", roff(command.description or "")]
    lines += options(whole)
    lines += [*section("EXIT STATUS"), *exit_codes(whole.epilog or "")]
    lines += section("FILES")
    for path, what in FILES:
        lines += [".TP", rf"\fI{roff(path)}\fR", roff(what)]
    lines += see_also(f"mailferry-{name}" for name in commands())
    return "\n".join(lines) + "\n"


def command_page(name: str, command: argparse.ArgumentParser, day: str) -> str:
    """Return the page of one command."""
    summary = (command.description or "").rstrip(".")
    lines = [heading(f"mailferry-{name}", day), *section("NAME")]
    lines += [rf"mailferry\-{roff(name)} \- {roff(summary[:1].lower() + summary[1:])}"]
    usage = " ".join(command.format_usage().split()).removeprefix(f"usage: {command.prog}").strip()
    lines += [*section("SYNOPSIS"), rf".B {roff(command.prog)}", roff(usage)]
    lines += [*section("DESCRIPTION"), roff(command.description or ""), *options(command)]
    lines += [*section("EXIT STATUS"), "As those of", r".BR mailferry (1)."]
    return "\n".join([*lines, *see_also(["mailferry"])]) + "\n"


def options(command: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the groups of options and names, as ``--help`` has them."""
    for group in command._action_groups:  # noqa: SLF001  # as above
        shown = [
            action
            for action in group._group_actions  # noqa: SLF001  # as above
            if action.help != argparse.SUPPRESS and action.dest != "command"
        ]
        if shown:
            yield from section((group.title or "options").upper())
        for action in shown:
            yield ".TP"
            yield term(action)
            yield roff(action.help or "")


def term(action: argparse.Action) -> str:
    """Return an option with its value, or a name, as it is written."""
    value = "" if action.nargs == 0 else rf"\fI{roff(shown_value(action))}\fR"
    if not action.option_strings:
        return value
    return ", ".join(rf"\fB{roff(written)}\fR {value}".rstrip() for written in action.option_strings)


def shown_value(action: argparse.Action) -> str:
    """Return what stands for a value in the help."""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    if action.metavar:
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def exit_codes(epilog: str) -> Iterator[str]:
    """Yield the lines of the help's closing table that begin with a number."""
    for line in epilog.splitlines():
        code, _, what = line.strip().partition(" ")
        if code.isdecimal():
            yield from (".TP", rf"\fB{code}\fR", roff(what.strip()))
        elif line.strip() and not line.rstrip().endswith(":"):
            yield roff(line.strip())


def see_also(names: Iterator[str] | list[str]) -> Iterator[str]:
    """Yield the closing section."""
    yield from section("SEE ALSO")
    yield ",\n".join(rf".BR {roff(name)} (1)" for name in names)
    yield from (".PP", roff(SEE_ALSO))


def heading(name: str, day: str) -> str:
    """Return the line that a man page begins with."""
    return f'.TH "{roff(name.upper())}" "1" "{day}" "mailferry {__version__}" "User Commands"'


def section(name: str) -> list[str]:
    """Return the line that begins a section."""
    return [f'.SH "{name}"']


def roff(text: str) -> str:
    """Write text so that troff shows it as it stands, hyphens that people copy included."""
    written = text.strip().replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(rf"\&{line}" if line[:1] in ".'" else line for line in written.splitlines())
