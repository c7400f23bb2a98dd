"""What a program may do with an account: the same as the page does, and noted in the same audit."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web.api.asking import ApiRefused, Call, answered
from jobs.web.api.reading import job_as_json
from jobs.web.screens.jobs import file_of
from jobs.web.tasks.task_store import task_of
from jobs.web.tasks.verify import VERIFY
from migrator.operations.account_list import pause, paused_accounts, resume


def run_account(call: Call) -> Response:
    """Ask for a run at once, whatever back-off or park holds the account; the answer does not wait for it."""
    account = call.account()
    with call.site.ledger() as ledger:
        is_paused = account.name in paused_accounts(ledger)
    if is_paused:
        raise ApiRefused(409, "paused", f"{account.name} is paused: resume it first")
    call.note("run", account.name)
    call.site.worker.try_now(account.name)
    return answered({"account": account.name, "asked": "run"}, 202)


def stop_run(call: Call) -> Response:
    """Let the run of an account end between two messages; the answer does not wait for that."""
    account = call.account()
    was_running = call.site.worker.stop_run(account.name)
    call.note("stop", account.name, "done" if was_running else "was not running")
    return answered({"account": account.name, "stopping": was_running}, 202)


def pause_account(call: Call) -> Response:
    """Pause an account; durable when answered."""
    account = call.account()
    with call.site.ledger() as ledger:
        pause([account], ledger, call.site.clock())
    call.site.worker.look_again()
    call.note("pause", account.name)
    return answered({"account": account.name, "paused": True})


def resume_account(call: Call) -> Response:
    """Work an account as usual again; durable when answered."""
    account = call.account()
    with call.site.ledger() as ledger:
        resume([account], ledger)
    call.site.worker.look_again()
    call.note("resume", account.name)
    return answered({"account": account.name, "paused": False})


def verify(call: Call) -> Response:
    """Ask for every copy of an account, or of all, to be read again; the answer does not wait for it."""
    name = call.configured_account()
    number = call.site.tasks.ask(VERIFY, name, call.who)
    call.note("verify", name)
    return job_asked(call, number)


def job_asked(call: Call, number: int) -> Response:
    """Answer with a job that was asked for."""
    task = task_of(call.site.store, number)
    if task is None:
        raise ApiRefused(404, "not-found", f"there is no job {number}")
    return answered(job_as_json(task, call.site), 202)


def cancel_job(call: Call) -> Response:
    """End a job that waits or is being done; the answer does not wait for its end."""
    number = call.request.path_params["number"]
    task = task_of(call.site.store, number)
    if task is None:
        raise ApiRefused(404, "not-found", f"there is no job {number}")
    if not call.site.tasks.cancel(number, call.who):
        raise ApiRefused(409, "over", f"job {number} is over: {task.state}")
    call.note("cancel job", str(number))
    return job_asked(call, number)


def file_of_job(call: Call) -> Response:
    """Answer with the file that a job has left."""
    number = call.request.path_params["number"]
    answer = file_of(call.site, number)
    if answer is None:
        raise ApiRefused(404, "not-found", "this job has no file, not yet, or not any more")
    call.note("save file of job", str(number))
    return answer
