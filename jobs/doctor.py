"""Looks for everything that is or will go wrong: a list of checks, each finding with its cure.

A check only looks. It is handed the facts (``DoctorInputs``) and yields findings; the worst come first. ``examine`` is
the use case: facts of the machine and of the ledger, with what the worker left.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from jobs.alerting.incidents import when
from jobs.disk_usage import Disk
from jobs.monitoring.health import Health, HealthVerdict, read
from jobs.monitoring.snapshot import AccountView
from jobs.monitoring.stored_view import disks_of, views_of
from migrator.config import Config, Notify
from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.operations.doctor import EndpointCheck, file_system_of, ledger_facts, machine_facts
from migrator.ui.text import plural, size, span
from migrator.wiring.ledger import existing_ledger

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "glusterfs"}
)
SOON_FULL = 30 * 86400.0
BUILT_AFTER = 1_735_689_600.0
"""2025: a clock that shows an earlier time was never set."""


class Severity(IntEnum):
    """How much a finding matters; from ``SOON`` on, a person is needed."""

    BROKEN = 0
    SOON = 1
    HINT = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or will be, and what to do about it."""

    rank: Severity
    subject: str
    what: str
    cure: str

    def as_json(self) -> dict[str, object]:
        """Return the finding's object."""
        rank = self.rank.name.lower()
        return {"rank": rank, "subject": self.subject, "finding": self.what, "cure": self.cure}


@dataclass(frozen=True, slots=True)
class DoctorInputs:
    """All that the checks look at. ``newest_run`` is when the last run began by the ledger, 0.0 for never."""

    config: Config
    now: float
    accounts: Sequence[AccountView] = ()
    ends: Sequence[EndpointCheck] = ()
    disks: Sequence[Disk] = ()
    ledger_problems: Sequence[str] = ()
    newest_run: float = 0.0
    health: Health | None = None
    mounts: str = ""
    read_from_memory: Sequence[Path] = ()
    """Archive folders of which a read-back does not come from the device."""


Check = Callable[[DoctorInputs], Iterator[Finding]]


def examine(config: Config, now: float) -> list[Finding]:
    """Look at everything and return what was found, the worst first; changes nothing."""
    machine = machine_facts(config)
    bare = DoctorInputs(
        config, now, ends=machine.ends, mounts=machine.mounts, read_from_memory=machine.read_from_memory
    )
    try:
        ledger = existing_ledger(config)
    except FerryError as error:
        return findings(replace(bare, ledger_problems=[str(error)]))
    if ledger is None:
        return findings(bare)
    with closing(ledger):
        return findings(_with_ledger(bare, ledger))


def _with_ledger(bare: DoctorInputs, ledger: Ledger) -> DoctorInputs:
    config, known = bare.config, ledger_facts(bare.config, ledger)
    views = views_of(config, ledger)
    return replace(
        bare,
        accounts=views,
        disks=disks_of(config, ledger),
        ledger_problems=known.problems,
        newest_run=known.newest_run,
        # A person who only ever migrates by hand does not hear that no worker runs.
        health=read(config.state_dir, bare.now) if any(view.state.first_seen for view in views) else None,
    )


def findings(inputs: DoctorInputs) -> list[Finding]:
    """Return everything that was found, the worst first."""
    found = [finding for check in CHECKS for finding in check(inputs)]
    return sorted(found, key=lambda finding: finding.rank)


def is_person_needed(found: Sequence[Finding]) -> bool:
    """Tell whether any finding needs a person."""
    return any(finding.rank <= Severity.SOON for finding in found)


def _configuration(inputs: DoctorInputs) -> Iterator[Finding]:
    for line in inputs.config.missing_secrets():
        yield Finding(Severity.BROKEN, "password", line, "put the password where the configuration says it is")
    for warning in inputs.config.warnings:
        yield Finding(Severity.SOON, "configuration", warning, "correct it in the configuration file")


def _permissions(inputs: DoctorInputs) -> Iterator[Finding]:
    state_dir = inputs.config.state_dir
    if not state_dir.exists():
        return
    for path in (state_dir, state_dir / "ledger.sqlite3"):
        if path.exists():
            yield from _private(path)
    if not os.access(state_dir, os.W_OK | os.X_OK):
        yield Finding(
            Severity.BROKEN,
            str(state_dir),
            "cannot be written by this user",
            "run as the user it belongs to, or give it to this one",
        )


def _private(path: Path) -> Iterator[Finding]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        cure = f"chmod {'700' if path.is_dir() else '600'} {path}"
        yield Finding(Severity.SOON, str(path), f"others may read it (its mode is {mode:04o})", cure)
    if status.st_uid != os.geteuid():
        cure = f"chown it to the user that mailferry runs as: chown -R USER {path}"
        yield Finding(Severity.SOON, str(path), "belongs to another user than the one this runs as", cure)


def _file_system(inputs: DoctorInputs) -> Iterator[Finding]:
    kind = file_system_of(inputs.config.state_dir, inputs.mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        what = f"lies on a network file system ({kind}), where SQLite's locks cannot be trusted"
        yield Finding(Severity.BROKEN, "state_dir", what, "move state_dir to a local disk; the archive may stay")


def _read_back(inputs: DoctorInputs) -> Iterator[Finding]:
    for folder in inputs.read_from_memory:
        kind = file_system_of(folder, inputs.mounts) or "of unknown type"
        what = f"its file system ({kind}) reads back from memory: copies are proven, but not what a disk has of them"
        cure = "to have the disk itself proven, keep the archive on a local file system"
        yield Finding(Severity.HINT, f"file system of {folder}", what, cure)


def _clock(inputs: DoctorInputs) -> Iterator[Finding]:
    cure = "set the clock (timedatectl set-ntp true)"
    if inputs.now < BUILT_AFTER:
        yield Finding(Severity.BROKEN, "clock", f"the clock shows {when(inputs.now)}: it was never set", cure)
    if inputs.newest_run > inputs.now + 120:
        what = f"the last run began at {when(inputs.newest_run)}, which is yet to come: the clock is wrong, or was"
        yield Finding(Severity.SOON, "clock", what, cure)


def _disks(inputs: DoctorInputs) -> Iterator[Finding]:
    for disk in inputs.disks:
        if disk.is_nearly_full:
            what = f"only {size(disk.free)} of {size(disk.total)} are free"
            yield Finding(Severity.BROKEN, disk.path, what, "make room, or move the archive to a larger disk")
        elif disk.full_in < SOON_FULL:
            what = f"{size(disk.free)} are free, which lasts for about {span(disk.full_in)} at this pace"
            yield Finding(Severity.SOON, disk.path, what, "plan for a larger disk")


def _ends(inputs: DoctorInputs) -> Iterator[Finding]:
    for end in inputs.ends:
        subject = f"{end.account}: {end.label}"
        if end.problem:
            yield Finding(
                Severity.BROKEN,
                subject,
                end.problem,
                end.cure or "see to it that it answers, then run: mailferry check",
            )
        elif end.is_source:
            yield from _source(end, subject)


def _source(end: EndpointCheck, subject: str) -> Iterator[Finding]:
    capabilities = end.facts.get("capabilities")
    names = [str(one) for one in capabilities] if isinstance(capabilities, list) else []
    if names and "UIDL" not in names:
        what = "the server does not say that it knows UIDL; without it messages are recognised by their headers"
        yield Finding(Severity.HINT, subject, what, "nothing needs to be done")


def _ledger(inputs: DoctorInputs) -> Iterator[Finding]:
    for problem in inputs.ledger_problems:
        cure = "stop the worker, move ledger.sqlite3 away (keep it), and run: mailferry rebuild-ledger"
        yield Finding(Severity.BROKEN, "ledger", problem, cure)


def _accounts(inputs: DoctorInputs) -> Iterator[Finding]:
    for account in inputs.accounts:
        yield from _last_runs(inputs, account)
        yield from _archive(inputs, account)


def _last_runs(inputs: DoctorInputs, account: AccountView) -> Iterator[Finding]:
    state = account.state
    if state.is_parked:
        cure = "change the password where the configuration takes it from"
        yield Finding(Severity.BROKEN, account.name, f"parked, because the password was refused: {state.message}", cure)
    elif state.is_failing:
        what = f"fails since {when(state.failing_since)}, {plural(state.attempts, 'time')} in a row: {state.message}"
        yield Finding(Severity.BROKEN, account.name, what, f"run: mailferry migrate {account.name}")
    silence = (inputs.config.notify or Notify()).silence.total_seconds()
    if state.last_worked and not state.is_failing and inputs.now - state.last_worked > silence:
        what = f"was last worked at {when(state.last_worked)}"
        yield Finding(Severity.BROKEN, account.name, what, "see to it that mailferry run is running")
    if account.numbers and account.numbers.failed:
        what = f"{plural(account.numbers.failed, 'message')} could not be brought home and are set aside"
        yield Finding(Severity.SOON, account.name, what, f"run: mailferry quarantine {account.name}")


def _archive(inputs: DoctorInputs, account: AccountView) -> Iterator[Finding]:
    if account.damaged:
        what = f"{plural(account.damaged, 'stored copy', 'stored copies')} in its destinations are damaged"
        cure = f"look at the storage, then run: mailferry repair {account.name}"
        yield Finding(Severity.BROKEN, account.name, what, cure)
    every = inputs.config.verify.every.total_seconds()
    if account.verified_at and inputs.now - account.verified_at > 2 * every:
        what = f"its archive was last verified in full at {when(account.verified_at)}"
        yield Finding(Severity.SOON, account.name, what, f"run: mailferry verify {account.name}")


def _worker(inputs: DoctorInputs) -> Iterator[Finding]:
    if inputs.health is not None and inputs.health.verdict is HealthVerdict.UNHEALTHY:
        cure = "start it (systemctl start mailferry), or look at its log (journalctl -u mailferry)"
        for reason in inputs.health.reasons:
            yield Finding(Severity.SOON, "worker", reason, cure)


def _notifications(inputs: DoctorInputs) -> Iterator[Finding]:
    notify = inputs.config.notify
    if notify is None or not (notify.smtp or notify.apprise):
        what = "nobody is told when something goes wrong"
        yield Finding(
            Severity.HINT, "notifications", what, "add [notify.smtp] or [notify] apprise to the configuration"
        )
        return
    secrets = [*notify.apprise, *([notify.smtp.password] if notify.smtp and notify.smtp.password else [])]
    for reason in filter(None, (secret.missing() for secret in secrets)):
        yield Finding(
            Severity.SOON, "notifications", reason, "nobody can be told: put it where the configuration says it is"
        )


CHECKS: tuple[Check, ...] = (
    _ledger,
    _accounts,
    _disks,
    _configuration,
    _ends,
    _permissions,
    _file_system,
    _read_back,
    _clock,
    _worker,
    _notifications,
)
"""In order of importance."""
