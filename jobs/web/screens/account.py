"""One mailbox: its page, and the few things to do with it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from jobs.web.live.sources import unlike
from jobs.web.mailbox import mailbox_view
from jobs.web.visit import Visit, path_of_account
from jobs.web.wishes import policy_in_words
from jobs.web.words import Said
from migrator.config import Account
from migrator.operations.account_list import pause, resume
from migrator.wiring.account import label_of


def show(visit: Visit) -> Response:
    """Show a mailbox; what is older than its newest runs does not move."""
    account = visit.account(visit.request.path_params["name"])
    stamp = visit.site.streams.stamp  # before anything is read: what changes meanwhile is sent
    before = _moment(visit.query("before"))
    view = mailbox_view(visit.site, visit.user, account, before)
    return visit.page(
        "account.html",
        account=account,
        view=view,
        stamp=stamp if before is None else "",
        mark=unlike(view.findings),
        policy=policy_in_words(account.source.leave_on_server),
        places=[label_of(place) for place in account.destinations],
    )


def _moment(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None


def run_now(visit: Visit) -> Response:
    """Ask for a run at once, whatever back-off holds it."""
    account = visit.account(visit.request.path_params["name"])
    visit.note("run", account.name)
    visit.site.worker.try_now(account.name)
    return visit.go_to(path_of_account(account.name), Said.RUN_ASKED)


def stop_run(visit: Visit) -> Response:
    """Let the run that goes on end between two messages; the schedule goes on."""
    account = visit.account(visit.request.path_params["name"])
    was_running = visit.site.worker.stop_run(account.name)
    visit.note("stop", account.name, "done" if was_running else "was not running")
    return visit.go_to(path_of_account(account.name), Said.STOP_ASKED if was_running else Said.NOT_WORKED)


def pause_account(visit: Visit) -> Response:
    """Pause a mailbox, durably."""
    accounts = _chosen(visit)
    with visit.site.ledger() as ledger:
        pause(accounts, ledger, visit.site.clock())
    visit.site.worker.look_again()
    visit.note("pause", accounts[0].name)
    return visit.go_to(path_of_account(accounts[0].name), Said.PAUSED)


def resume_account(visit: Visit) -> Response:
    """Work a mailbox as usual again."""
    accounts = _chosen(visit)
    with visit.site.ledger() as ledger:
        resume(accounts, ledger)
    visit.site.worker.look_again()
    visit.note("resume", accounts[0].name)
    return visit.go_to(path_of_account(accounts[0].name), Said.RESUMED)


def _chosen(visit: Visit) -> Sequence[Account]:
    return [visit.account(visit.request.path_params["name"])]
