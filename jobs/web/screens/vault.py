"""Passwords that were typed into this page: whose, set when and by whom, where their key is, and the recovery key.

None is ever shown. A recovery key is shown once, on the page that follows the form which made it.
"""

from __future__ import annotations

from starlette.responses import Response

from jobs.web.again import problem_of_own
from jobs.web.visit import Visit
from jobs.web.words import Said
from migrator.config.vault import vault_of
from migrator.errors import FerryError


def show(visit: Visit) -> Response:
    """Show what is kept."""
    return _page(visit, fresh=visit.site.once.take(f"recovery {visit.form_token}"))


def _page(visit: Visit, status: int = 200, *, fresh: str = "", problem: str = "") -> Response:
    vault = vault_of(visit.site.worker.config())
    content, key, trouble = None, None, None
    try:
        content = vault.content()
        key = vault.master()
    except FerryError as error:
        trouble = error
    return visit.page(
        "vault.html",
        status,
        kept=sorted(content.entries.items()) if content else [],
        content=content,
        key=key,
        trouble=trouble,
        fresh=fresh,
        problem=problem,
    )


def make_recovery_key(visit: Visit) -> Response:
    """Make a recovery key, in place of one before; the page that follows shows it. Wants one's own password again."""
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem=problem)
    key = vault_of(visit.site.worker.config()).new_recovery_key(visit.site.clock())
    visit.site.once.keep(f"recovery {visit.form_token}", key)
    visit.note("recovery key made")
    return visit.go_to("/vault", Said.RECOVERY_MADE)
