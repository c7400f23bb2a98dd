"""Every sentence of the page that a translation has to have, as it stands in templates and modules.

``python -m tests.messages`` brings the files of translations up to date; what is new is empty then, to be translated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polib
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from jobs.web.engine_words import ENGINE, catalogue_sentences

ROOT = Path(__file__).parents[1]
WEB = ROOT / "jobs/web"
LOCALE = WEB / "locale"
LANGUAGE = "jobs.web.language"

PLURAL = {"ngettext": 0, "npgettext": 1}
CONTEXT = {"pgettext", "pgettext_lazy", "npgettext"}
EAGER = {"gettext", "ngettext", "pgettext", "npgettext"}
LAZY = {"gettext_lazy", "pgettext_lazy"}


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence, with the form for several where it has one; ``context`` tells apart what is written alike."""

    text: str
    plural: str
    context: str
    where: str

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.text


def messages() -> Mapping[tuple[str, str], Message]:
    """Return every sentence once, by context and text."""
    found: dict[tuple[str, str], Message] = {}
    for message in [*of_templates(), *of_modules(), *of_findings()]:
        known = found.setdefault(message.key, message)
        if message.plural and not known.plural:
            found[message.key] = message
    return found


def _message(function: str, strings: list[str], where: str) -> Message:
    context = strings.pop(0) if function in CONTEXT else ""
    return Message(strings[0], strings[1] if function in PLURAL else "", context, where)


def of_templates(folder: Path = WEB / "templates") -> Iterator[Message]:
    for path in sorted(folder.rglob("*.html")):
        tree = Environment().parse(path.read_text())  # noqa: S701  # nothing is rendered
        for line, function, strings in extract_from_ast(tree):
            given = [strings] if isinstance(strings, str) else list(strings or ())
            texts = [text for text in given if text is not None]
            if texts:
                name = "gettext" if function == "_" else function
                yield _message(name, texts, f"{path.relative_to(ROOT)}:{line}")


def of_modules(folder: Path = WEB) -> Iterator[Message]:
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text())
        names = imported(tree)
        for call, function in calls(tree, names):
            texts = [text.value for text in call.args if isinstance(text, ast.Constant) and isinstance(text.value, str)]
            if texts:
                yield _message(function, texts, f"{path.relative_to(ROOT)}:{call.lineno}")


def of_findings() -> Iterator[Message]:
    for sentence in catalogue_sentences():
        yield Message(sentence, "", ENGINE, "migrator/findings/catalogue.py:1")


def imported(tree: ast.Module) -> Mapping[str, str]:
    """Return what the functions of ``jobs.web.language`` are called in a module."""
    return {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == LANGUAGE
        for name in node.names
        if name.name in EAGER | LAZY
    }


def calls(tree: ast.AST, names: Mapping[str, str]) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in names:
                yield node, names[name]
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="translations"), attr=name)) if name in EAGER:
                yield node, name


def entry(message: Message) -> str:
    """Return a sentence as a file of translations has it before it is translated."""
    lines = [f"#: {message.where}"]
    lines += [f"msgctxt {quoted(message.context)}"] if message.context else []
    lines.append(f"msgid {quoted(message.text)}")
    if message.plural:
        lines += [f"msgid_plural {quoted(message.plural)}", 'msgstr[0] ""', 'msgstr[1] ""']
    else:
        lines.append('msgstr ""')
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def renew(path: Path) -> None:
    """Bring a file of translations up to date: what is new stands there empty, what is gone is gone, in order."""
    catalogue = polib.pofile(str(path), wrapwidth=110)
    known = {(entry.msgctxt or "", entry.msgid): entry for entry in catalogue}
    catalogue.clear()
    for key, message in messages().items():
        entry = known.get(key) or polib.POEntry(msgid=message.text)
        entry.msgctxt, entry.msgid_plural = message.context or None, message.plural
        entry.occurrences = [(message.where.rpartition(":")[0], "")]
        if message.plural and not entry.msgstr_plural:
            entry.msgstr, entry.msgstr_plural = "", {0: "", 1: ""}
        catalogue.append(entry)
    catalogue.save()


if __name__ == "__main__":
    for file in sorted(LOCALE.glob("*.po")):
        renew(file)
