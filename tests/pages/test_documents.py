"""Every command line of README and docs/ is run, in order, page by page, and every command that a text names is one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from migrator.cli.parser import parser
from tests.pages.commands import grammars
from tests.pages.documents import ROOT, blocks_of, lines_of, written_pages
from tests.pages.world import ALICES, World, maildrops
from tests.servers import dovecot as dovecot_server
from tests.servers.dovecot import Dovecot
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults.line import Answers

PAGES = {str(page.relative_to(ROOT)): page for page in written_pages()}
RUN = {
    name: [block for block in blocks_of(page) if block.is_typed and not block.not_run] for name, page in PAGES.items()
}


SAFE = {
    *("mailferry", "cd", "cp", "echo", "export", "grep", "sha256sum", "truncate"),
    *("case", "esac", "77", "73", "74", "75"),  # the words that a line of a case begins with
}
"""Programs that touch nothing but the folder in which they are run."""
WITH_SET_ASIDE = "docs/operations.md"


@pytest.fixture
def world(tmp_path: Path, name: str) -> Iterator[World]:
    """A machine with mail, and with an IMAP server where Dovecot is installed."""
    drops = maildrops()
    refusing = [Answers("RETR", number, words="-ERR damaged") for number in range(len(ALICES) + 1, 20)]
    with ExitStack() as stack:
        pop3 = stack.enter_context(Pop3Server(drops, faults=refusing))
        imap = None if dovecot_server.why_missing() else stack.enter_context(Dovecot())
        assert imap is None or imap.password == pop3.password
        made = World(tmp_path, pop3.port, imap.imap_port if imap else 0, pop3.password)
        made.prepare()
        if name == WITH_SET_ASIDE:
            made.set_aside(drops["alice"])
        yield made


@pytest.mark.parametrize("name", RUN)
def test_what_is_run_touches_nothing_of_this_machine(name: str) -> None:
    """Else the test of a page would make users, and start services."""
    programs = {part for block in RUN[name] for line in lines_of(block) for part in programs_in(line)}
    assert programs <= SAFE, "say why it is not run: <!-- not run: … --> before the block"


@pytest.mark.parametrize("name", [name for name, blocks in RUN.items() if blocks])
def test_what_a_page_says_to_type_does_what_it_should(name: str, world: World) -> None:
    failed = []
    for block in RUN[name]:
        if "imaps://" in block.text and not world.imap_port:
            continue
        done = world.run(world.here(block.text))
        if done.returncode != 0:
            failed.append(f"{block.place}\n{block.text}\n-> {done.returncode}\n{done.stdout}{done.stderr}")
    assert not failed, "\n\n".join(failed)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_page_types_is_understood(name: str) -> None:
    typed = [(block, line) for block in blocks_of(PAGES[name]) if block.is_typed for line in lines_of(block)]
    for block, line in typed:
        for command in commands_in(line):
            assert is_understood(command), f"{block.place}: {command}"


def commands_in(line: str) -> Iterator[list[str]]:
    """Yield the words of each call of mailferry in a line of a shell."""
    for call in calls_in(line):
        for at, word in enumerate(call):
            if word.endswith("/bin/mailferry") or (word == "mailferry" and (at == 0 or call[at - 1] == "--")):
                yield call[at + 1 :]
                break


def programs_in(line: str) -> set[str]:
    return {call[0] for call in calls_in(line)}


def calls_in(line: str) -> list[list[str]]:
    """Return the words of each program that a line of a shell calls."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = "#"
    calls: list[list[str]] = [[]]
    is_place = False
    for word in words:
        if re.fullmatch(r"[();|&]+", word):
            calls.append([])
        elif re.fullmatch(r"[<>]+", word):
            is_place = True
        elif is_place:
            is_place = False
        elif calls[-1] or not re.fullmatch(r"\w+=\S*", word):
            calls[-1].append(word)
    return [call for call in calls if call]


def is_understood(words: list[str]) -> bool:
    try:
        parser().parse_args(words)
    except SystemExit as end:
        return end.code in (0, None)
    return True


def test_what_is_not_run_says_why() -> None:
    reasons = [block.not_run for page in PAGES.values() for block in blocks_of(page) if block.not_run]
    assert all(len(reason.split()) > 1 for reason in reasons)


def test_the_pages_are_run_at_all() -> None:
    typed = [line for blocks in RUN.values() for block in blocks for line in lines_of(block)]
    assert sum("mailferry" in line for line in typed) > 50


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_text_names_is_one_and_has_its_options(name: str) -> None:
    text = re.sub(r"^( *)```.*?^\1```", "", PAGES[name].read_text(encoding="utf-8"), flags=re.M | re.S)
    known = grammars()
    for command, rest in re.findall(r"`mailferry ([a-z][a-z-]*)([^`]*)`", text):
        assert command in known, command
        options = {word.partition("=")[0] for word in re.findall(r"(?<=\s)--[a-z-]+", rest)}
        assert options <= set(known[command]._option_string_actions), f"{command}{rest}"  # noqa: SLF001  # as tests.pages.commands
