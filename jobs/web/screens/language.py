"""The language that a user reads: chosen once, and kept until another one is."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web import words
from jobs.web.language_store import choose_language
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said


def show(visit: Visit) -> Response:
    """Show which languages there are."""
    return visit.page("language.html")


def choose(visit: Visit) -> Response:
    """Keep what was chosen; empty is what the browser wishes. The page that follows speaks it."""
    tag = visit.field("language")
    if tag and tag not in {language.tag for language in visit.site.languages}:
        raise Refused(422, words.NOT_READ)
    choose_language(visit.site.store, visit.user.name, tag)
    return visit.go_to("/language", Said.LANGUAGE_CHOSEN)
