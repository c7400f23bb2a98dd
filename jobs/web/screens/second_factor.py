"""One's own second factor: on with a code of it, off with the password."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.factor_store import drop_factor, factor_of, keep_factor
from jobs.web.screens.signing_in import signed_in
from jobs.web.second_factor import Proposal, proposal_from, proposed, recovery_hash, step_of
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said


def show(visit: Visit) -> Response:
    """Show whether it is on, or what to take it from."""
    return _page(visit, proposed())


def _page(visit: Visit, proposal: Proposal, code: int = 200, problem: str = "") -> Response:
    factor = factor_of(visit.site.store, visit.user.name)
    return visit.page("second_factor.html", code, factor=factor, proposal=proposal, problem=problem)


def begin(visit: Visit) -> Response:
    """Switch it on for somebody who gives a code of it and the password; all other sessions end."""
    user = visit.user
    proposal = proposal_from(visit.field("proposal"))
    if proposal is None:
        raise Refused(403, words.FORM_REFUSED)
    if problem := problem_of_own(visit, is_always=True):
        return _page(visit, proposal, 422, problem)
    step = step_of(proposal.secret, visit.field("code"), visit.site.clock(), 0)
    if step is None:
        return _page(visit, proposal, 422, words.WRONG_CODE)
    hashes = [recovery_hash(code) for code in proposal.recovery]
    keep_factor(visit.site.store, user.name, proposal.secret, step, hashes)
    visit.note("second factor on", user.name)
    return signed_in(visit, user, f"/second-factor?said={Said.FACTOR_ON}")


def end(visit: Visit) -> Response:
    """Switch it off for somebody who gives the password again."""
    if problem := problem_of_own(visit, is_always=True):
        return _page(visit, proposed(), 422, problem)
    drop_factor(visit.site.store, visit.user.name)
    visit.note("second factor off", visit.user.name)
    return visit.go_to("/second-factor", Said.FACTOR_OFF)
