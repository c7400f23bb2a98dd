"""Care: what is wrong or will be, a thorough look, verification, and who did what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from starlette.responses import Response, StreamingResponse

from jobs.web.again import problem_of_own
from jobs.web.store import AuditEntry
from jobs.web.tasks.back_up import BACK_UP
from jobs.web.tasks.examine import EXAMINE
from jobs.web.tasks.verify import VERIFY
from jobs.web.visit import Visit
from jobs.web.words import Said
from migrator import __version__
from migrator.ui import sanitize

AUDIT = 100
_CHUNK = 500


def show(visit: Visit) -> Response:
    """Show how the whole installation is."""
    return _page(visit)


def _page(visit: Visit, code: int = 200, problem: str = "") -> Response:
    snapshot, config = visit.site.worker.snapshot(), visit.site.worker.config()
    return visit.page(
        "care.html",
        code,
        problem=problem,
        findings=snapshot.findings,
        faults=snapshot.faults,
        examined=visit.site.tasks.examined,
        accounts=config.accounts,
        version=__version__,
        started_at=snapshot.started_at,
        state_dir=config.state_dir,
        files=config.files,
    )


def examine(visit: Visit) -> Response:
    """Ask for a thorough look."""
    visit.site.tasks.ask(EXAMINE, "", visit.user.name)
    visit.note("examine")
    return visit.go_to("/jobs", Said.TASK_ASKED)


def verify(visit: Visit) -> Response:
    """Ask for every copy of an account, or of all, to be read again."""
    name = visit.field("account")
    if name:
        visit.account(name)
    visit.site.tasks.ask(VERIFY, name, visit.user.name)
    visit.note("verify", name)
    return visit.go_to("/jobs", Said.TASK_ASKED)


def back_up(visit: Visit) -> Response:
    """Ask for a backup of the settings, to be saved; wants one's own password again."""
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem)
    visit.site.tasks.ask(BACK_UP, "", visit.user.name)
    visit.note("back up settings")
    return visit.go_to("/jobs", Said.TASK_ASKED)


def audit(visit: Visit) -> Response:
    """Show who did what, newest first."""
    entries = visit.site.store.audit(AUDIT + 1, visit.number("before"))
    older = entries[AUDIT - 1].number if len(entries) > AUDIT else None
    return visit.page("audit.html", entries=entries[:AUDIT], older=older)


def audit_as_csv(visit: Visit) -> Response:
    """Send the whole audit as a table, newest first."""
    visit.note("export audit")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(_rows(visit), media_type="text/csv; charset=utf-8", headers=headers)


def _rows(visit: Visit) -> Iterator[str]:
    yield _row(["at", "user", "address", "action", "subject", "outcome"])
    before: int | None = None
    while entries := visit.site.store.audit(_CHUNK, before):
        yield "".join(_row(_cells(entry)) for entry in entries)
        before = entries[-1].number


def _cells(entry: AuditEntry) -> list[str]:
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds")
    said = (entry.user, entry.address, entry.action, entry.subject, entry.outcome)
    return [at, *map(sanitize.spreadsheet_cell, said)]


def _row(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
