"""One's own passkeys: made, named, removed; and signing in with one.

The script of the page asks the browser for them. What it is to ask comes as JSON; what came of it is a form like any
other.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.origins import local_address
from jobs.web.passkey_store import (
    MOST_PASSKEYS,
    Passkey,
    handle_of,
    keep_passkey,
    passkey_with,
    passkeys_of,
    remove_passkey,
    rename_passkey,
    use_passkey,
)
from jobs.web.passkeys import (
    Signature,
    asking,
    challenge_of_new,
    is_installed,
    is_name,
    made,
    making,
    new_count,
    signature_in,
)
from jobs.web.people import User, problem_of_name
from jobs.web.screens.signing_in import door, signed_in
from jobs.web.user_store import is_once_over
from jobs.web.visit import TOKEN_FIELD, Refused, Visit
from jobs.web.words import Said

PATH = "/passkeys"


def show(visit: Visit) -> Response:
    """Show the own passkeys, and how another is made."""
    return _page(visit)


def _page(visit: Visit, code: int = 200, problem: str = "") -> Response:
    return visit.page(
        "passkeys.html",
        code,
        passkeys=passkeys_of(visit.site.store, visit.user.name),
        host=visit.host,
        is_installed=is_installed(),
        is_name=is_name(visit.host),
        problem=problem,
    )


def begin(visit: Visit) -> Response:
    """Say what the browser is to ask of an authenticator for a new passkey; wants the own password again."""
    must_be_possible(visit)
    known = passkeys_of(visit.site.store, visit.user.name)
    problem = problem_of_name(visit.field("name")) or problem_of_own(visit)
    if problem or len(known) >= MOST_PASSKEYS:
        return _json(json.dumps({"problem": str(problem or words.TOO_MANY_PASSKEYS)}), 422)
    challenge = visit.site.challenges.new(visit.form_token)
    handle = handle_of(visit.site.store, visit.user.name)
    return _json(making(visit.host, visit.user, handle, known, challenge))


def must_be_possible(visit: Visit) -> None:
    """Raise 404 where the page has no passkeys: the extra is missing, or it was opened by an address."""
    if not (is_installed() and is_name(visit.host)):
        raise Refused(404, words.NOT_FOUND)


def _json(written: str, code: int = 200) -> Response:
    return Response(written, code, media_type="application/json")


def add(visit: Visit) -> Response:
    """Keep the passkey that an authenticator has made."""
    must_be_possible(visit)
    user, name, answer = visit.user.name, visit.field("name"), visit.field("answer")
    if problem := problem_of_name(name) or problem_of_own(visit):
        return _page(visit, 422, problem)
    challenge = challenge_of_new(answer)
    if not visit.site.challenges.use(visit.form_token, challenge):
        return _page(visit, 422, words.PASSKEY_NOT_MADE)
    new = made(answer, visit.host, visit.netloc, challenge)
    if new is None:
        return _page(visit, 422, words.PASSKEY_NOT_MADE)
    handle, now = handle_of(visit.site.store, user), visit.site.clock()
    kept = Passkey(0, user, handle, new.credential, new.public_key, new.sign_count, visit.host, name, now, None)
    if not keep_passkey(visit.site.store, kept):
        return _page(visit, 422, words.PASSKEY_NOT_MADE)
    visit.note("passkey added", name)
    return visit.go_to(PATH, Said.PASSKEY_ADDED)


def rename(visit: Visit) -> Response:
    """Call a passkey by another name."""
    name = visit.field("name")
    if problem := problem_of_name(name):
        return _page(visit, 422, problem)
    before = _own(visit)
    rename_passkey(visit.site.store, visit.user.name, before.number, name)
    visit.note("passkey renamed", f"{before.name} → {name}")
    return visit.go_to(PATH, Said.PASSKEY_RENAMED)


def _own(visit: Visit) -> Passkey:
    number = visit.request.path_params["number"]
    for one in passkeys_of(visit.site.store, visit.user.name):
        if one.number == number:
            return one
    raise Refused(404, words.NOT_FOUND)


def remove(visit: Visit) -> Response:
    """Remove a passkey: it signs nobody in any more."""
    passkey = _own(visit)
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem)
    remove_passkey(visit.site.store, visit.user.name, passkey.number)
    visit.note("passkey removed", passkey.name)
    return visit.go_to(PATH, Said.PASSKEY_REMOVED)


def begin_sign_in(visit: Visit) -> Response:
    """Say what the browser is to ask of an authenticator for a sign-in."""
    return begin_signing(visit)


def begin_signing(visit: Visit) -> Response:
    """Say what the browser is to ask of an authenticator, with a challenge for the form that is being sent."""
    must_be_possible(visit)
    return _json(asking(visit.host, visit.site.challenges.new(visit.field(TOKEN_FIELD))))


def sign_in(visit: Visit) -> Response:
    """Let the owner of a passkey in; no code is asked for besides."""
    must_be_possible(visit)
    tries = f"passkeys from {visit.address}"  # nobody else is kept waiting
    if visit.site.limits.is_locked(visit.address, tries):
        raise Refused(429, words.TOO_MANY)
    user = owner_of_signature(visit, "passkey sign-in")
    if user is None:
        visit.site.limits.failed(visit.address, tries)
        return door(visit, 401, words.WRONG_PASSKEY, wanted=local_address(visit.field("next")))
    if is_once_over(visit.site.store, user.name, visit.site.clock()):
        visit.site.note(user.name, visit.address, "passkey sign-in", outcome="its time was over")
        raise Refused(403, words.ONCE_OVER)
    return signed_in(visit, user, local_address(visit.field("next")) or "/")


def owner_of_signature(visit: Visit, action: str, wanted: str = "") -> User | None:
    """Return whose passkey has signed, and note it as an action; None where anything about that is not right.

    ``wanted`` takes that user's passkeys alone.
    """
    store = visit.site.store
    signature = signature_in(visit.field("answer"))
    is_ours = signature is not None and visit.site.challenges.use(visit.field(TOKEN_FIELD), signature.challenge)
    passkey = passkey_with(store, signature.credential) if signature and is_ours else None
    known = store.user(passkey.user) if passkey else None
    is_right = (
        signature is not None
        and passkey is not None
        and wanted in {"", passkey.user}
        and _is_used(visit, signature, passkey)
    )
    user = known[0] if known and is_right else None
    name = wanted or (passkey.user if passkey else "")
    visit.site.note(name, visit.address, action, passkey.name if passkey else "", "done" if user else "refused")
    return user


def _is_used(visit: Visit, signature: Signature, passkey: Passkey) -> bool:
    count = new_count(signature, passkey, visit.host, visit.netloc)
    is_owner = passkey.handle == signature.handle
    return is_owner and count is not None and use_passkey(visit.site.store, passkey, count, visit.site.clock())
