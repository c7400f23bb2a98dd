"""From an address to the screen that answers it: who may ask, whether a form is ours, and what a refusal looks like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from hmac import compare_digest
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from jobs.log import say
from jobs.web import words
from jobs.web.engine_words import sentences
from jobs.web.language import Language, speak
from jobs.web.origins import is_own_form
from jobs.web.people import Right
from jobs.web.site import Site
from jobs.web.visit import TOKEN_FIELD, Form, Refused, Visit, is_strangers_token
from migrator.errors import ConfigError, DefectError, FerryError, contained
from migrator.lazy_dataclasses import replace

LARGEST_FORM = 1_000_000
MOST_FIELDS = 2_000
FIRST = frozenset({"/password", "/sign-out", "/language"})
"""What may be done before a password that was given for once is changed."""

ASKED_BY = "x-asked-by"
"""What the script of an open page says when it renews it: nobody uses the session by that."""

Screen = Callable[[Visit], Response]


def screen(site: Site, path: str, answer: Screen, *, needs: Right | None, methods: Sequence[str] = ("GET",)) -> Route:
    """Return the route of a screen. ``needs`` is the right that a user must have; None lets strangers in."""

    async def endpoint(request: Request) -> Response:
        try:
            form = await _form(request) if request.method == "POST" else {}
        except Refused as refused:
            return await refused_in_words(Visit(request, site), refused)
        return await _spoken(Visit(request, site, form=form), partial(_asked, answer=answer, needs=needs))

    return Route(path, endpoint, methods=list(methods))


async def refused_in_words(visit: Visit, refused: Refused) -> Response:
    """Answer what no screen was asked for, in the language of who asks."""
    return await _spoken(visit, lambda known: refusal(known, refused))


async def _spoken(visit: Visit, answer: Screen) -> Response:
    """Answer in a thread, in the language of who asks; what is streamed afterwards is in that language too."""
    answered, language = await run_in_threadpool(_answered, visit, answer)
    speak(language)
    return answered


def _answered(visit: Visit, answer: Screen) -> tuple[Response, Language]:
    speak(visit.language)
    try:
        with contained():  # a defect of one screen ends no other
            visit = _recognised(visit)
            speak(visit.language)
            return answer(visit), visit.language
    except FerryError as error:
        say("web.failed", level=logging.ERROR, path=visit.request.url.path, kind=str(error.kind), problem=str(error))
        is_defect = isinstance(error, DefectError)
        said = words.BROKEN if is_defect else sentences(error.message, error.cure)
        return refusal(visit, Refused(500 if is_defect else 503, said)), visit.language


def _asked(visit: Visit, answer: Screen, needs: Right | None) -> Response:
    try:
        if visit.request.method == "POST":
            _check_form(visit)
        if needs is not None and visit.session is None:
            return _to_sign_in(visit)
        if visit.session is not None and visit.session.must_change and visit.request.url.path not in FIRST:
            return RedirectResponse("/password", 303)
        _check_right(visit, needs)
        return answer(visit)
    except Refused as refused:
        return refusal(visit, refused)
    except ConfigError as error:
        return refusal(visit, Refused(422, sentences(*error.problems)))


def refusal(visit: Visit, refused: Refused) -> Response:
    """Answer with a sentence, in a page."""
    return visit.page("refused.html", refused.status, words=refused.words)


def _recognised(visit: Visit) -> Visit:
    secret = visit.request.cookies.get(visit.site.cookie, "")
    if not secret:
        return visit
    is_use = ASKED_BY not in visit.request.headers
    return replace(visit, session=visit.site.store.session(secret, visit.site.clock(), is_use=is_use))


def _check_form(visit: Visit) -> None:
    """Refuse a form that does not come from a page of ours, or that a stranger sends too often."""
    headers = visit.request.headers
    if not is_own_form(headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")):
        raise Refused(403, words.FORM_REFUSED)
    token = visit.field(TOKEN_FIELD)
    if visit.session is None:
        is_right = is_strangers_token(token)
    else:
        is_right = compare_digest(visit.session.form_token.encode(), token.encode(errors="replace"))
    if not is_right:
        raise Refused(403, words.FORM_REFUSED)
    if visit.session is None and not visit.site.limits.takes_request(visit.address):
        raise Refused(429, words.TOO_MANY)


def _check_right(visit: Visit, needs: Right | None) -> None:
    if needs is not None and not visit.user.may(needs):
        raise Refused(403, words.NOT_ALLOWED)


def _to_sign_in(visit: Visit) -> Response:
    """Send a stranger to the door; after a GET the way leads back."""
    if not visit.site.store.has_users():
        return RedirectResponse("/setup", 303)
    url = visit.request.url
    wanted = url.path + (f"?{url.query}" if url.query else "")
    if visit.request.method != "GET" or wanted == "/":
        return RedirectResponse("/sign-in", 303)
    return RedirectResponse(f"/sign-in?{urlencode({'next': wanted})}", 303)


async def _form(request: Request) -> Form:
    """Read a form, no more than it may be large; files are not sent in one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, words.NOT_READ)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise Refused(413, words.TOO_LARGE)
    try:
        text = body.decode("ascii")
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Refused(400, words.NOT_READ) from None
