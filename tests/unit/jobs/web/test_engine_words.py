"""What the program below says is translated where it has a translation, and marked as English where it has none."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from jobs.web import words
from jobs.web.audit_words import ACTIONS, audit_words
from jobs.web.engine_words import SENTENCES, engine_words, headline, sentences
from jobs.web.language import ENGLISH, speaking
from jobs.web.languages import shipped_languages
from migrator.findings.catalogue import BY_ID, ENTRIES
from migrator.findings.cure_lines import setting_line
from migrator.findings.hints import Entry
from migrator.findings.model import Cure, Finding, Setting
from tests.messages import ROOT
from tests.pages.sentences import catalogue

GERMAN = next(language for language in shipped_languages() if language.tag == "de")


def german(text: str) -> str:
    with speaking(GERMAN):
        return engine_words(text)


class _Hidden(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert (tag, attrs) == ("span", [("lang", "en")])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the mailbox is full", "Das Postfach ist voll"),
        ("The mailbox is full.", "Das Postfach ist voll."),
        (
            "cannot connect to 127.0.0.1:1: nothing answers on that port",
            "Keine Verbindung zu 127.0.0.1:1: An diesem Port antwortet nichts",
        ),
        (
            'the server refused the log-in (the server said: "no <b>way</b> in")',
            "Der Server hat die Anmeldung abgelehnt (der Server sagte: „no &lt;b&gt;way&lt;/b&gt; in“)".replace(
                "no &lt;b&gt;way&lt;/b&gt; in", '<span lang="en">no &lt;b&gt;way&lt;/b&gt; in</span>'
            ),
        ),
        ("mbox a, file b: the mailbox is full", '<span lang="en">mbox a, file b</span>: Das Postfach ist voll'),
        (
            "check the spelling of host; nothing needs to be done",
            "Prüfen Sie die Schreibweise des Servernamens; Es ist nichts zu tun",
        ),
        ("nobody has translated <this>", '<span lang="en">nobody has translated &lt;this&gt;</span>'),
        ("1,234", "1,234"),
        ("1,234 messages", "1.234 Nachrichten"),
        ("holds no message", '<span lang="en">holds no message</span>'),
        ("last on 2026-05-03 14:05 CEST", "zuletzt am 3. Mai 2026 14:05"),
        ("maildir a, last read 2026-05-03 14:05", "maildir a, zuletzt gelesen 3. Mai 2026 14:05"),
        ("", ""),
    ],
)
def test_a_sentence_is_recognised_with_what_is_in_it(said: str, shown: str) -> None:
    assert german(said) == shown


def test_in_english_it_is_as_it_was_said_and_nothing_of_it_is_markup() -> None:
    with speaking(ENGLISH):
        assert engine_words("cannot <connect>") == "cannot &lt;connect&gt;"


def test_a_sentence_of_the_page_is_no_english_one() -> None:
    with speaking(GERMAN):
        assert "lang" not in engine_words(words.NOT_FOUND)
        assert "lang" not in sentences(words.NOT_FOUND, "", words.NO_PASSWORD)


def test_a_hostile_sentence_cannot_fill_in_anything() -> None:
    assert german("{0.__class__} {names}") == '<span lang="en">{0.__class__} {names}</span>'
    assert "{x.__class__}" in german("cannot make sense of {x.__class__}")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.id))
def test_every_finding_has_a_german_headline_and_a_german_cure(entry: Entry) -> None:
    text, cure = (re.sub(r"\{(\w+)\}", r"x\1", part) for part in (entry.text, entry.cure))
    finding = Finding(entry.id, entry.severity, "cause", ("alice",), None, text, 5.0, Cure(cure))
    with speaking(GERMAN):
        shown = headline(finding)
        assert shown.startswith("alice: ")
        without_words_of_others = re.sub(r'<span lang="en">x\w+(:? x\w+)?</span>', "", shown)
        assert 'lang="en"' not in without_words_of_others
        assert without_words_of_others.removeprefix("alice: ").strip()
        assert 'lang="en"' not in engine_words(cure)


def test_whom_a_finding_concerns_is_said_in_german() -> None:
    entry = BY_ID["paused"]
    finding = Finding(entry.id, entry.severity, "c", ("a", "b", "c", "d", "e"), None, entry.text, 5.0, Cure(entry.cure))
    with speaking(GERMAN):
        assert headline(finding) == "a, b, c und 2 weitere: angehalten"
    with speaking(ENGLISH):
        assert headline(finding) == "a, b, c and 2 more: paused"


def test_a_setting_to_write_is_said_in_german() -> None:
    line = setting_line(Setting("config.toml", ("accounts", 0, "every"), "1 hour"))
    assert german(line).startswith("Schreiben Sie every = ")


def test_nothing_is_translated_that_the_program_does_not_say() -> None:
    said = "\n".join(re.sub(r"\s+", " ", sentence) for part in catalogue().values() for sentence in part)
    said += "\n".join(f"{entry.text}\n{entry.cure}" for entry in ENTRIES)
    gone = [
        piece
        for sentence in SENTENCES
        for piece in re.split(r"\{\w+\}(?: is| are)?", str.__str__(sentence))
        if len(piece.split()) >= 4 and piece.strip(' ("') not in said
    ]
    assert gone == []


def test_every_deed_is_said_in_words() -> None:
    """The literal ones that are written down; what has no words is shown as its code."""
    noted = re.compile(
        r"""\bnote\((?:[\w.]+(?:\[0\])?(?:\.name)?(?: if known else "")?, visit\.address, )?"([^"]+)\""""
    )
    found = {
        code for path in (ROOT / "jobs/web").rglob("*.py") for code in noted.findall(path.read_text()) if code.strip()
    }
    assert {"sign-in", "run", "read-message"} <= found
    assert found <= set(ACTIONS)
    with speaking(GERMAN):
        assert audit_words("sign-in") == "hat sich angemeldet"
        assert audit_words("something else") == '<span lang="en">something else</span>'
