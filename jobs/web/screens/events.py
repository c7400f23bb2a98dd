"""What an open page hears while it is open: the way into its event stream."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web.live.sources import AccountSource, OverviewSource
from jobs.web.live.streams import EventResponse, Watcher
from jobs.web.visit import Visit


def listen(visit: Visit) -> Response:
    """Tell the overview's parts, or an account's, whenever one changes; it ends with the session, or the right."""
    site, user, language = visit.site, visit.user, visit.language
    secret = visit.request.cookies.get(site.cookie, "")
    name = visit.query("account")
    if name:
        visit.account(name)  # 404 for one that is not there, or not this user's to see

    def is_allowed() -> bool:
        session = site.store.session(secret, site.clock(), is_use=False)
        if session is None or session.user != user:
            return False
        return not name or any(account.name == name for account in site.accounts(user))

    whose = None if user.sees_everything else user.accounts
    since = visit.request.headers.get("last-event-id") or visit.query("since")
    watcher = Watcher(
        user.name,
        (name, whose, language.tag),
        (lambda: AccountSource(site, user, language, name)) if name else lambda: OverviewSource(site, user, language),
        is_allowed,
        site.streams.number_of(since),
    )
    return EventResponse(site.streams, watcher)
