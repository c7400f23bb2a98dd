"""Jobs: what was asked for, how far it is, what came of it, and the file that it left."""

from __future__ import annotations

from starlette.responses import FileResponse, Response

from jobs.web import words
from jobs.web.downloads import NEVER_OPENED, disposition
from jobs.web.language import gettext_lazy as _
from jobs.web.site import Site
from jobs.web.tasks.files import folder_of
from jobs.web.tasks.task import TaskState
from jobs.web.tasks.task_store import newest_tasks, task_of
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said

TASKS = 50

STATES = {
    TaskState.QUEUED: _("waits for its turn"),
    TaskState.RUNNING: _("is being done"),
    TaskState.DONE: _("done"),
    TaskState.FAILED: _("failed"),
    TaskState.INTERRUPTED: _("interrupted when mailferry ended; ask again"),
    TaskState.CANCELLED: _("cancelled"),
}


def show(visit: Visit) -> Response:
    """Show what was asked for, newest first, and what came of it."""
    found = newest_tasks(visit.site.store, TASKS + 1, visit.number("before"))
    return visit.page(
        "jobs.html",
        tasks=found[:TASKS],
        older=found[TASKS - 1].number if len(found) > TASKS else None,
        kinds=visit.site.tasks.kinds,
        states=STATES,
        progress=visit.site.tasks.progress,
        now=visit.site.clock(),
    )


def cancel(visit: Visit) -> Response:
    """End a job that waits or is being done; what it has finished stays finished."""
    number = visit.request.path_params["number"]
    if task_of(visit.site.store, number) is None:
        raise Refused(404, words.NOT_FOUND)
    is_ended = visit.site.tasks.cancel(number, visit.user.name)
    visit.note("cancel job", str(number), "done" if is_ended else "was over")
    return visit.go_to("/jobs", Said.TASK_CANCELLED if is_ended else Said.TASK_OVER)


def save(visit: Visit) -> Response:
    """Answer with the file that a job has left."""
    number = visit.request.path_params["number"]
    answer = file_of(visit.site, number)
    if answer is None:
        raise Refused(404, words.NOT_FOUND)
    visit.note("save file of job", str(number))
    return answer


def file_of(site: Site, number: int) -> Response | None:
    """Return the file of a job as an answer, None where it is not there (yet, or any more)."""
    task = task_of(site.store, number)
    if task is None or task.file is None or task.file.until <= site.clock():
        return None
    path = folder_of(number, site.worker.config()) / task.file.name
    if not path.is_file():
        return None
    return FileResponse(path, headers={**NEVER_OPENED, "Content-Disposition": disposition(task.file.name)})
