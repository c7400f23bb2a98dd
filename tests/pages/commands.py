"""The pages docs/commands/*.md: every command with its options as the parser has them, and the examples of the other pages."""

# ruff: noqa: SLF001  # argparse has no public way to ask a parser for what it was told
from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from migrator.cli.parser import COMMANDS, parser
from tests.pages.documents import ROOT, blocks_of, lines_of, written_pages

FOLDER = ROOT / "docs" / "commands"

_PRINTED = "This page is printed from the parser (`make docs`)."
_EVERYWHERE = "everywhere"
_MOST_EXAMPLES = 8
_GUIDES = {
    "add": "adding.md",
    "adopt": "adopting.md",
    "export": "archive.md#export",
    "import": "archive.md#import",
    "migrate": "uses/one-mailbox.md",
    "moved": "operations.md#an-archive-that-is-away-was-moved-or-was-put-back",
    "quarantine": "operations.md#the-schedule",
    "rebuild-ledger": "archive.md#rebuild",
    "receipts": "archive.md#receipts",
    "reindex": "archive.md#rebuild",
    "repair": "archive.md#verify-and-repair",
    "restore": "archive.md#restore",
    "run": "operations.md",
    "search": "archive.md#search",
    "show": "archive.md#read",
    "sign-in": "oauth.md",
    "users": "web.md",
    "vault": "web.md",
    "verify": "archive.md#verify-and-repair",
}
"""Where more is said of a command."""


def pages() -> Mapping[str, Callable[[], str]]:
    """Return the names of the pages, below docs/, and what prints each."""
    named = {f"commands/{name}.md": partial(_page, name) for name in COMMANDS}
    return {"commands/README.md": _index, **named}


def grammars() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    [choices] = [action.choices for action in parser()._actions if action.dest == "command"]
    assert isinstance(choices, dict)
    return choices


def _index() -> str:
    lines = ["# Commands", "", _PRINTED, "", "| command | what it does |", "| --- | --- |"]
    lines += [f"| [`{name}`]({name}.md) | {summary} |" for name, (summary, _) in COMMANDS.items()]
    lines += ["", "## Options of every command", ""]
    [common] = [group for group in parser()._action_groups if group.title == _EVERYWHERE]
    lines += [*_table(common._group_actions), "", "## Exit codes", ""]
    lines += ["0 done, 1 not everything, 2 wrong usage or configuration, 130 interrupted;"]
    lines += ["a script can ask for [finer ones](../operations.md#exit-codes)."]
    return "\n".join(lines).rstrip() + "\n"


def _page(name: str) -> str:
    command = grammars()[name]
    lines = [f"# mailferry {name}", "", command.description or "", "", "```text", _synopsis(name, command), "```", ""]
    for group in command._action_groups:
        shown = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
        if shown and group.title != _EVERYWHERE:
            lines += [f"## {_title(group)}", "", *_table(shown), ""]
    if examples := list(_examples(name)):
        lines += ["## Examples", "", "```sh", *examples, "```", ""]
    lines += ["## Read on", "", *_links(name, command), "", _PRINTED]
    return "\n".join(lines) + "\n"


def _title(group: argparse._ArgumentGroup) -> str:
    title = group.title or "options"
    return {"positional arguments": "Names", "options": "Options"}.get(title, title[0].upper() + title[1:])


def _synopsis(name: str, command: argparse.ArgumentParser) -> str:
    options = [action for action in command._actions if action.option_strings]
    needed = [f"{action.option_strings[-1]} {_value(action)}" for action in options if action.required]
    names = [_placed(action) for action in command._actions if not action.option_strings]
    return " ".join(["mailferry", name, "[OPTION…]", *needed, *names])


def _placed(action: argparse.Action) -> str:
    many = {"*": f"[{_value(action)}…]", "?": f"[{_value(action)}]", "+": f"{_value(action)}…"}
    return many.get(str(action.nargs), _value(action))


def _table(actions: list[argparse.Action]) -> Iterator[str]:
    yield "| | |"
    yield "| --- | --- |"
    for action in actions:
        yield f"| {_written(action)} | {_cell(action.help or '')} |"


def _written(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{_cell(_placed(action))}`"
    value = "" if action.nargs == 0 else f" {_value(action)}"
    if action.nargs == "*":
        value = f" [{_value(action)}…]"
    return ", ".join(f"`{_cell(f'{option}{value}')}`" for option in action.option_strings)


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@cache
def _typed() -> list[str]:
    blocks = [block for page in written_pages() for block in blocks_of(page)]
    return [line for block in blocks if block.is_typed for line in lines_of(block)]


def _examples(name: str) -> Iterator[str]:
    """Yield what other pages show of a command, without what it was lined up with there."""
    lines = [re.sub(r"\s{2,}#", "   #", line) for line in _typed() if re.match(rf"mailferry {name}(\s|$)", line)]
    yield from list(dict.fromkeys(lines))[:_MOST_EXAMPLES]


def _links(name: str, command: argparse.ArgumentParser) -> Iterator[str]:
    if guide := _GUIDES.get(name):
        page = guide.partition("#")[0]
        title = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        yield f"- [{title}](../{guide})"
    yield "- [Options of every command, and exit codes](README.md)"
    if any("--json" in action.option_strings for action in command._actions):
        yield "- [What `--json` gives](../json.md)"


def drop_stale() -> None:
    """Make the folder of the pages, and drop those of commands that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for stale in set(FOLDER.iterdir()) - {ROOT / "docs" / name for name in pages()}:
        stale.unlink()
