"""What holds for every text that a person can be shown, as far as it can be seen without filling it in."""

from __future__ import annotations

import re

import pytest

from tests.pages.sentences import catalogue, sentences, translated

AMERICAN = r"\b(recogniz|organiz|initializ|synchroniz|canonicaliz|color|behavior|favor)\w*|\bcanceled\b"
BRITISH_AND_OTHER = {
    AMERICAN: "British spelling, as in the rest",
    r"\blogin\b": "log-in",
    r"\b(user-name|user name|log in name)\b": "username",
    r"\bmail box": "mailbox",
    r"\be-mail": "mail",
    r"\bother side\b": "server",
    r"\bno more\b(?! than)(?=$|[,;.])": "no longer, not any more",
    r"\b(anew|at hand|be it that)\b": "again",
}
NAMED_KEYS = r'`[^`]*`|[\w.]+ = \S+|--[\w-]+|\[[\w.]+\]|"[^"]*"|Login Name|unsafe login|https?:\S+'


SINGULAR = {"copie": "copy", "mailboxe": "mailbox"}
ALWAYS_SEVERAL = {
    '… accounts are named "…"': "a name that one account has is right",
    "has … accounts; a file in … has one": "said of none or of several",
    "… was emptied: … of the … messages known in it are gone": "said from ten on",
    "… messages are": "chosen for more than one",
}


def said() -> list[tuple[str, str]]:
    return [(name, text) for name, texts in catalogue().items() for text in texts]


def test_the_catalogue_has_modules_and_templates() -> None:
    names = catalogue().keys()
    assert {"migrator/pop3/refusals.py", "migrator/cli/commands/verify.py", "jobs/web/templates/care.html"} <= names


def test_it_is_told_what_is_said_from_what_is_not() -> None:
    source = '''
"""A docstring is not shown."""
LOG.event("session-began", words=["one"])
db.execute("select a, b from t where c = ?")
pattern = re.compile(r"over-?quota|quota (?:\\\\w+ ){0,3}full")
raise Wrong(f"the server of {name} said "
            f"{'nothing at all' if n == 0 else words!r:>30}")
'''
    assert sentences(source) == ["the server of … said …", "nothing at all"]


def test_a_template_gives_what_it_has_translated() -> None:
    template = '<p class="soft">{{ _("At %(time)s:", time=t) }} {{ ngettext("one thing", "%(num)d things", n) }}</p>'
    assert translated(template) == ["At …:", "one thing", "… things"]


@pytest.mark.parametrize(("word", "better"), BRITISH_AND_OTHER.items(), ids=BRITISH_AND_OTHER.values())
def test_one_word_for_one_thing(word: str, better: str) -> None:
    wrong = [f"{name}: {text}" for name, text in said() if re.search(word, re.sub(NAMED_KEYS, "", text), re.I)]
    assert wrong == [], f"say {better}"


def test_no_text_shows_how_python_writes_things() -> None:
    assert [f"{name}: {text}" for name, text in said() if re.search(r"\['|'\]|\bNone\b|\bTrue\b|\(\d+,\)", text)] == []


def test_no_text_has_a_blank_before_its_punctuation() -> None:
    assert [f"{name}: {text}" for name, text in said() if re.search(r"[a-z] [,;:!?](\s|$)", text)] == []


def test_a_single_sentence_of_a_command_has_no_full_stop() -> None:
    wrong = [
        f"{name}: {text}"
        for name, text in said()
        if not name.startswith("jobs/web/")
        and re.match(r"(?!or )[a-z]", text)
        and re.search(r"[a-z]\.$", text)
        and ". " not in text
    ]
    assert wrong == []


def test_what_is_counted_has_words_for_one() -> None:
    """A module that says ``… messages`` says what one message is called, too; or there are always several."""
    missing = [
        f"{name}: {text}"
        for name, text in said()
        for thing in re.findall(r"… (message|account|problem|attachment|thing|copie|mailboxe|file)s\b", text)
        if text not in ALWAYS_SEVERAL and not has_one(SINGULAR.get(thing, thing), catalogue()[name])
    ]
    assert missing == []


def has_one(thing: str, texts: list[str]) -> bool:
    return any(re.search(rf"(?i)\b(one|a|1) {thing}\b|… {thing}\b", text) for text in texts)
