from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role
from jobs.web.screens.jobs import TASKS
from jobs.web.tasks.task import Progress, TaskState
from jobs.web.tasks.task_store import add_task, begin_task, task_of
from tests.unit.jobs.web.office import Office, office

WAITS = "a kind that this program does not know"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def waiting(here: Office, count: int = 1) -> int:
    """Let so many jobs wait that nobody begins; returns the number of the last."""
    return [add_task(here.site.store, WAITS, "alice", str(number), "ann", 1.0) for number in range(count)][-1]


def test_a_job_that_waits_is_cancelled_with_one_button(here: Office) -> None:
    number = waiting(here)
    browser = here.signed_in()
    page = browser.get("/jobs")
    assert "waits for its turn" in page.text
    answer = browser.send(page.form(f"/jobs/{number}/cancel"))
    assert (answer.status, answer.location) == (303, "/jobs?said=task-cancelled")
    page = browser.follow(answer)
    assert "cancelled by ann" in page.text
    assert [form.action for form in page.forms()] == ["/sign-out"]
    assert here.site.store.audit(1)[0].action == "cancel job"


def test_a_job_that_is_over_is_said_to_be(here: Office) -> None:
    number = waiting(here)
    browser = here.signed_in()
    form = browser.get("/jobs").form(f"/jobs/{number}/cancel")
    here.site.tasks.cancel(number, "bob")
    assert browser.send(form).location == "/jobs?said=task-over"
    task = task_of(here.site.store, number)
    assert task is not None
    assert task.cancelled_by == "bob"


def test_how_far_a_job_is_stands_beside_it(here: Office) -> None:
    number = waiting(here)
    begin_task(here.site.store, [WAITS], 2.0)
    here.site.tasks.underway.note_progress(number, Progress(1200, 5000))
    browser = here.signed_in()
    page = browser.get("/jobs").text
    assert '<progress value="1200" max="5000" aria-label="How far it is"></progress>' in page
    assert "1,200 of 5,000" in page
    here.site.tasks.underway.note_progress(number, Progress(1300))
    assert "1,300 so far" in browser.get("/jobs").text
    browser.send(browser.get("/jobs").form(f"/jobs/{number}/cancel"))
    page = browser.get("/jobs").text
    assert "it will end soon: cancelled by ann" in page
    assert here.site.tasks.underway.is_cancelled(number)


def test_jobs_come_in_pages(here: Office) -> None:
    last = waiting(here, TASKS + 3)
    browser = here.signed_in()
    page = browser.get("/jobs").text
    older = last - TASKS + 1
    assert f'href="/jobs?before={older}"' in page
    assert browser.get(f"/jobs?before={older}").text.count('<tr id="job-') == 3
    assert browser.get("/jobs?before=x").status == 400


def test_what_is_not_there_is_not_cancelled(here: Office) -> None:
    browser = here.signed_in()
    token = browser.get("/").form("/sign-out").fields
    assert browser.post("/jobs/7/cancel", token).status == 404
    assert browser.get("/jobs/7/file").status == 404


def test_an_auditor_sees_jobs_and_ends_none(here: Office) -> None:
    number = waiting(here)
    browser = here.signed_in("otto", Role.AUDITOR)
    page = browser.get("/jobs")
    assert [form.action for form in page.forms()] == ["/sign-out"]
    assert browser.post(f"/jobs/{number}/cancel", page.form("/sign-out").fields).status == 403
    task = task_of(here.site.store, number)
    assert task is not None
    assert task.state is TaskState.QUEUED
