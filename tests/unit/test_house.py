"""What holds the house together beside lint and types: sizes, words, and pages that are there.

Where something is still over a ceiling it stands in a list with its number: that number may only shrink. ``python -m
tests.unit.test_house`` prints the lists as they would be now.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LONGEST_MODULE = 400
MOST_ATTRIBUTES = 12

LONG_MODULES: dict[str, int] = {}

LARGE_CLASSES = {
    "migrator/report.py AccountReport": 19,
}

RETIRED = {
    r"anew": "again, new",
    r"at hand": "there",
    r"be(fell|falls?)": "happened to",
    r"(bring(s|ing)?|brought)(?!( \w+){0,2} (up to date|back|in line)\b)": "copy, retrieve, store, fetch",
    r"carr(y|ies|ied|ying)|carriers?": "copy, hold, copier",
    r"errands?": "run, context",
    r"farewells?": "deletion, QUIT",
    r"for ever": "for good, always",
    r"hauls?|hauled|hauling": "fetch, retrieve",
    r"(hold|holds|held|holding)( \w+)? against": "compare",
    r"(is|are|was|were|be|been) told": "is given, is reported, hears",
    r"lies? about": "stands in a folder",
    r"parcels?": "fetched messages, item",
    r"porters?": "child process",
    r"purses?": "allowance",
    r"shel(f|ves)": "archive folder",
    r"so many": "that many, a number",
    r"tally|tallies": "counters",
    r"whoever": "anyone who, who",
}
"""Words of the first idiom, which explained nothing to somebody who knows POP3, IMAP and backups; with what to say."""

WORDS_LEFT: dict[str, int] = {
    "docs/sentences.md": 2,
}

Ratchet = Mapping[str, int]


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("tests/*.md")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_modules() -> Counter[str]:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in modules("migrator", "jobs")}
    return Counter({name: count for name, count in lines.items() if count > LONGEST_MODULE})


def large_classes() -> Counter[str]:
    """Classes with more attributes than a reader keeps in mind. A frozen record is as wide as what it records."""
    found: Counter[str] = Counter()
    for path in modules("migrator", "jobs"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not is_record(node):
                found[f"{name_of(path)} {node.name}"] = len(attributes(node))
    return Counter({name: count for name, count in found.items() if count > MOST_ATTRIBUTES})


def is_record(node: ast.ClassDef) -> bool:
    written = [ast.unparse(part) for part in (*node.decorator_list, *node.bases)]
    return any("frozen=True" in part or part in {"NamedTuple", "Table", "Server"} for part in written)


def attributes(node: ast.ClassDef) -> set[str]:
    declared = {
        part.target.id for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    assigned = {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and ast.unparse(part.value) == "self"
    }
    return declared | assigned


def retired_words() -> Counter[str]:
    """Retired words in docstrings, comments, names and pages, by file."""
    said = re.compile(rf"\b({'|'.join(RETIRED)})\b", re.I)
    found: Counter[str] = Counter()
    for path in modules("migrator", "jobs"):
        found[name_of(path)] = sum(len(said.findall(text)) for text in words_of_a_reader(path.read_text()))
    for path in pages():
        found[name_of(path)] = len(said.findall(path.read_text()))
    return +found


def words_of_a_reader(source: str) -> Iterator[str]:
    """What a module says to its reader: docstrings, comments, and the words that its names are made of."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
        elif token.type == tokenize.NAME:
            yield re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", token.string)


MEASURES: Mapping[str, tuple[Callable[[], Counter[str]], Ratchet]] = {
    "LONG_MODULES": (long_modules, LONG_MODULES),
    "LARGE_CLASSES": (large_classes, LARGE_CLASSES),
    "WORDS_LEFT": (retired_words, WORDS_LEFT),
}


@pytest.mark.parametrize("name", MEASURES)
def test_nothing_grows_over_its_ceiling(name: str) -> None:
    measure, known = MEASURES[name]
    grown = {what: count for what, count in measure().items() if count > known.get(what, 0)}
    assert not grown, f"more than {name} allows; a word's successor stands in RETIRED"


def test_every_page_named_in_the_code_is_there() -> None:
    missing = [
        f"{name_of(path)}: {page}"
        for path in modules("migrator", "jobs", "tests", "benchmarks")
        for page in re.findall(r"\bdocs/[\w./-]*\w", path.read_text())
        if not (ROOT / page).exists()
    ]
    assert missing == []


def test_every_section_named_in_the_code_is_there() -> None:
    """``docs/architecture.md, "What is durable when"``."""
    missing = [
        f"{name_of(path)}: {page}, {section}"
        for path in modules("migrator", "jobs", "tests", "benchmarks")
        for page, section in re.findall(r'\b(docs/[\w-]+\.md), "([^"]+)"', " ".join(path.read_text().split()))
        if f"# {section}\n" not in (ROOT / page).read_text()
    ]
    assert missing == []


def test_every_file_named_on_a_page_is_there() -> None:
    """A module as ``pop3/session.py``, or from the top; a page's link as it stands."""
    known = [f"/{name_of(path)}" for path in modules("migrator", "jobs", "tests", "benchmarks")]
    missing = [
        f"{name_of(page)}: {link}" for page in pages() for link in links(page) if not (page.parent / link).exists()
    ]
    missing += [
        f"{name_of(page)}: {module}"
        for page in pages()
        for module in re.findall(r"[\w./]*\w\.py\b", page.read_text())
        if not any(path.endswith(f"/{module}") for path in known)
    ]
    assert missing == []


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()) if "://" not in link]


@pytest.mark.parametrize("top", ["migrator", "jobs", "tests"])
def test_the_map_names_every_folder(top: str) -> None:
    told = (ROOT / "docs" / "architecture.md").read_text().partition("## Where things are")[2]
    tree = told.partition("```")[2].partition("```")[0]
    part = tree.partition(f"\n{top}/")[2]
    part = part[: end.start()] if (end := re.search(r"^\w", part, re.M)) else part
    folders = {path.name for path in (ROOT / top).iterdir() if path.is_dir() and any(path.glob("**/*.py"))}
    assert {folder for folder in folders if f"{folder}/" not in part} == set()


def test_what_says_that_it_is_pure_is_held_to_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = next(set(contract["source_modules"]) for contract in contracts if contract["id"] == "purity")
    said = re.compile(r"(^|[.:\n] ?)[Pp]ure[.:]|\bpure (decisions?|values|data)\b|, pure: ")
    assert {dotted(path) for path in modules("migrator", "jobs") if said.search(docstring_of(path))} - held == set()


def test_every_module_named_in_a_docstring_is_there() -> None:
    """``migrator.copying.copier``, with what it holds or without."""
    known = {dotted(path): path for path in modules("migrator", "jobs")}
    missing = [
        f"{name_of(path)}: {name}"
        for path in modules("migrator", "jobs", "tests", "benchmarks")
        for name in re.findall(r"``((?:migrator|jobs)(?:\.\w+)+)``", path.read_text())
        if name not in known and not holds(known.get(name.rpartition(".")[0]), name.rpartition(".")[2])
    ]
    assert missing == []


def holds(module: Path | None, name: str) -> bool:
    return module is not None and re.search(rf"\b{name}\b", module.read_text()) is not None


def test_a_reading_order_names_what_is_in_its_room() -> None:
    missing = [
        f"{name_of(path)}: {name}"
        for path in modules("migrator", "jobs")
        for name in re.findall(
            r"``(\w[\w.]*)``", docstring_of(path).partition("Reading order:")[2].partition("\n\n")[0]
        )
        if not is_module(path.parent, name) and not name.startswith(("docs", "migrator.", "jobs."))
    ]
    assert missing == []


def is_module(folder: Path, name: str) -> bool:
    path = folder / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def docstring_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def dotted(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


if __name__ == "__main__":
    for name, (measure, _) in MEASURES.items():
        print(f"{name} = {{")  # noqa: T201  # this is what it is called for
        for what, count in sorted(measure().items()):
            print(f'    "{what}": {count},')  # noqa: T201  # as above
        print("}")  # noqa: T201  # as above
