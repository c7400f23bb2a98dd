"""Signing in at the OpenID provider, and which account there is whose.

A browser that the provider sends back has no session with it: its cookie is for requests from pages of ours alone
(``SameSite=Strict``). So what a sign-in is for is remembered when it begins, and the answer is a page that sends the
browser on once more, from here.
"""

from __future__ import annotations

import logging
from typing import assert_never
from urllib.parse import quote

from starlette.responses import Response

from jobs.log import say
from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.identity_store import (
    accept_invitation,
    confirm_session,
    connect_identity,
    disconnect_identities,
    identity_of,
    invited,
    use_identity,
)
from jobs.web.openid.id_token import SKEW_SECONDS, Proven
from jobs.web.openid.provider import OpenIdProvider
from jobs.web.openid.under_way import LONGEST_SECONDS, Begun, Purpose
from jobs.web.origins import local_address
from jobs.web.people import User
from jobs.web.screens.signing_in import with_session
from jobs.web.user_store import is_once_over
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said
from migrator.errors import FerryError, Kind
from migrator.oauth.exchange import NotOursError
from migrator.oauth.failures import GrantRefusedError

BACK = "/sign-in/openid"
"""Where the provider sends browsers back to: it has to be registered there."""
IDENTITY = "/identity"
_IN_ADDRESSES = ":/%#?=@[]!$&'()*+,;"
_SIGN_IN = "openid sign-in"


def provider_of(visit: Visit) -> OpenIdProvider:
    """Return the provider; where there is none, there are no such pages."""
    provider = visit.site.openid()
    if provider is None:
        raise Refused(404, words.NOT_FOUND)
    return provider


def begin_sign_in(visit: Visit) -> Response:
    """Lead somebody to the provider, to be signed in with what it says; perhaps by an invitation."""
    wanted = local_address(visit.field("next"))
    return lead_there(visit, Purpose.SIGN_IN, wanted, invitation=visit.field("invitation"))


def begin_connecting(visit: Visit) -> Response:
    """Lead a user to the provider, to connect the own account there; wants the own password again."""
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem)
    return lead_there(visit, Purpose.CONNECT, IDENTITY)


def lead_there(visit: Visit, purpose: Purpose, wanted: str, *, invitation: str = "") -> Response:
    """Answer with a page that leads the browser to the provider, and remember what that is for."""
    provider = provider_of(visit)
    try:
        authorization, nonce = provider.begin(f"{visit.origin}{BACK}", is_again=purpose is Purpose.AGAIN)
    except FerryError as error:
        _log(error)
        raise Refused(503, words.OPENID_AWAY % {"name": provider.settings.label}) from error
    owner, user = (visit.form_token, visit.user.name) if visit.session and purpose is not Purpose.SIGN_IN else ("", "")
    begun = Begun(purpose, provider.settings, authorization, nonce, wanted, invitation, owner, user)
    answer = visit.page("openid_go.html", address=authorization.url, label=provider.settings.label)
    # A form that is answered by a redirect elsewhere would break the page's own policy (form-action).
    answer.headers["Refresh"] = f"0; url={authorization.url}"
    answer.set_cookie(
        visit.site.openid_cookie,
        visit.site.under_way.keep(begun),
        max_age=int(LONGEST_SECONDS),
        path="/",
        secure=visit.site.is_tls,
        httponly=True,
        samesite="lax",  # it comes along when the provider sends the browser back
    )
    return answer


def _log(error: FerryError) -> None:
    problem = ". ".join(filter(None, (error.message, error.server_words)))
    say("web.openid.failed", level=logging.WARNING, kind=str(error.kind), problem=problem)


def answer(visit: Visit) -> Response:
    """Take what the provider sends a browser back with: once, for the browser that began it."""
    provider = provider_of(visit)
    begun = visit.site.under_way.take(visit.request.cookies.get(visit.site.openid_cookie, ""))
    if begun is None or begun.provider != provider.settings:
        return _back(visit, "/sign-in", words.OPENID_OVER)
    try:
        proven = provider.proven(str(visit.request.url), begun.authorization, begun.nonce, visit.site.clock())
    except NotOursError:
        return _refused(visit, begun, words.OPENID_OVER)
    except GrantRefusedError as error:
        _log(error)
        return _refused(visit, begun, words.OPENID_NOT_ALLOWED % {"name": provider.settings.label})
    except FerryError as error:
        _log(error)
        is_away = error.kind is Kind.TEMPORARY
        said = words.OPENID_AWAY if is_away else words.OPENID_FAILED
        return _refused(visit, begun, said % {"name": provider.settings.label})
    match begun.purpose:
        case Purpose.SIGN_IN:
            return _signed_in(visit, begun, proven)
        case Purpose.CONNECT:
            key = visit.site.drafts.keep(begun.owner, proven)
            return _back(visit, f"{IDENTITY}?draft={key}")
        case Purpose.AGAIN:
            return _shown_again(visit, begun, proven)
        case _:
            assert_never(begun.purpose)


def _back(visit: Visit, path: str, problem: str = "") -> Response:
    """Send the browser on to an address of ours, from a page of ours; where there is something to read, by a link."""
    answer = visit.page("openid_back.html", 403 if problem else 200, path=path, problem=problem)
    if not problem:
        answer.headers["Refresh"] = f"0; url={quote(path, safe=_IN_ADDRESSES)}"
    site = visit.site
    answer.delete_cookie(site.openid_cookie, path="/", secure=site.is_tls, httponly=True, samesite="lax")
    return answer


def _refused(visit: Visit, begun: Begun, problem: str, subject: str = "", user: str = "") -> Response:
    visit.site.note(user or begun.user, visit.address, _SIGN_IN, subject, "refused")
    return _back(visit, begun.wanted or "/" if begun.owner else "/sign-in", problem)


def _signed_in(visit: Visit, begun: Begun, proven: Proven) -> Response:
    store, now = visit.site.store, visit.site.clock()
    label = begun.provider.label
    if begun.invitation:
        name = accept_invitation(store, begun.invitation, proven, now)
        if not name:
            return _refused(visit, begun, words.INVITATION_USED % {"name": label}, _named(proven))
        visit.site.note(name, visit.address, "identity connected", _named(proven))
    name = use_identity(store, proven, now)
    known = store.user(name) if name else None
    if known is None:
        return _refused(visit, begun, words.OPENID_NOBODY % {"name": label}, _named(proven))
    if is_once_over(store, name, now):
        return _refused(visit, begun, words.ONCE_OVER, _named(proven), name)
    visit.site.note(name, visit.address, _SIGN_IN, _named(proven))
    return _let_in(visit, known[0], proven, begun.wanted or "/")


def _let_in(visit: Visit, user: User, proven: Proven, wanted: str) -> Response:
    """Begin a session. Somebody who was signed in at the provider long ago has not shown just now who they are."""
    confirmed_at = min(proven.signed_in_at or 0.0, visit.site.clock())
    return with_session(visit, user, _back(visit, wanted), confirmed_at=confirmed_at)


def _named(proven: Proven) -> str:
    """Return the account as the audit has it: what it is called, and what it is known by."""
    return f"{proven.label} ({proven.subject})" if proven.label != proven.subject else proven.subject


def _shown_again(visit: Visit, begun: Begun, proven: Proven) -> Response:
    """Take a sign-in at the provider in place of the own password: if it is the user's, and of these minutes."""
    store, now = visit.site.store, visit.site.clock()
    if use_identity(store, proven, now) != begun.user:
        return _refused(visit, begun, words.OPENID_NOT_YOURS % {"name": begun.provider.label}, _named(proven))
    moment = proven.signed_in_at
    if moment is None or now - moment > LONGEST_SECONDS + SKEW_SECONDS:
        return _refused(visit, begun, words.OPENID_LONG_AGO % {"name": begun.provider.label}, _named(proven))
    if not confirm_session(store, begun.user, begun.owner, min(moment, now)):
        return _refused(visit, begun, words.OPENID_OVER)
    visit.site.note(begun.user, visit.address, "shown again", _named(proven))
    return _back(visit, begun.wanted or "/")


def show(visit: Visit) -> Response:
    """Show which account at the provider is one's own, or the one that was just signed in with, to be connected."""
    return _page(visit)


def _page(visit: Visit, code: int = 200, problem: str = "") -> Response:
    provider = provider_of(visit)
    draft = visit.field("draft") or visit.query("draft")
    return visit.page(
        "identity.html",
        code,
        label=provider.settings.label,
        identity=identity_of(visit.site.store, visit.user.name, provider.settings.issuer),
        proven=visit.site.drafts.get(visit.form_token, draft, Proven),
        draft=draft,
        problem=problem,
    )


def connect(visit: Visit) -> Response:
    """Connect the account that was just signed in with."""
    provider, draft = provider_of(visit), visit.field("draft")
    proven = visit.site.drafts.get(visit.form_token, draft, Proven)
    if proven is None:
        return _page(visit, 409, words.OPENID_OVER)
    visit.site.drafts.drop(draft)
    if not connect_identity(visit.site.store, visit.user.name, proven, visit.site.clock()):
        visit.note("identity connected", _named(proven), "refused")
        return _page(visit, 422, words.OPENID_TAKEN % {"name": provider.settings.label})
    visit.note("identity connected", _named(proven))
    return visit.go_to(IDENTITY, Said.IDENTITY_CONNECTED)


def disconnect(visit: Visit) -> Response:
    """Have no account at the provider sign this user in any more."""
    provider_of(visit)
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem)
    if disconnect_identities(visit.site.store, visit.user.name):
        visit.note("identity disconnected", visit.user.name)
    return visit.go_to(IDENTITY, Said.IDENTITY_DISCONNECTED)


def show_invitation(visit: Visit) -> Response:
    """Show whom an invitation is for, and lead on to the provider."""
    provider, token = provider_of(visit), visit.query("token")
    name = invited(visit.site.store, token, visit.site.clock())
    if not name:
        raise Refused(404, words.INVITATION_USED % {"name": provider.settings.label})
    return visit.page("invitation.html", name=name, token=token, label=provider.settings.label)
