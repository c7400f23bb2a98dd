"""Where everything stands, for one user: each mailbox, the light and the sentence of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from jobs.disk_usage import Disk
from jobs.monitoring.snapshot import Snapshot
from jobs.monitoring.stored_view import next_run, worker_view, worker_views
from jobs.schedule.live_progress import RunProgress
from jobs.web.language import gettext as _, ngettext
from jobs.web.people import User
from jobs.web.run_days import Strip
from jobs.web.site import Site
from migrator.config.many_accounts import names_of
from migrator.findings.model import Finding, Severity
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger import Ledger
from migrator.ledger.history import AccountNumbers, RunRecord
from migrator.operations.account_list import paused_accounts
from migrator.operations.status import WorkerView, due_at
from migrator.report import Status, StoppedBy


class Light(StrEnum):
    """The colour of the first page; a word stands beside it."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one mailbox stands. ``numbers`` and ``last_run`` are None before the first run.

    ``as_of`` is when its server last showed what it holds, None while it never did.
    """

    name: str
    numbers: AccountNumbers | None
    last_run: RunRecord | None
    as_of: float | None
    next_run: float | None
    worker: WorkerView
    progress: RunProgress | None
    """Of the run that goes on, None where none does."""
    is_paused: bool
    severity: Severity | None = None
    strip: Strip | None = None
    """How its last days went."""

    @property
    def needs_a_look(self) -> int:
        """How many of its messages a person should look at."""
        return self.numbers.failed if self.numbers else 0

    @property
    def state(self) -> str:
        """What it does now, in a word or two."""
        if self.progress is not None:
            return _("stopping") if self.progress.is_stopping else _("working now")
        if self.is_paused:
            return _("paused")
        if self.worker.is_parked:
            return _("waits for a password")
        if self.last_run is None:
            return _("no run so far")
        return run_in_words(self.last_run)


def run_in_words(run: RunRecord) -> str:
    """Say how a run ended."""
    if run.stopped_by is StoppedBy.PERSON:
        return _("stopped by a person")
    if run.stopped_by is StoppedBy.SYSTEM:
        return _("broken off when mailferry ended")
    match run.status:
        case Status.OK:
            return _("all done")
        case Status.PARTIAL:
            return _("not everything was done")
        case Status.FAILED:
            return _("failed")
        case None:
            return _("still going on, or broken off")


def standings(site: Site, ledger: Ledger, user: User, snapshot: Snapshot) -> list[Standing]:
    """Return where each mailbox stands that a user may see."""
    accounts = site.accounts(user)
    paused, due = paused_accounts(ledger), next_run(site.worker.config())
    views = {view.name: view for view in snapshot.accounts}
    workers = {name: worker_view(view.state, view.damaged, view.verified_at) for name, view in views.items()}
    workers |= worker_views(site.worker.config(), ledger, [one for one in accounts if one.name not in views])
    severities = worst_by_account(visible_findings(snapshot.findings, user))
    names = list(names_of(accounts))
    runs, listed = ledger.overview.newest_runs(), ledger.overview.newest_listed(names)
    numbers = ledger.history.numbers_of([name for name in names if name not in views])
    strip = site.days.strips(ledger)
    found = []
    for account in accounts:
        view = views.get(account.name)
        last = runs.get(account.name)
        found.append(
            Standing(
                account.name,
                view.numbers if view else numbers[account.name],
                last,
                listed.get(account.name),
                None if last is None or account.name in paused else due_at(account, last, workers[account.name], due),
                workers[account.name],
                view.progress if view else None,
                account.name in paused,
                severities.get(account.name),
                strip(account.name),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page of one user. What concerns the worker itself is there for those who see everything."""

    light: Light
    sentence: str
    mailboxes: Sequence[Standing]
    findings: Sequence[Finding]
    faults: Sequence[str]
    refused: str
    disks: Sequence[Disk]
    now: float


def overview_of(site: Site, user: User) -> Overview:
    """Return how everything is that a user may see."""
    snapshot = site.worker.snapshot()
    findings, is_whole = visible_findings(snapshot.findings, user), user.sees_everything
    with site.ledger() as ledger:
        mailboxes = standings(site, ledger, user, snapshot)
    faults = snapshot.faults if is_whole else ()
    light, sentence = verdict(mailboxes, findings, faults, has_looked=snapshot.looked_at > 0)
    return Overview(
        light,
        sentence,
        mailboxes,
        findings,
        faults,
        snapshot.refused_configuration if is_whole else "",
        snapshot.disks if is_whole else (),
        snapshot.now,
    )


def visible_findings(findings: Sequence[Finding], user: User) -> list[Finding]:
    """Return what a user may hear of, with no word of accounts that are hidden from this user.

    What concerns the whole installation is for those who see everything.
    """
    if user.sees_everything:
        return list(findings)
    found = []
    for finding in findings:
        seen = tuple(user.visible(finding.accounts))
        hidden = [name for name in finding.accounts if name not in seen]
        if seen and not any(name in f"{finding.text} {finding.cure.text}" for name in hidden):
            cure = replace(finding.cure, command=None, settings=()) if hidden else finding.cure
            found.append(replace(finding, accounts=seen, cure=cure))
    return found


def worst_by_account(findings: Sequence[Finding]) -> Mapping[str, Severity]:
    """Return the severity of the worst that is known of each account."""
    order = list(Severity)
    worst: dict[str, Severity] = {}
    for finding in findings:
        for name in finding.accounts:
            worst[name] = min(worst.get(name, finding.severity), finding.severity, key=order.index)
    return worst


def verdict(
    accounts: Sequence[Standing], findings: Sequence[Finding], faults: Sequence[str] = (), *, has_looked: bool = True
) -> tuple[Light, str]:
    """Return the light and the one sentence: the worst that is true of these accounts."""
    broken = sum(finding.severity is Severity.BROKEN for finding in findings) + len(faults)
    soon = sum(finding.severity is Severity.SOON for finding in findings)
    if broken:
        return Light.BAD, ngettext(
            "One problem keeps mail from moving, or from being safe, until you act.",
            "%(number)d problems keep mail from moving, or from being safe, until you act.",
            broken,
        ) % {"number": broken}
    if soon:
        return Light.WARN, ngettext(
            "Mail is moving; one thing will need you soon.",
            "Mail is moving; %(number)d things will need you soon.",
            soon,
        ) % {"number": soon}
    if not has_looked:
        return Light.WARN, _("mailferry has just started and is looking around. Look again in a few seconds.")
    return _quiet_verdict(accounts)


def _quiet_verdict(accounts: Sequence[Standing]) -> tuple[Light, str]:
    """Judge by the numbers, where nothing was found."""
    if not accounts:
        return Light.WARN, _("There is no mailbox here for you yet.")
    failed = sum(one.needs_a_look for one in accounts)
    if failed:
        return Light.WARN, ngettext("One message needs a look.", "%(number)d messages need a look.", failed) % {
            "number": failed
        }
    unseen = sum(one.as_of is None for one in accounts)
    if unseen:
        return Light.WARN, ngettext(
            "One mailbox has not been seen yet.", "%(number)d mailboxes have not been seen yet.", unseen
        ) % {"number": unseen}
    waiting = sum(one.numbers.waiting for one in accounts if one.numbers)
    if waiting:
        return Light.WARN, ngettext(
            "Mail is being fetched: one message is not safe yet.",
            "Mail is being fetched: %(number)d messages are not safe yet.",
            waiting,
        ) % {"number": waiting}
    return Light.GOOD, _("All is well: every message that was on the servers at the last look is safe.")
