"""The tokens of the API: who was given one, what it may do, and ending it."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.people import Scope, problem_of_name
from jobs.web.token_store import add_token, revoke_token, tokens_of
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said

PREFIX = "mf_"


def show(visit: Visit) -> Response:
    """Show every token; a new one is shown in full, once."""
    return _page(visit, fresh=visit.site.once.take(visit.form_token))


def _page(visit: Visit, status: int = 200, *, fresh: str = "", problem: str = "", name: str = "") -> Response:
    return visit.page(
        "tokens.html", status, tokens=tokens_of(visit.site.store), fresh=fresh, problem=problem, name=name
    )


def make(visit: Visit) -> Response:
    """Make a token; the page that follows shows it."""
    name = visit.field("name")
    scope = next((one for one in Scope if one == visit.field("scope")), None)
    problem = problem_of_name(name) or ("" if scope else words.UNKNOWN_SCOPE) or problem_of_own(visit)
    if problem or scope is None:
        return _page(visit, 422, problem=problem, name=name)
    secret = PREFIX + secrets.token_urlsafe(32)
    add_token(visit.site.store, secret, name, scope, visit.user.name, visit.site.clock())
    visit.site.once.keep(visit.form_token, secret)
    visit.note("token made", f"{name} ({scope})")
    return visit.go_to("/tokens", Said.TOKEN_MADE)


def revoke(visit: Visit) -> Response:
    """End a token."""
    number = visit.request.path_params["number"]
    if not revoke_token(visit.site.store, number):
        raise Refused(404, words.NOT_FOUND)
    visit.note("token ended", str(number))
    return visit.go_to("/tokens", Said.TOKEN_ENDED)
