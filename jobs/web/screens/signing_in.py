"""The door: the first start, signing in, signing out."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from jobs.web import words
from jobs.web.factor_store import Factor, factor_of, use_recovery, use_step
from jobs.web.hashing import NOBODY, hashed, is_outdated, is_right
from jobs.web.origins import local_address
from jobs.web.passkeys import is_installed, is_name
from jobs.web.people import Role, User, problem_of_name, problem_of_password
from jobs.web.second_factor import name_on, recovery_hash, step_of, ticket
from jobs.web.store import LONGEST_SECONDS
from jobs.web.user_store import is_once_over
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said


def setup_page(visit: Visit) -> Response:
    """Show how the first user is made; there is no such page once there is one."""
    if visit.site.store.has_users():
        raise Refused(404, words.NOT_FOUND)
    return visit.page("setup.html", problem="", name="")


def set_up(visit: Visit) -> Response:
    """Make the first user, an administrator, for somebody who has the worker's token; then they are signed in."""
    if visit.site.store.has_users():
        raise Refused(404, words.NOT_FOUND)
    name, password = visit.field("name"), visit.field("password")
    problem = _problem_of_token(visit) or problem_of_name(name) or problem_of_password(password, name)
    if problem:
        return visit.page("setup.html", 422, problem=problem, name=name)
    user = User(name, Role.ADMINISTRATOR)
    if not visit.site.store.add(user, hashed(password), visit.site.clock(), is_first=True):
        raise Refused(404, words.NOT_FOUND)
    visit.site.note(name, visit.address, "set-up", name)
    has_mailboxes = bool(visit.site.worker.config().accounts)
    return signed_in(visit, user, "/" if has_mailboxes else f"/?said={Said.WELCOME}")


def _problem_of_token(visit: Visit) -> str:
    if visit.site.limits.is_locked(visit.address, ""):
        raise Refused(429, words.TOO_MANY)
    if visit.site.setup.is_over:
        return words.TOKEN_OVER
    if visit.site.setup.is_right(visit.field("token")):
        return ""
    visit.site.limits.failed(visit.address, "")
    visit.site.note("", visit.address, "set-up", outcome="refused")
    return words.WRONG_TOKEN


def sign_in_page(visit: Visit) -> Response:
    """Ask for name and password."""
    if visit.session is not None:
        return visit.go_to("/")
    if not visit.site.store.has_users():
        return visit.go_to("/setup")
    return door(visit, wanted=local_address(visit.query("next")))


def door(visit: Visit, code: int = 200, problem: str = "", *, wanted: str = "") -> Response:
    """Show the ways in that there are, and why the last one led nowhere."""
    has_passkeys = is_installed() and is_name(visit.host)
    return visit.page(
        "sign_in.html",
        code,
        problem=problem,
        name=visit.field("name"),
        next=wanted,
        has_passkeys=has_passkeys,
        provider=visit.site.openid(),
    )


def sign_in(visit: Visit) -> Response:
    """Let a user in, under a new session; the one before, if any, ends. A second factor is asked for in between."""
    wanted = local_address(visit.field("next"))
    user = _of_ticket(visit) if visit.field("ticket") else _of_password(visit)
    if user is None:
        return door(visit, 401, words.WRONG_SIGN_IN, wanted=wanted)
    factor = factor_of(visit.site.store, user.name)
    if factor is not None and not _is_code_right(visit, user, factor):
        has_tried = bool(visit.field("code"))
        return visit.page(
            "sign_in_code.html",
            401 if has_tried else 200,
            problem=words.WRONG_CODE if has_tried else "",
            ticket=ticket(user.name, visit.site.clock()),
            next=wanted,
        )
    visit.site.limits.succeeded(visit.address, user.name)
    visit.site.note(user.name, visit.address, "sign-in")
    return signed_in(visit, user, wanted or "/")


def _of_password(visit: Visit) -> User | None:
    """Return whom name and password belong to, None for nobody; raises where that was tried too often."""
    name, password = visit.field("name"), visit.field("password")
    if visit.site.limits.is_locked(visit.address, name):
        raise Refused(429, words.TOO_MANY)
    known = visit.site.store.user(name)
    if not is_right(known[1] if known else NOBODY, password) or known is None:
        visit.site.limits.failed(visit.address, name)
        visit.site.note(known[0].name if known else "", visit.address, "sign-in", outcome="refused")
        return None
    user, password_hash = known
    if is_once_over(visit.site.store, user.name, visit.site.clock()):
        visit.site.note(user.name, visit.address, "sign-in", outcome="its time was over")
        raise Refused(403, words.ONCE_OVER)
    if is_outdated(password_hash):
        visit.site.store.rehashed(user.name, hashed(password))
    return user


def _of_ticket(visit: Visit) -> User:
    """Return who has given the password a moment ago."""
    name = name_on(visit.field("ticket"), visit.site.clock())
    known = visit.site.store.user(name) if name else None
    if known is None:
        raise Refused(403, words.TICKET_OVER)
    if visit.site.limits.is_locked(visit.address, name):
        raise Refused(429, words.TOO_MANY)
    return known[0]


def _is_code_right(visit: Visit, user: User, factor: Factor) -> bool:
    """Use up a code of the device, or a recovery code; a wrong one counts as a wrong password does."""
    code, store = visit.field("code"), visit.site.store
    if not code:
        return False
    step = step_of(factor.secret, code, visit.site.clock(), factor.last_step)
    if step is not None and use_step(store, user.name, step):
        return True
    if use_recovery(store, user.name, recovery_hash(code)):
        visit.site.note(user.name, visit.address, "recovery code used")
        return True
    visit.site.limits.failed(visit.address, user.name)
    visit.site.note(user.name, visit.address, "sign-in", outcome="wrong code")
    return False


def signed_in(visit: Visit, user: User, wanted: str) -> Response:
    """Begin a new session of a user, in place of the one that this browser had, and go on to an address of ours."""
    return with_session(visit, user, visit.go_to(wanted))


def with_session(visit: Visit, user: User, answer: Response, *, confirmed_at: float | None = None) -> Response:
    """Begin a new session of a user with an answer; ``confirmed_at`` as in the store."""
    site, secret = visit.site, secrets.token_urlsafe(32)
    if before := visit.request.cookies.get(site.cookie):
        site.store.sign_out(before)
    form_token = secrets.token_urlsafe(24)
    site.store.sign_in(user, secret, form_token, site.clock(), visit.address, confirmed_at=confirmed_at)
    answer.set_cookie(
        site.cookie,
        secret,
        max_age=int(LONGEST_SECONDS),
        path="/",
        secure=site.is_tls,
        httponly=True,
        samesite="strict",
    )
    return answer


def sign_out(visit: Visit) -> Response:
    """End this session."""
    visit.site.store.sign_out(visit.request.cookies.get(visit.site.cookie, ""))
    visit.note("sign-out")
    answer = visit.go_to("/sign-in", Said.SIGNED_OUT)
    answer.delete_cookie(visit.site.cookie, path="/", secure=visit.site.is_tls, httponly=True, samesite="strict")
    return answer
