"""What the program below the page says (findings, errors, cures), in the language in force as far as that has it.

Those sentences are made where the page is not known, with names and numbers in them already. So they are recognised by
their pattern, and what fills it is filled into the translation. What has none is marked as the English that it is, so
that a screen reader speaks it as such. In English nothing is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache

from markupsafe import Markup

from jobs.web.language import SOURCE, Language, LazyText, current_language, gettext as _, pgettext_lazy
from jobs.web.locale_format import local_moment, number
from migrator.findings.catalogue import BY_ID, ENTRIES
from migrator.findings.model import NAMED, Finding
from migrator.lazy_dataclasses import dataclass
from migrator.ui.text import plain

ENGINE = "engine"
"""The context of these sentences in a file of translations."""

_DEEPEST = 4
"""Sentences within sentences that are looked for."""

SENTENCES: Sequence[str] = (
    pgettext_lazy("engine", '{what} (the server said: "{words}")'),
    pgettext_lazy("engine", "cannot connect to {host}:{port}: {why}"),
    pgettext_lazy("engine", "cannot connect to {host}:{port}: the host name is not known"),
    pgettext_lazy("engine", "cannot connect to {host}:{port}: the name servers do not answer for it"),
    pgettext_lazy("engine", "check the spelling of host"),
    pgettext_lazy("engine", "check this machine's network and its name servers"),
    pgettext_lazy("engine", "check host and port, and whether the server runs and this machine has a network"),
    pgettext_lazy("engine", "nothing answers on that port"),
    pgettext_lazy("engine", "no answer within {number} seconds"),
    pgettext_lazy("engine", "the connection to {host} failed: {why}"),
    pgettext_lazy("engine", "the connection broke: {why}"),
    pgettext_lazy("engine", "the server hung up"),
    pgettext_lazy("engine", "the server reset it"),
    pgettext_lazy("engine", "the server was silent"),
    pgettext_lazy("engine", "no TLS connection with {host}: {why}"),
    pgettext_lazy("engine", "the certificate of {host} is not trusted: {why}"),
    pgettext_lazy("engine", "check username, password and auth"),
    pgettext_lazy("engine", "the server refused the log-in"),
    pgettext_lazy("engine", "the server refused the username"),
    pgettext_lazy("engine", "the server refused a command"),
    pgettext_lazy("engine", "the server does not give this message"),
    pgettext_lazy("engine", "the server takes a password made for mail programs, not that of the account"),
    pgettext_lazy("engine", "make an app password in the account's security settings, and use that"),
    pgettext_lazy("engine", "the server wants its user to sign in with a browser first"),
    pgettext_lazy("engine", "sign in there, confirm what it asks, then try again"),
    pgettext_lazy("engine", "POP3 is switched off for this mailbox"),
    pgettext_lazy("engine", "switch POP3 on in the settings of the mailbox, at its provider"),
    pgettext_lazy("engine", "the server has locked this account"),
    pgettext_lazy("engine", "have it unlocked by its provider"),
    pgettext_lazy("engine", "the server does not let this user in for a while"),
    pgettext_lazy("engine", "too many log-ins have failed: check the password before the next one"),
    pgettext_lazy("engine", "the server wants more time between two log-ins"),
    pgettext_lazy("engine", "the server accepts no more connections from here at present"),
    pgettext_lazy(
        "engine",
        "others hold connections to it, perhaps of other accounts or programs: it goes on when these are done",
    ),
    pgettext_lazy("engine", "the mailbox is in use by another session"),
    pgettext_lazy(
        "engine",
        "another session holds it, perhaps one that broke off: the server frees it after some minutes",
    ),
    pgettext_lazy("engine", "the provider's limit for reading is reached"),
    pgettext_lazy("engine", "the provider limits how much may be read per day: it goes on after that"),
    pgettext_lazy("engine", "a limit of the server is reached"),
    pgettext_lazy("engine", "the mailbox at the source is full"),
    pgettext_lazy("engine", "make room in it, or have its quota raised"),
    pgettext_lazy("engine", "the server's disk is full"),
    pgettext_lazy("engine", "its operator must make room; it will be tried again"),
    pgettext_lazy("engine", "the server cannot open this mailbox"),
    pgettext_lazy("engine", "the server is under maintenance"),
    pgettext_lazy("engine", "the server takes no connections from this address"),
    pgettext_lazy("engine", "ask its operator to let it in"),
    pgettext_lazy("engine", "the server cannot serve just now"),
    pgettext_lazy("engine", "the server does not let this user in, and does not say that the password is wrong"),
    pgettext_lazy("engine", "an address is written name@domain"),
    pgettext_lazy("engine", "what stands before the @ has a blank or a control character, or is too long"),
    pgettext_lazy("engine", "what stands behind the @ is no domain"),
    pgettext_lazy("engine", "is named by the autoconfig file at {host}"),
    pgettext_lazy("engine", "was found by the MX record of {domain}"),
    pgettext_lazy("engine", "is shipped with mailferry"),
    pgettext_lazy("engine", "is named by the SRV record of {domain}"),
    pgettext_lazy("engine", "was guessed"),
    pgettext_lazy("engine", "was named by you"),
    pgettext_lazy("engine", "{domain} says that it takes no mail (its MX record is empty)"),
    pgettext_lazy("engine", "there is nothing to look for; write words, or from:, subject:, date: and the like"),
    pgettext_lazy("engine", "{field} needs something after the colon, without a blank"),
    pgettext_lazy("engine", 'the quotation mark before "{word}" is not closed'),
    pgettext_lazy("engine", "there is a ) without its ("),
    pgettext_lazy("engine", "there is a ( without its )"),
    pgettext_lazy("engine", "something is missing at the end"),
    pgettext_lazy("engine", "it is nested too deeply"),
    pgettext_lazy("engine", "cannot make sense of {text}"),
    pgettext_lazy("engine", '"{word}" holds no letter, digit or emoji: it is found nowhere'),
    pgettext_lazy("engine", "it is too large to be shown"),
    pgettext_lazy("engine", "a place that is not known any more"),
    pgettext_lazy("engine", "{place}, last read {moment}"),
    pgettext_lazy("engine", "{place}, {state}; never read again"),
    pgettext_lazy("engine", "{place}, {state}; last equal {moment}"),
    pgettext_lazy("engine", "{number} message is"),
    pgettext_lazy("engine", "{number} messages are"),
    pgettext_lazy("engine", "{number} message"),
    pgettext_lazy("engine", "{number} messages"),
    pgettext_lazy("engine", "{number} copy"),
    pgettext_lazy("engine", "{number} copies"),
    pgettext_lazy("engine", "{file}, offset {offset}, {number} octets"),
    pgettext_lazy("engine", "{place} (number {number})"),
    pgettext_lazy("engine", "{number} day"),
    pgettext_lazy("engine", "{number} days"),
    pgettext_lazy("engine", "the clock has jumped; until somebody has looked, nothing is deleted by its age"),
    pgettext_lazy("engine", "last on {moment}"),
    pgettext_lazy("engine", "so far"),
    pgettext_lazy("engine", "since {moment}"),
    pgettext_lazy("engine", "after {days}"),
    pgettext_lazy("engine", "as soon as they were retrieved"),
    pgettext_lazy("engine", "mailferry run ended without being stopped"),
    pgettext_lazy("engine", "mailferry run has not been heard of for {span}"),
    pgettext_lazy("engine", "the clock shows {moment}: it was never set"),
    pgettext_lazy("engine", "the mailbox is gone, and {messages} known to be in it ({label})"),
    pgettext_lazy("engine", "the mailbox is empty, and {messages} known to be in it ({label})"),
    pgettext_lazy("engine", "{label} is full: {used} of {total} are used"),
    pgettext_lazy("engine", ", which lasts for about {span} at this pace"),
    pgettext_lazy("engine", ", and at least {size} are wanted"),
    pgettext_lazy("engine", "write {key} = {value} under {place} in {file}"),
    pgettext_lazy("engine", "or write {key} = {value} under {place} in {file}"),
    pgettext_lazy("engine", "take {key} out of {place} in {file}"),
    pgettext_lazy("engine", "or take {key} out of {place} in {file}"),
    pgettext_lazy("engine", "the disk of the state folder is nearly full"),
    pgettext_lazy("engine", "export less at once, or export to another disk: mailferry export"),
    pgettext_lazy("engine", "a message of {number} octets was left on the server: max_message_size is {limit}"),
    pgettext_lazy("engine", "announced with {number} octets, but {other} came, {how}; not stored, not deleted"),
    pgettext_lazy("engine", "look at the message on the server; it may be damaged there"),
    pgettext_lazy(
        "engine",
        "the source now gives something else for this message than was copied; it is not deleted there",
    ),
    pgettext_lazy("engine", "three sessions in a row brought nothing"),
    pgettext_lazy("engine", "the mailbox is full"),
    pgettext_lazy("engine", "make room, or raise its quota"),
    pgettext_lazy("engine", "the server finds it too large"),
    pgettext_lazy("engine", "another mailferry is working account {name}"),
    pgettext_lazy("engine", "let it finish, or stop it"),
    pgettext_lazy(
        "engine",
        "{place} is not there, and {messages} known to be in it: is its disk mounted? Nothing is stored "
        "there until it is back",
    ),
    pgettext_lazy("engine", "there is no room left for {path}: {why}"),
    pgettext_lazy("engine", "free some space (or raise the quota); the next run goes on where this one stopped"),
    pgettext_lazy("engine", "the copy is altered: {how}"),
    pgettext_lazy("engine", "the copy differs: {how}"),
    pgettext_lazy("engine", "changed by the server: {what}"),
    pgettext_lazy("engine", "the volume {file} was changed by another program during this run"),
    pgettext_lazy("engine", "{label} is not there, and {messages} known to be in {it}"),
    pgettext_lazy("engine", "{label} are not there, and {messages} known to be in {it}"),
    pgettext_lazy("engine", "{copies} in {label} is damaged"),
    pgettext_lazy("engine", "{copies} in {label} are damaged"),
    pgettext_lazy("engine", "the command line"),
    pgettext_lazy("engine", "check host and port: {why}"),
    pgettext_lazy("engine", "check host and port"),
    pgettext_lazy("engine", "please report this"),
)
"""Those that people meet most, as they stand in the code below; the findings' own are in the catalogue."""


def engine_words(text: str) -> Markup:
    """Return what the program below has said, to be put into a page."""
    if isinstance(text, LazyText):
        return Markup.escape(str(text))
    language = current_language()
    shown = plain(text)
    if language.tag == SOURCE or not any(map(str.isalpha, shown)):
        return Markup.escape(shown)
    return _said(shown, language) or _in_parts(shown, language) or _english(shown)


def sentences(*texts: str) -> Markup:
    """Return several of them as one text; those that are empty are left out."""
    return Markup(" ").join(engine_words(text) for text in texts if text)


def stops(texts: Iterable[Markup]) -> Markup:
    """Return several headlines as one text, each with its full stop."""
    return Markup(" ").join(Markup("{}.").format(text.rstrip(".")) for text in texts)


def _said(text: str, language: Language) -> Markup | None:
    """Return a sentence in a language, whether it begins large and ends in a stop or not."""
    if said := _translated(text, language):
        return said
    bare = f"{text[:1].lower()}{text[1:].removesuffix('.')}"
    said = _translated(bare, language)
    return said + "." if said is not None and text.endswith(".") else said


def _in_parts(text: str, language: Language) -> Markup | None:
    """Return what says several things in a row, or what says first where it is; None where no part is one."""
    for joint in ("; ", ": "):
        parts = text.split(joint)
        said = [_said(part, language) for part in parts]
        if len(parts) > 1 and any(said):
            shown = [one or _english(part) for one, part in zip(said, parts, strict=True)]
            return Markup.escape(joint).join(shown)
    return None


def headline(finding: Finding) -> Markup:
    """Return one line: whom a finding concerns, and what it is."""
    language = current_language()
    if language.tag == SOURCE:
        return Markup.escape(plain(finding.headline))
    said = _translated(plain(finding.text), language)
    if said is None:
        meaning = language.translations.pgettext(ENGINE, BY_ID[finding.id].meaning)
        said = Markup("{} {}").format(meaning, _english(plain(finding.text)))
    if not finding.accounts:
        return said
    return Markup("{}: {}").format(subject(finding), said)


def subject(finding: Finding) -> str:
    """Return whom a finding concerns; empty where that is the whole installation."""
    names = ", ".join(map(plain, finding.accounts[:NAMED]))
    if len(finding.accounts) <= NAMED:
        return names
    return _("%(names)s and %(count)s more") % {"names": names, "count": number(len(finding.accounts) - NAMED)}


def catalogue_sentences() -> Iterator[str]:
    """Yield the sentences of the catalogue of findings: its meanings, and the patterns of its texts and cures."""
    for entry in ENTRIES:
        yield entry.meaning
        yield from (pattern for pattern in (entry.text, entry.cure) if _is_telling(pattern))


def _is_telling(pattern: str) -> bool:
    """Say whether a pattern has words of its own, so that it is not found in every sentence."""
    return any(map(str.isalpha, _HOLE.sub("", pattern)))


def _english(text: str) -> Markup:
    return Markup('<span lang="{}">{}</span>').format(SOURCE, text)


@lru_cache(maxsize=2000)
def _translated(text: str, language: Language, depth: int = 0) -> Markup | None:
    """Return a sentence in a language, with what fills it; None where it has no translation."""
    for pattern, original in _patterns():
        found = pattern.fullmatch(text)
        translation = language.translations.pgettext(ENGINE, original) if found else original
        if found and translation != original:
            return Markup.escape(translation).format(**_filling(found.groupdict(), language, depth))
    return None


def _filling(found: Mapping[str, str], language: Language, depth: int) -> Mapping[str, Markup]:
    """Return what fills a sentence; what is itself one is translated, a name stays as it is."""
    filling = {}
    for name, value in found.items():
        if shape := _SHAPES.get(name):
            filling[name] = Markup.escape(shape.shown(value))
            continue
        said = _translated(value, language, depth + 1) if depth < _DEEPEST else None
        is_sentence = said is None and len(value.split()) > _NAME
        filling[name] = said or (_english(value) if is_sentence else Markup.escape(value))
    return filling


@dataclass(frozen=True, slots=True)
class _Shape:
    """What only a number, or only a moment, may fill; and how it is shown then."""

    pattern: str
    shown: Callable[[str], str]


def _number(written: str) -> str:
    return number(int(written.replace(",", "")))


def _moment(written: str) -> str:
    return local_moment(datetime.fromisoformat(written[:16]))


_SHAPES = {
    "number": _Shape(r"\d{1,3}(?:,\d{3})*", _number),
    "moment": _Shape(r"\d{4}-\d\d-\d\d \d\d:\d\d(?: \S+)?", _moment),
}
"""By the names that stand for them in the sentences."""

_NAME = 2
"""A name has at most that many words; what has more is a sentence."""

_HOLE = re.compile(r"\{(\w+)\}")


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    """Return how each sentence is recognised, those with the most words of their own first."""
    sentences = sorted({*map(str.__str__, SENTENCES), *catalogue_sentences()}, key=lambda one: (-_literal(one), one))
    return [(_recognised(sentence), sentence) for sentence in sentences]


def _literal(pattern: str) -> int:
    return len(_HOLE.sub("", pattern))


def _recognised(sentence: str) -> re.Pattern[str]:
    parts = _HOLE.split(sentence)
    shapes = [_SHAPES[part].pattern if part in _SHAPES else ".+?" for part in parts]
    names = (
        f"(?P<{part}>{shape})" if place % 2 else re.escape(part)
        for place, (part, shape) in enumerate(zip(parts, shapes, strict=True))
    )
    return re.compile("".join(names), re.S)
