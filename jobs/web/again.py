"""One's own password, asked for again before anything dangerous, unless it was given within the last half hour.

Every dangerous form shows ``parts.own(visit)``, and its screen asks ``problem_of_own``: here is the only place that
knows when the password is wanted.
"""

from __future__ import annotations

from jobs.web import words
from jobs.web.hashing import is_right
from jobs.web.visit import Refused, Visit


def problem_of_own(visit: Visit, *, is_always: bool = False) -> str:
    """Say why somebody may not go on: the own password is wanted (field ``own``) or wrong. Empty where all is well.

    ``is_always`` wants it however short a time ago it was given. One that was given is always looked at; the right one
    is remembered for the session (``visit.OWN_SECONDS``). Wrong ones are counted as at the sign-in.
    """
    own = visit.field("own")
    if not own and not is_always and not visit.wants_own:
        return ""
    if not own:
        return words.OWN_WANTED
    site, name = visit.site, visit.user.name
    if site.limits.is_locked(visit.address, name):
        raise Refused(429, words.TOO_MANY)
    known = site.store.user(name)
    if known is not None and is_right(known[1], own):
        site.store.confirm(visit.request.cookies.get(site.cookie, ""), site.clock())
        return ""
    site.limits.failed(visit.address, name)
    visit.note("password again", name, "refused")
    return words.WRONG_OWN
