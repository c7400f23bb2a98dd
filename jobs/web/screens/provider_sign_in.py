"""Signing in at the provider of a mailbox: for one that is there, and for one that is being added.

The person opens a link, types a code in there or pastes the address that the browser ends at, and looks again here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.provider_sign_in import ProviderSignIn
from jobs.web.screens import adding
from jobs.web.visit import Refused, Visit, path_of_account
from jobs.web.wishes import NO_MAILBOX, ServerForm, server_in
from migrator.config import Account
from migrator.errors import ConfigError, FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.operations.sign_in import to_sign_in

MOMENT = 3.0
"""So long a page waits for the provider's first answer, before it shows that nothing is there yet."""


@dataclass(frozen=True, slots=True)
class Going:
    """A sign-in that goes on: of an account that is there by this name, or of one that is being added."""

    sign_in: ProviderSignIn
    name: str = ""
    address: str = ""
    server: ServerForm = NO_MAILBOX
    provider: str = ""


def show(visit: Visit) -> Response:
    """Show what to do for a mailbox that is there: begin, or what the provider wants."""
    account = _account(visit)
    going = _going(visit, visit.query("draft"))
    if going is not None and going.name == account.name:
        return _page(visit, going)
    return _begin_page(visit, account)


def _account(visit: Visit) -> Account:
    return visit.account(visit.request.path_params["name"])


def _begin_page(visit: Visit, account: Account, code: int = 200, problem: str = "") -> Response:
    try:
        label = ", ".join(one.label for one in to_sign_in(account))
    except ConfigError:
        label = ""  # nobody has to sign in for it
    return visit.page("sign_in_begin.html", code, account=account, label=label, problem=str(problem))


def begin(visit: Visit) -> Response:
    """Ask the provider of a mailbox that is there; wants one's own password again."""
    account = _account(visit)
    if problem := problem_of_own(visit):
        return _begin_page(visit, account, 422, problem)
    try:
        work_it = partial(visit.site.worker.try_now, account.name)  # it was parked until somebody signs in
        going = Going(ProviderSignIn(to_sign_in(account), work_it), account.name)
    except ConfigError:
        raise Refused(404, words.NOT_FOUND) from None
    visit.note("sign in at provider", account.name, "begun")
    return _started(visit, going)


def _started(visit: Visit, going: Going) -> Response:
    key = visit.site.drafts.keep(visit.form_token, going)
    going.sign_in.start()
    going.sign_in.wait(MOMENT)
    return visit.go_to(f"{_path(going)}?draft={key}")


def _path(going: Going) -> str:
    return f"{path_of_account(going.name)}/sign-in" if going.name else "/add/sign-in"


def _going(visit: Visit, key: str) -> Going | None:
    return visit.site.drafts.get(visit.form_token, key, Going)


def _page(visit: Visit, going: Going, problems: Sequence[str] = ()) -> Response:
    sign_in = going.sign_in
    return visit.page(
        "sign_in_going.html",
        422 if problems else 200,
        going=going,
        path=_path(going),
        draft=visit.field("draft") or visit.query("draft"),
        told=sign_in.told,
        label=sign_in.label,
        is_done=sign_in.is_done,
        problem=sign_in.problem,
        problems=problems,
    )


def answer(visit: Visit) -> Response:
    """Take the address that the browser ended at; it holds a secret for some minutes, and is shown nowhere."""
    going = _going(visit, visit.field("draft"))
    if going is None:
        raise Refused(409, words.CHANGE_OVER)
    if address := visit.field("address").strip():
        going.sign_in.answer(address)
        going.sign_in.wait(MOMENT)
    return visit.go_to(f"{_path(going)}?draft={visit.field('draft')}")


def begin_adding(visit: Visit) -> Response:
    """Ask the provider of a mailbox that is being added."""
    address, server, provider = visit.field("address").strip(), server_in(visit), visit.field("oauth")
    if problem := problem_of_own(visit):
        return adding.server_page(visit, address, server, 422, [problem])
    try:
        account = adding.account_to_sign_in(visit, address, server, provider)
        going = Going(ProviderSignIn(to_sign_in(account)), "", address, server, provider)
    except ConfigError as error:
        return adding.server_page(visit, address, server, 422, error.problems)
    visit.note("sign in at provider", address, "begun")
    return _started(visit, going)


def show_adding(visit: Visit) -> Response:
    """Show what the provider wants of a mailbox that is being added."""
    going = _going(visit, visit.query("draft"))
    if going is None or going.name:
        return visit.page("add.html", 409, problem=words.TRIED_TOO_LATE, written="")
    return _page(visit, going)


def go_on_adding(visit: Visit) -> Response:
    """Log in with what the provider gave, and go on to where the mail goes."""
    going = _going(visit, visit.field("draft"))
    if going is None or going.name or not going.sign_in.is_done:
        return visit.page("add.html", 409, problem=words.TRIED_TOO_LATE, written="")
    try:
        begun = adding.begun_with(visit, going.address, going.server, {"oauth": going.provider})
    except ConfigError as error:
        return _page(visit, going, error.problems)
    except FerryError as error:
        return _page(visit, going, [line for line in (error.message, error.server_words, error.cure) if line])
    visit.site.drafts.drop(visit.field("draft"))
    key = visit.site.drafts.keep(visit.form_token, begun)
    return visit.go_to(f"/add/places?draft={key}")
