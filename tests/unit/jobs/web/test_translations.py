"""Every sentence of the page stands in every language, with the same names in it and as many forms as the language has."""

from __future__ import annotations

import ast
import re
from collections import Counter

import polib
import pytest

from jobs.web.languages import shipped_languages
from tests.messages import EAGER, LOCALE, ROOT, WEB, calls, entry, imported, messages

FILES = sorted(LOCALE.glob("*.po"))
MESSAGES = messages()

PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\)(?P<form>[0-9.]*[sd])|(?P<bare>.))")


def placeholders(text: str) -> set[str]:
    return {found.group() for found in PLACEHOLDER.finditer(text)}


@pytest.fixture(params=FILES, ids=lambda path: str(path.stem))
def catalogue(request: pytest.FixtureRequest) -> polib.POFile:
    return polib.pofile(str(request.param))


def test_there_is_a_file_for_each_language() -> None:
    assert [path.stem for path in FILES] == [language.tag for language in shipped_languages() if language.tag != "en"]


def test_every_sentence_is_translated(catalogue: polib.POFile) -> None:
    """``python -m tests.messages`` puts what is missing into the file."""
    known = {(one.msgctxt or "", one.msgid) for one in catalogue if one.translated()}
    missing = [entry(message) for key, message in MESSAGES.items() if key not in known]
    assert not missing, f"to be put into {catalogue.fpath} with a translation:\n\n" + "\n".join(missing)


def test_nothing_is_translated_that_nobody_says_and_nothing_by_guessing(catalogue: polib.POFile) -> None:
    assert [one.msgid for one in catalogue if (one.msgctxt or "", one.msgid) not in MESSAGES] == []
    assert [one.msgid for one in [*catalogue.fuzzy_entries(), *catalogue.obsolete_entries()]] == []


def test_what_has_a_form_for_several_has_one_in_each_language(catalogue: polib.POFile) -> None:
    wanted = {key for key, message in MESSAGES.items() if message.plural}
    assert {(one.msgctxt or "", one.msgid) for one in catalogue if one.msgid_plural} == wanted


def test_every_form_of_the_plural_is_there(catalogue: polib.POFile) -> None:
    found = re.match(r"nplurals=(\d+)", catalogue.metadata["Plural-Forms"])
    assert found
    forms = set(range(int(found[1])))
    assert {one.msgid: set(one.msgstr_plural) for one in catalogue if one.msgid_plural} == {
        one.msgid: forms for one in catalogue if one.msgid_plural
    }


def test_no_translation_fills_in_another_name(catalogue: polib.POFile) -> None:
    wrong = []
    for one in catalogue:
        wanted = placeholders(one.msgid)
        if one.msgid_plural:
            # The form for one may leave the number out, as the sentence in the code may.
            wanted |= placeholders(one.msgid_plural)
            least = placeholders(one.msgid) & placeholders(one.msgid_plural)
            wrong += [text for text in one.msgstr_plural.values() if not least <= placeholders(text) <= wanted]
        elif placeholders(one.msgstr) != wanted:
            wrong.append(one.msgstr)
    assert wrong == []


def test_no_sentence_is_translated_while_its_module_is_imported() -> None:
    """It would be English for good: what is made then is marked by ``gettext_lazy``."""
    wrong = []
    for path in sorted(WEB.rglob("*.py")):
        tree = ast.parse(path.read_text())
        names = imported(tree)
        later = {
            id(call)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for call, _ in calls(node, names)
        }
        wrong += [
            f"{path.relative_to(ROOT)}:{call.lineno}"
            for call, function in calls(tree, names)
            if function in EAGER and id(call) not in later
        ]
    assert wrong == []


def test_no_sentence_takes_the_name_of_another() -> None:
    """Rooms that are built at the same time may choose the same name: then the later one is what both say."""
    tree = ast.parse((WEB / "words.py").read_text())
    targets = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    assert [name for name, count in Counter(names).items() if count > 1] == []
