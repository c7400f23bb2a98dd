"""Finding mail: one box, and what was found, page by page."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from jobs.web.engine_words import sentences
from jobs.web.seeing import visible_to
from jobs.web.visit import Visit
from migrator.errors import ConfigError
from migrator.operations.search import SearchPage, parse_query, remarks_on, search_page
from migrator.search.entries import Hit

HITS = 50
COUNTED = 1_000
"""Where more are found, it is only said that there are more."""
LONGEST_QUERY = 2_000


def show(visit: Visit) -> Response:
    """Show what a query finds of the mail that this user may see; without one, how to ask."""
    written = visit.query("q")[:LONGEST_QUERY]
    if not written.strip():
        return _page(visit, written)
    try:
        found, remarks = _found(visit, written), remarks_on(written)
    except ConfigError as error:
        return _page(
            visit,
            written,
            problem=sentences(*(problem.removeprefix("query: ") for problem in error.problems)),
            status=422,
        )
    return _page(visit, written, found=found, remarks=remarks)


def _found(visit: Visit, written: str) -> SearchPage:
    config = visit.site.worker.config()
    query = parse_query(written)
    with visit.site.ledger() as ledger:
        found = search_page(
            query,
            config,
            ledger,
            visible=visible_to(visit.user),
            cursor=visit.query("cursor"),
            limit=HITS,
            most=COUNTED,
        )
    if found.index.is_busy:
        visit.site.worker.index()
    return found


def _page(
    visit: Visit,
    written: str,
    *,
    found: SearchPage | None = None,
    remarks: list[str] | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    return visit.page(
        "search.html",
        status,
        q=written,
        found=found,
        rows=[] if found is None else [_row(hit) for hit in found.hits],
        remarks=remarks or [],
        problem=problem,
        is_first=not visit.query("cursor"),
        older=f"/search?{urlencode({'q': written, 'cursor': found.following})}" if found and found.following else "",
        give_back=f"/give-back?{urlencode({'q': written})}",
        newest=f"/search?{urlencode({'q': written})}",
    )


def _row(hit: Hit) -> dict[str, object]:
    return {
        "address": f"/messages/{hit.shown_id}",
        "identity": hit.digest.hex(),
        "date": hit.date,
        "sender": hit.sender,
        "subject": hit.subject,
        "accounts": ", ".join(hit.accounts),
        "octets": hit.octets,
        "problem": hit.problem,
    }
