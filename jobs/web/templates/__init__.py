"""The templates of the page, escaped by default, with the filters that they use.

Every sentence stands in ``_()``: a translation needs no other template. It is shown in the language in force
(``jobs.web.language``), and so are numbers, sizes, spans and moments.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import cache, lru_cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from jobs.web.assets import asset_url
from jobs.web.audit_words import audit_words
from jobs.web.cures import button_of
from jobs.web.engine_words import engine_words, headline, subject
from jobs.web.language import current_language, gettext, ngettext, npgettext, pgettext
from jobs.web.locale_format import moment, number, size, span
from jobs.web.run_days import drawn
from migrator.findings.cure_lines import cure_lines
from migrator.report import shown_unique_id
from migrator.ui import sanitize
from migrator.ui.text import plain

MOST_STAMPS = 5_000
"""Moments that are kept as they were written."""


def rendered(template: str, **values: object) -> str:
    """Return a template with these values in it."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("jobs.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,  # the files are ours: nobody looks at each of them for each of 500 rows
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
    )
    environment.filters |= {
        "size": size,
        "span": span,
        "number": number,
        "moment": moment,
        "rfc3339": _rfc3339,
        "stamp": _stamp,
        "plain": _plain,
        "audit": audit_words,
        "engine": engine_words,
        "headline": headline,
        "subject": subject,
        "path": _path,
        "drawn": drawn,
        "line": _line,
        "uidl": shown_unique_id,
    }
    environment.globals |= {
        "asset_url": asset_url,
        "button_of": button_of,
        "cure_lines": cure_lines,
        "infinity": math.inf,
    }
    return environment


def _plain(text: str) -> str:
    """Return text that cannot pretend to be a line of ours; a marked sentence in the language in force."""
    return plain(str(text))


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _stamp(seconds: float | None) -> Markup:
    """Return a moment as an element that a program can read as well; a word for never."""
    if not seconds:
        return escape(moment(seconds))
    return _written(int(seconds), current_language().tag)


@lru_cache(maxsize=MOST_STAMPS)
def _written(seconds: int, _language: str) -> Markup:
    """Write a moment in the language in force: a page of hundreds of mailboxes has many, the next one the same."""
    return Markup('<time datetime="{}">{}</time>').format(_rfc3339(seconds), moment(seconds))


def _line(text: str) -> str:
    """Return a line of a mail without what steers a screen."""
    return sanitize.line(text, limit=400)


def _path(name: str) -> str:
    """Return a name as one part of an address."""
    return quote(name, safe="@")
