"""What README and docs/ show as code: blocks of lines to type, and what each page says of whether they can be run here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
"""Stands on the line before a block that needs what no test has: root, another machine, a person."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of code on a page. ``language`` is empty where they are only indented; ``not_run`` is why nobody runs them."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_typed(self) -> bool:
        """Say whether a person types it into a shell."""
        return self.language == "sh" or (not self.language and bool(_TYPED.match(self.text)))


_TYPED = re.compile(r"(mailferry|make|pip|python|\.venv/bin/\w+)\b")


def written_pages() -> list[Path]:
    """Return the pages that people write: README and what stands in docs/, but for decisions and printed pages."""
    from tests.pages.printed import PAGES

    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "uses").glob("*.md"))]
    return [page for page in found if page.parent == ROOT or str(page.relative_to(ROOT / "docs")) not in PAGES]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in their order, fenced ones and indented ones."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := re.match(r"( *)```(\w*)", line):
            end = next(at for at in range(number + 1, len(lines)) if lines[at].strip() == "```")
            text = "\n".join(one.removeprefix(fence[1]) for one in lines[number + 1 : end])
            yield Block(page, number + 1, fence[2] or "text", text, _why_not(lines, number))
            number = end + 1
        elif line.startswith("    ") and number and not lines[number - 1].strip():
            end = next((at for at in range(number, len(lines)) if lines[at].strip() and not lines[at].startswith("    ")), len(lines))  # fmt: skip
            text = "\n".join(one.removeprefix("    ") for one in lines[number:end]).strip()
            yield Block(page, number + 1, "", text, _why_not(lines, number))
            number = end
        else:
            number += 1


def _why_not(lines: list[str], number: int) -> str:
    before = next((line for line in reversed(lines[:number]) if line.strip()), "")
    said = NOT_RUN.fullmatch(before.strip())
    return said[1] if said else ""


def lines_of(block: Block) -> Iterator[str]:
    """Yield the commands of a block with their comments, those that go on behind a backslash as one."""
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.rstrip()
