"""One user, as an administrator changes it: role and mailboxes, a password for once, an end of all sessions."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.factor_store import drop_factor
from jobs.web.hashing import hashed
from jobs.web.identity_store import disconnect_identities, identity_of, invite
from jobs.web.passkey_store import drop_passkeys
from jobs.web.people import Role, User
from jobs.web.screens.openid import provider_of
from jobs.web.screens.users import role_of_form
from jobs.web.user_store import KnownUser, change_role, end_sessions, known_users
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said

ONCE_SECONDS = 3 * 86400.0
"""How long a password that was given for once is good, or a link to connect an account."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others."""


def show(visit: Visit) -> Response:
    """Show a user, and what can be changed; a password or link that was just made is shown, once."""
    known = _known(visit, visit.query("name"))
    once, place = visit.site.once, _place(visit, known)
    return _page(visit, known, fresh=once.take(place), link=once.take(f"{place} link"))


def _known(visit: Visit, name: str) -> KnownUser:
    for one in known_users(visit.site.store, visit.site.clock()):
        if one.user.name == name:
            return one
    raise Refused(404, words.NOT_FOUND)


def _place(visit: Visit, known: KnownUser) -> str:
    """Return where a password of this user waits for the page that shows it."""
    return f"{visit.form_token} {known.user.name}"


def _other(visit: Visit) -> KnownUser:
    """Return the user of a form, who must not be the one that sends it."""
    known = _known(visit, visit.field("name"))
    if known.user.name == visit.user.name:
        raise Refused(422, words.NOT_YOURSELF)
    return known


def _page(
    visit: Visit,
    known: KnownUser,
    code: int = 200,
    *,
    problem: str = "",
    filled: User | None = None,
    fresh: str = "",
    link: str = "",
) -> Response:
    provider = visit.site.openid()
    return visit.page(
        "edit_user.html",
        code,
        known=known,
        filled=filled or known.user,
        names=[account.name for account in visit.site.worker.config().accounts],
        roles=list(Role),
        problem=problem,
        fresh=fresh,
        link=link,
        provider=provider,
        identity=identity_of(visit.site.store, known.user.name, provider.settings.issuer) if provider else None,
    )


def change(visit: Visit) -> Response:
    """Change role and mailboxes; it holds at once."""
    known = _other(visit)
    user, problem = role_of_form(visit)
    if problem := problem or problem_of_own(visit):
        return _page(visit, known, 422, problem=problem, filled=user)
    if not change_role(visit.site.store, user):
        return _page(visit, known, 422, problem=words.LAST_ADMINISTRATOR, filled=user)
    visit.note("change user", user.name, f"{user.role} {' '.join(sorted(user.accounts))}".rstrip())
    return _back(visit, user.name, Said.USER_CHANGED)


def give_password(visit: Visit) -> Response:
    """Make a password that is good for one sign-in, at which another is chosen; shown on the page that follows."""
    known = _other(visit)
    if problem := problem_of_own(visit):
        return _page(visit, known, 422, problem=problem)
    store, password = visit.site.store, _new_password()
    store.change_password(known.user.name, hashed(password), once_until=visit.site.clock() + ONCE_SECONDS)
    if visit.field("factor"):
        drop_factor(store, known.user.name)
        visit.note("second factor taken away", known.user.name)
    if visit.field("passkeys") and drop_passkeys(store, known.user.name):
        visit.note("passkeys taken away", known.user.name)
    visit.note("password for once", known.user.name)
    visit.site.once.keep(_place(visit, known), password)
    return _back(visit, known.user.name, Said.PASSWORD_GIVEN)


def _new_password() -> str:
    """Return four groups of four letters and digits: 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def make_invitation(visit: Visit) -> Response:
    """Make a link by which a user connects an account at the sign-in provider; shown on the page that follows."""
    known = _known(visit, visit.field("name"))
    provider_of(visit)
    if problem := problem_of_own(visit):
        return _page(visit, known, 422, problem=problem)
    secret = secrets.token_urlsafe(32)
    invite(visit.site.store, known.user.name, secret, visit.site.clock() + ONCE_SECONDS)
    visit.note("invitation made", known.user.name)
    address = f"{visit.origin}/connect?{urlencode({'token': secret})}"
    visit.site.once.keep(f"{_place(visit, known)} link", address)
    return _back(visit, known.user.name, Said.INVITATION_MADE)


def disconnect(visit: Visit) -> Response:
    """Have no account at the sign-in provider sign a user in any more; a link that was made is good no more."""
    known = _known(visit, visit.field("name"))
    if problem := problem_of_own(visit):
        return _page(visit, known, 422, problem=problem)
    disconnect_identities(visit.site.store, known.user.name)
    visit.note("identity disconnected", known.user.name)
    return _back(visit, known.user.name, Said.IDENTITY_DISCONNECTED)


def sign_out_everywhere(visit: Visit) -> Response:
    """End every session of a user, one's own included."""
    known = _known(visit, visit.field("name"))
    if problem := problem_of_own(visit):
        return _page(visit, known, 422, problem=problem)
    end_sessions(visit.site.store, known.user.name)
    visit.note("sign out everywhere", known.user.name)
    return _back(visit, known.user.name, Said.SESSIONS_ENDED)


def _back(visit: Visit, name: str, said: Said) -> Response:
    return visit.go_to(f"/users/edit?{urlencode({'name': name})}", said)
