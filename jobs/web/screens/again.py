"""Showing again who one is before what is dangerous: by the password, by a passkey, or at the OpenID provider.

Forms ask for the password themselves (``parts.own``); who has another way in is led here, and back.
"""

from __future__ import annotations

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.openid.under_way import Purpose
from jobs.web.origins import local_address
from jobs.web.screens.openid import lead_there
from jobs.web.screens.passkeys import begin_signing, must_be_possible, owner_of_signature
from jobs.web.visit import Refused, Visit

ACTION = "shown again"


def show(visit: Visit) -> Response:
    """Show the ways there are."""
    return _page(visit)


def _page(visit: Visit, code: int = 200, problem: str = "") -> Response:
    wanted = local_address(visit.field("next") or visit.query("next"))
    return visit.page(
        "again.html",
        code,
        next=wanted,
        has_passkeys=visit.has_passkeys_here,
        provider=visit.site.openid() if visit.identity else None,
        problem=problem,
    )


def by_password(visit: Visit) -> Response:
    """Take the own password."""
    if problem := problem_of_own(visit, is_always=True):
        return _page(visit, 422, problem)
    visit.note(ACTION, visit.user.name)
    return _on(visit)


def _on(visit: Visit) -> Response:
    return visit.go_to(local_address(visit.field("next")) or "/")


def begin_by_passkey(visit: Visit) -> Response:
    """Say what the browser is to ask of an authenticator."""
    return begin_signing(visit)


def by_passkey(visit: Visit) -> Response:
    """Take a passkey of this user."""
    must_be_possible(visit)
    site = visit.site
    if site.limits.is_locked(visit.address, visit.user.name):
        raise Refused(429, words.TOO_MANY)
    if owner_of_signature(visit, ACTION, visit.user.name) is None:
        site.limits.failed(visit.address, visit.user.name)
        return _page(visit, 422, words.WRONG_PASSKEY)
    site.store.confirm(visit.request.cookies.get(site.cookie, ""), site.clock())
    return _on(visit)


def by_openid(visit: Visit) -> Response:
    """Lead the user to the provider, which is to ask who it is even of somebody whom it knows already."""
    return lead_there(visit, Purpose.AGAIN, local_address(visit.field("next")) or "/")
