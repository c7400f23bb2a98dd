"""What a program may read: the documents of the commands' ``--json``, a page at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import Response

from jobs.monitoring.stored_view import next_run, parked_accounts, worker_views
from jobs.schedule.live_progress import RunProgress
from jobs.web.api.asking import ApiRefused, Call, answered
from jobs.web.downloads import saved_stream, streamed
from jobs.web.site import Site
from jobs.web.tasks.task import Task, TaskFile
from jobs.web.tasks.task_store import newest_tasks, task_of
from migrator.config import Account
from migrator.findings.find import about
from migrator.ledger import Ledger
from migrator.ledger.history import RunRecord
from migrator.ledger.receipts import Filter
from migrator.operations.account_list import list_accounts
from migrator.operations.message import open_to_stream, reading_messages
from migrator.operations.receipts import newest_receipts, parse_digest, parse_since
from migrator.operations.search import parse_query, remarks_on, search_page
from migrator.operations.status import account_statuses
from migrator.operations.visible import EVERYTHING

LONGEST_QUERY = 2_000


def accounts(call: Call) -> Response:
    """Answer with every account: where it stands, as ``accounts`` and ``status`` say it."""
    with call.site.ledger() as ledger:
        return answered({"accounts": _accounts(call, call.site.worker.config().accounts, ledger)})


def one_account(call: Call) -> Response:
    """Answer with one account, and what was found of it."""
    account = call.account()
    with call.site.ledger() as ledger:
        [document] = _accounts(call, [account], ledger)
    found = about(call.site.worker.snapshot().findings, account.name)
    return answered({**document, "findings": [finding.as_json() for finding in found]})


def _accounts(call: Call, chosen: Sequence[Account], ledger: Ledger) -> list[dict[str, object]]:
    config = call.site.worker.config()
    workers = worker_views(config, ledger, chosen)
    listed = {one.name: one.as_json() for one in list_accounts(config, ledger, parked_accounts(ledger))}
    statuses = account_statuses(chosen, config.state_dir, ledger, workers, next_run(config))
    running = call.site.worker.progress()
    return [{**listed[one.name], **one.as_json(), **_progress(running.get(one.name))} for one in statuses]


def _progress(progress: RunProgress | None) -> dict[str, object]:
    return {"running": progress is not None, "progress": progress.as_json() if progress else None}


def findings(call: Call) -> Response:
    """Answer with what was found when the worker last looked."""
    return answered({"findings": [finding.as_json() for finding in call.site.worker.snapshot().findings]})


def runs(call: Call) -> Response:
    """Answer with a page of runs, newest first, of all accounts or of one."""
    names = [account.name for account in call.site.worker.config().accounts]
    wanted = [name] if (name := call.configured_account()) else names
    limit, before = call.limit, call.before
    with call.site.ledger() as ledger:
        found = ledger.history.runs_of_all(wanted, limit + 1, before)
    shown = found[:limit]
    following = str(shown[-1][0]) if len(found) > limit else None
    return answered({"runs": [_run(record) for _, record in shown], "cursor": following})


def _run(record: RunRecord) -> dict[str, object]:
    return {
        "account": record.account,
        "started": _moment(record.started_at),
        "ended": _moment(record.ended_at),
        "status": str(record.status) if record.status else None,
        "report": record.report,
    }


def receipts(call: Call) -> Response:
    """Answer with a page of receipts of deletions, newest first."""
    since = None if (since_when := call.given("since")) is None else parse_since(since_when, time.time())
    digests = None if (beginning := call.given("digest")) is None else parse_digest(beginning)
    account = (call.parameter("account"),) if call.parameter("account") else ()
    limit, before = call.limit, call.before
    with call.site.ledger() as ledger:
        wanted = Filter(account, since, None, digests)
        found = newest_receipts(call.site.worker.config(), ledger, wanted, limit + 1, before)
    shown = found[:limit]
    following = str(shown[-1].deletion.number) if len(found) > limit else None
    return answered({"receipts": [receipt.as_json() for receipt in shown], "cursor": following})


def search(call: Call) -> Response:
    """Answer with a page of what a query finds, newest first."""
    written = call.parameter("q")[:LONGEST_QUERY]
    query, limit = parse_query(written), call.limit
    with call.site.ledger() as ledger:
        config = call.site.worker.config()
        found = search_page(query, config, ledger, cursor=call.parameter("cursor"), limit=limit)
    if found.index.is_busy:
        call.site.worker.index()
    return answered({"query": written, "remarks": remarks_on(written), **found.as_json()})


def message(call: Call) -> Response:
    """Answer with one message: text, headers, attachments, where it came from, where its copies are."""
    site, identity = call.site, call.request.path_params["id"]
    with (
        site.ledger() as ledger,
        reading_messages(site.worker.config(), ledger, EVERYTHING) as reading,
        site.parsers.lent() as parser,
    ):
        view = reading.view(identity, parser)
    call.note("read-message", view.digest.hex())
    return answered(view.as_json())


def raw_message(call: Call) -> Response:
    """Answer with a message's bytes, those of its digest."""
    site, identity = call.site, call.request.path_params["id"]
    digest, body, stack = open_to_stream(identity, site.worker.config(), site.ledger(), EVERYTHING)
    call.note("save-message", digest.hex())
    return saved_stream(streamed(body, stack), body.octets, f"{digest.hex()[:20]}.eml")


def jobs(call: Call) -> Response:
    """Answer with a page of what was asked for and takes long, newest first."""
    limit = call.limit
    found = newest_tasks(call.site.store, limit + 1, call.before)
    shown = found[:limit]
    following = str(shown[-1].number) if len(found) > limit else None
    return answered({"jobs": [job_as_json(task, call.site) for task in shown], "cursor": following})


def one_job(call: Call) -> Response:
    """Answer with one job."""
    number = call.request.path_params["number"]
    task = task_of(call.site.store, number)
    if task is None:
        raise ApiRefused(404, "not-found", f"there is no job {number}")
    return answered(job_as_json(task, call.site))


def job_as_json(task: Task, site: Site) -> dict[str, object]:
    """Return the object of one job; times are null for not yet."""
    progress = site.tasks.progress(task.number)
    return {
        "number": task.number,
        "kind": task.kind,
        "account": task.subject or None,
        "state": str(task.state),
        "asked_by": task.asked_by,
        "asked": _moment(task.asked_at),
        "begun": _moment(task.begun_at),
        "ended": _moment(task.ended_at),
        "progress": None if progress is None else {"done": progress.done, "total": progress.total},
        "result": task.result or None,
        "cancelled_by": task.cancelled_by or None,
        "file": None if task.file is None else _file(task.file),
    }


def _file(file: TaskFile) -> dict[str, object]:
    return {"name": file.name, "octets": file.octets, "until": _moment(file.until)}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
