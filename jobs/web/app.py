"""Which address is answered by what."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from jobs.web import words
from jobs.web.answering import Screen, refused_in_words, screen
from jobs.web.api.asking import PREFIX, no_operation
from jobs.web.api.routes import api_routes
from jobs.web.assets import asset_routes
from jobs.web.guard import Guard
from jobs.web.path_numbers import bound_path_numbers
from jobs.web.people import Right
from jobs.web.screens import (
    account,
    adding,
    again,
    care,
    cures,
    edit_user,
    events,
    giving_back,
    jobs,
    language,
    leaving,
    message,
    needs_a_look,
    openid,
    overview,
    passkeys,
    provider_sign_in,
    receipts,
    search,
    second_factor,
    settings,
    signing_in,
    tell_me,
    tokens,
    users,
    vault,
)
from jobs.web.site import Site
from jobs.web.visit import Refused, Visit

SCREENS: Sequence[tuple[str, str, Screen, Right | None]] = (
    ("GET", "/setup", signing_in.setup_page, None),
    ("POST", "/setup", signing_in.set_up, None),
    ("GET", "/sign-in", signing_in.sign_in_page, None),
    ("POST", "/sign-in", signing_in.sign_in, None),
    ("POST", "/sign-in/passkey/begin", passkeys.begin_sign_in, None),
    ("POST", "/sign-in/passkey", passkeys.sign_in, None),
    ("POST", "/sign-in/openid", openid.begin_sign_in, None),
    ("GET", "/sign-in/openid", openid.answer, None),
    ("GET", "/connect", openid.show_invitation, None),
    ("POST", "/sign-out", signing_in.sign_out, Right.LOOK),
    ("GET", "/", overview.show, Right.LOOK),
    ("GET", "/add", adding.show, Right.OPERATE),
    ("POST", "/add", adding.log_in, Right.OPERATE),
    ("POST", "/add/sign-in", provider_sign_in.begin_adding, Right.OPERATE),
    ("GET", "/add/sign-in", provider_sign_in.show_adding, Right.OPERATE),
    ("POST", "/add/signed-in", provider_sign_in.go_on_adding, Right.OPERATE),
    ("POST", "/sign-in-answer", provider_sign_in.answer, Right.OPERATE),
    ("GET", "/add/places", adding.show_places, Right.OPERATE),
    ("POST", "/add/places", adding.add, Right.OPERATE),
    ("GET", "/accounts/{name}", account.show, Right.LOOK),
    ("GET", "/accounts/{name}/sign-in", provider_sign_in.show, Right.OPERATE),
    ("POST", "/accounts/{name}/sign-in", provider_sign_in.begin, Right.OPERATE),
    ("GET", "/accounts/{name}/settings", settings.show, Right.AUDIT),
    ("POST", "/accounts/{name}/settings", settings.change, Right.OPERATE),
    ("GET", "/accounts/{name}/settings/review", settings.review, Right.OPERATE),
    ("POST", "/accounts/{name}/settings/save", settings.save, Right.OPERATE),
    ("POST", "/accounts/{name}/run", account.run_now, Right.OPERATE),
    ("POST", "/accounts/{name}/stop", account.stop_run, Right.OPERATE),
    ("POST", "/accounts/{name}/pause", account.pause_account, Right.OPERATE),
    ("POST", "/accounts/{name}/resume", account.resume_account, Right.OPERATE),
    ("POST", "/cures", cures.cure, Right.OPERATE),
    ("GET", "/accounts/{name}/leave", leaving.show, Right.LOOK),
    ("POST", "/accounts/{name}/leave", leaving.delete_rest, Right.OPERATE),
    ("GET", "/accounts/{name}/leave/report", leaving.report, Right.LOOK),
    ("GET", "/needs-a-look", needs_a_look.show, Right.LOOK),
    ("GET", "/needs-a-look/{name}/{row:int}", needs_a_look.show_both, Right.LOOK),
    ("POST", "/needs-a-look", needs_a_look.decide, Right.OPERATE),
    ("GET", "/receipts", receipts.show, Right.LOOK),
    ("GET", "/receipts/{number:int}", receipts.show_one, Right.LOOK),
    ("GET", "/receipts.csv", receipts.as_csv, Right.LOOK),
    ("GET", "/receipts.json", receipts.as_json, Right.LOOK),
    ("GET", "/care", care.show, Right.AUDIT),
    ("POST", "/care/examine", care.examine, Right.OPERATE),
    ("POST", "/care/verify", care.verify, Right.OPERATE),
    ("POST", "/care/back-up", care.back_up, Right.OPERATE),
    ("GET", "/jobs", jobs.show, Right.AUDIT),
    ("POST", "/jobs/{number:int}/cancel", jobs.cancel, Right.OPERATE),
    ("GET", "/jobs/{number:int}/file", jobs.save, Right.OPERATE),
    ("GET", "/audit", care.audit, Right.AUDIT),
    ("GET", "/audit.csv", care.audit_as_csv, Right.AUDIT),
    ("GET", "/tell-me", tell_me.show, Right.AUDIT),
    ("POST", "/tell-me", tell_me.save, Right.OPERATE),
    ("POST", "/tell-me/alarm", tell_me.save_alarm, Right.OPERATE),
    ("POST", "/tell-me/test", tell_me.send_test, Right.OPERATE),
    ("GET", "/users", users.show, Right.OPERATE),
    ("POST", "/users", users.add, Right.OPERATE),
    ("GET", "/users/edit", edit_user.show, Right.OPERATE),
    ("POST", "/users/edit", edit_user.change, Right.OPERATE),
    ("POST", "/users/one-time-password", edit_user.give_password, Right.OPERATE),
    ("POST", "/users/sign-out", edit_user.sign_out_everywhere, Right.OPERATE),
    ("POST", "/users/invitation", edit_user.make_invitation, Right.OPERATE),
    ("POST", "/users/disconnect", edit_user.disconnect, Right.OPERATE),
    ("POST", "/users/remove", users.remove, Right.OPERATE),
    ("GET", "/password", users.password_page, Right.LOOK),
    ("POST", "/password", users.change_password, Right.LOOK),
    ("GET", "/language", language.show, Right.LOOK),
    ("POST", "/language", language.choose, Right.LOOK),
    ("GET", "/second-factor", second_factor.show, Right.LOOK),
    ("POST", "/second-factor", second_factor.begin, Right.LOOK),
    ("POST", "/second-factor/off", second_factor.end, Right.LOOK),
    ("GET", "/again", again.show, Right.LOOK),
    ("POST", "/again", again.by_password, Right.LOOK),
    ("POST", "/again/passkey/begin", again.begin_by_passkey, Right.LOOK),
    ("POST", "/again/passkey", again.by_passkey, Right.LOOK),
    ("POST", "/again/openid", again.by_openid, Right.LOOK),
    ("GET", "/identity", openid.show, Right.LOOK),
    ("POST", "/identity", openid.connect, Right.LOOK),
    ("POST", "/identity/begin", openid.begin_connecting, Right.LOOK),
    ("POST", "/identity/remove", openid.disconnect, Right.LOOK),
    ("GET", "/passkeys", passkeys.show, Right.LOOK),
    ("POST", "/passkeys", passkeys.add, Right.LOOK),
    ("POST", "/passkeys/begin", passkeys.begin, Right.LOOK),
    ("POST", "/passkeys/{number:int}/name", passkeys.rename, Right.LOOK),
    ("POST", "/passkeys/{number:int}/remove", passkeys.remove, Right.LOOK),
    ("GET", "/tokens", tokens.show, Right.OPERATE),
    ("POST", "/tokens", tokens.make, Right.OPERATE),
    ("POST", "/tokens/{number:int}/end", tokens.revoke, Right.OPERATE),
    ("GET", "/vault", vault.show, Right.AUDIT),
    ("POST", "/vault/recovery-key", vault.make_recovery_key, Right.OPERATE),
    ("GET", "/give-back", giving_back.page, Right.OPERATE),
    ("POST", "/exports", giving_back.export, Right.OPERATE),
    ("POST", "/restores", giving_back.restore, Right.OPERATE),
    ("GET", "/search", search.show, Right.LOOK),
    ("GET", "/messages/{id}", message.show, Right.LOOK),
    ("GET", "/messages/{id}/layout", message.show_layout, Right.LOOK),
    ("GET", "/messages/{id}/raw", message.save_raw, Right.LOOK),
    ("GET", "/messages/{id}/attachments/{number:int}", message.save_attachment, Right.LOOK),
)
"""Method, path, what answers, and the right that it needs; None lets strangers in."""


def application(site: Site) -> ASGIApp:
    """Return the page of a worker."""
    bound_path_numbers()
    routes: list[BaseRoute] = [
        screen(site, path, answer, needs=needs, methods=[method]) for method, path, answer, needs in SCREENS
    ]
    routes.append(screen(site, "/events", events.listen, needs=Right.LOOK))
    routes += [*asset_routes(), *api_routes(site)]

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if request.url.path.startswith(PREFIX):
            answer = no_operation(status)
        else:
            said = {404: words.NOT_FOUND, 405: words.NOT_THIS_WAY}.get(status, words.BROKEN)
            answer = await refused_in_words(Visit(request, site), Refused(status, said))
        # What an address knows instead of the method that was tried (RFC 9110, section 15.5.6).
        answer.headers.update((error.headers if isinstance(error, HTTPException) else None) or {})
        return answer

    inner = Starlette(routes=routes, exception_handlers={HTTPException: refused})
    # A path that ends in a slash is no other path: nobody is redirected to what a stranger wrote.
    inner.router.redirect_slashes = False
    return Guard(inner, lambda: _names(site))


def _names(site: Site) -> Sequence[str]:
    web = site.worker.config().web
    return web.names if web else ()
