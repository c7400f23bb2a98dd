"""The page docs/sentences.md: everything that the program can say to a person, read out of the code.

A sentence is a text of several words that stands in ``migrator`` or ``jobs`` and is no docstring, no SQL and no pattern; of a template,
each text that is translated. What is filled in is shown as ``…``; texts that stand side by side are one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

ROOT = Path(__file__).parents[2]

_HEAD = """\
# What mailferry says

Every text that a person can be shown, by the module that says it, for anyone who edits or translates it. Findings have a page of their own
([errors](errors.md)). `…` stands for what is filled in. This page is printed from the code (`make docs`).

"""

_LEFT_OUT = (
    "jobs/web/engine_words.py",
    "migrator/demo/",
    "migrator/findings/catalogue.py",
    "migrator/net/refusal_words.py",
    "migrator/search/sql.py",
)
"""What is only recognised there, the sample letters, what docs/errors.md has, what servers say, and SQL."""
_SQL = re.compile(
    r"\s*(select\b.*\bfrom|insert (or \w+ )?into|update (or ignore )?[\w.…]+ (set|as)|delete from|set (local |session )?\w+_(timeout|commit|path)\b|select pg_|copy \w+ \(|lock table|create (or replace )?(\w+ )?(table|index|trigger|function)"
    r"|drop|pragma|begin immediate|with (recursive )?\w+ ?(\([\w, ]+\) )?as|\(?\w\.\w+,? |[a-z_]+, [a-z_]+(, [a-z_]+)+$)"
    r"|.*(\(select |\bselect (1|coalesce|id|…|\w\.)|new\.\w+ =|integer (not|primary|,)|[=(] ?\?|\b[a-z]\.\w+ =|temp\.\w|alter table|index \w+ on\b"
    r"|on conflict|order by|state !?= '|is (not )?null|(destination|intent)_id|message_id =)",
    re.I | re.S,
)
_OTHER = re.compile(
    r"[\\^]|(?<!implicit)\||\(\?|%[a-zA-Z]|\{\w|</|'(none|self)'|charset=|filename=|no-store|^allow-popups"
    r"|fuse\.|^[\s\W]*$|^[A-Z0-9_ ()*.$-]+$|^\S+$|^(\S+ ){4}\S+ \*$"
)
"""Patterns, formats, markup, headers of HTTP, names."""
_JOINTS = {"the", "of", "is", "to", "in", "by", "it", "not", "and", "or", "for", "with", "are"}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for name, said in catalogue().items():
        parts += [f"## {name}\n\n", *(f"- {sentence}\n" for sentence in said), "\n"]
    return "".join(parts).rstrip() + "\n"


@cache
def catalogue() -> Mapping[str, list[str]]:
    """Return the sentences by the file that says them."""
    found = {
        path.relative_to(ROOT).as_posix(): reader(path.read_text(encoding="utf-8"))
        for top, ending, reader in (
            ("jobs", "py", sentences),
            ("jobs", "html", translated),
            ("migrator", "py", sentences),
        )
        for path in sorted((ROOT / top).rglob(f"*.{ending}"))
    }
    return {name: said for name, said in found.items() if said and not name.startswith(_LEFT_OUT)}


def translated(template: str) -> list[str]:
    """Return what a template hands to the translation, in its order, each once."""
    texts: list[str] = []
    for _, _, found in extract_from_ast(Environment(autoescape=True).parse(template)):
        texts += [text for text in ([found] if isinstance(found, str) else found or ()) if text]
    return list(dict.fromkeys(map(_shown, texts)))


def sentences(source: str) -> list[str]:
    """Return the sentences of a module in their order, each once."""
    found = (_shown(text) for text in _texts(ast.parse(source)))
    return list(dict.fromkeys(text for text in found if _is_sentence(text)))


def _texts(tree: ast.Module) -> Iterator[str]:
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts.update(node.values)
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            parts.add(node.format_spec)
    for node in ast.walk(tree):
        if node in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _shown(text: str) -> str:
    return " ".join(re.sub(r"\{\w*\}|%\(\w+\)[sd]", "…", text).replace("%%", "%").split())


def _is_sentence(text: str) -> bool:
    words = re.findall(r"[A-Za-z][a-z']+", text)
    is_list = (len(words) > 8 and words == sorted(words)) or (len(words) > 20 and not _JOINTS.intersection(words))
    return len(words) >= 2 and not is_list and not _SQL.match(text) and not _OTHER.search(text)
