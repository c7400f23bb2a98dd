"""Findings about the machine and the installation: ledger, disks, clock, worker, files that others can read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.findings.draft import Draft
from migrator.findings.facts import DiskFacts, Facts, LedgerState
from migrator.findings.moments import when
from migrator.ui.text import size, span

BUILT_AFTER = 1_735_689_600.0
"""2025: a clock that shows an earlier time was never set."""
FULL = 20_000_000
"""With fewer octets free than this a disk is full, whatever is wanted."""
SOON_FULL = 30 * 86400.0
CLOCK_MAY_DIFFER = 120.0


def of_ledger(facts: Facts) -> Iterator[Draft]:
    """Yield what is wrong with the ledger."""
    ledger = facts.ledger
    problem = "; ".join(ledger.problems)
    if ledger.state is LedgerState.NEWER:
        yield Draft("ledger-newer", "ledger", words={"problem": problem})
    elif ledger.state is LedgerState.AWAY:
        yield Draft("ledger-away", "ledger", words={"problem": problem})
    elif ledger.state is LedgerState.UNREADABLE and not any(
        _is_full(disk) for disk in facts.disks if disk.path == facts.state.path
    ):
        yield Draft("state-read-only", facts.state.path, words={"problem": problem})
    elif ledger.state is LedgerState.DAMAGED:
        what = problem if problem.startswith("the ledger") else f"the ledger is damaged: {problem}"
        words = {"problem": what, "state_dir": facts.state.path}
        yield Draft("ledger-damaged", "ledger", words=words, verb="rebuild-ledger")
    if ledger.weaknesses:
        yield Draft("ledger-settings", "ledger", words={"problem": "; ".join(ledger.weaknesses)})


def of_state(facts: Facts) -> Iterator[Draft]:
    """Yield what is wrong with the state folder."""
    state = facts.state
    if not state.can_be_written:
        yield Draft("state-read-only", state.path, words={"problem": f"{state.path} cannot be written"})
    if state.network_file_system:
        words = {"path": state.path, "kind": state.network_file_system}
        yield Draft("state-on-network", state.path, words=words)


def of_disks(facts: Facts) -> Iterator[Draft]:
    """Yield the disks that are full, or soon will be."""
    for disk in facts.disks:
        words = {"free": size(disk.free), "total": size(disk.total), "path": disk.path}
        if _is_full(disk):
            yield Draft("disk-full", disk.path, disk.accounts, words=words)
        elif disk.free < disk.minimum:
            how_long = f", and at least {size(disk.minimum)} are wanted"
            yield Draft("disk-low", disk.path, disk.accounts, words=words | {"how_long": how_long})
        elif disk.full_in < SOON_FULL:
            how_long = f", which lasts for about {span(disk.full_in)} at this pace"
            yield Draft("disk-low", disk.path, disk.accounts, words=words | {"how_long": how_long})


def _is_full(disk: DiskFacts) -> bool:
    return disk.free < min(FULL, disk.minimum, disk.total // 50)


def of_clock(facts: Facts) -> Iterator[Draft]:
    """Yield a clock that cannot be right."""
    if facts.now < BUILT_AFTER:
        problem = f"the clock shows {when(facts.now)}: it was never set"
        yield Draft("clock-jump", "clock", words={"problem": problem})
        return
    to_come = {
        account.name: account.last_run.started_at
        for account in facts.accounts
        if account.last_run and account.last_run.started_at > facts.now + CLOCK_MAY_DIFFER
    }
    if to_come:
        began = when(max(to_come.values()))
        problem = f"the last run began at {began}, which is in the future: the clock is wrong, or it was"
        yield Draft("clock-jump", "clock", tuple(to_come), words={"problem": problem}, verb="migrate")


def of_exposure(facts: Facts) -> Iterator[Draft]:
    """Yield what others can read."""
    for one in facts.exposed:
        chmod = ("chmod", "700" if one.is_folder else "600", one.path)
        if one.is_foreign:
            words = {"path": one.path, "how": "belongs to a user other than the one that this runs as"}
            cure = "give it to the user that mailferry runs as (chown)"
            yield Draft("secret-exposed", f"{one.path} owner", words=words, cure=cure)
        elif one.holds == "configuration":
            yield Draft("config-exposed", one.path, words={"path": one.path}, program=chmod)
        else:
            words = {"path": one.path, "how": f"can be read by others (its mode is {one.mode:04o}), and {one.holds}"}
            yield Draft("secret-exposed", one.path, words=words, program=chmod)


ENDED = "mailferry run ended without being stopped"


def silent_for(seconds: float) -> str:
    """Say that a worker does not say that it is well."""
    return f"mailferry run has not been heard of for {span(seconds)}"


def of_worker(facts: Facts) -> Iterator[Draft]:
    """Yield a worker that died or hangs, and what it says of itself."""
    worker = facts.worker
    words = {"file": f"{facts.state.path}/worker.json"}
    if worker.is_expected and not worker.is_alive:
        yield Draft("worker-dead", "worker", words=words | {"problem": ENDED})
    elif worker.is_alive and worker.silent_for:
        yield Draft("worker-dead", "worker", words=words | {"problem": silent_for(worker.silent_for)})
    elif worker.is_alive:
        for trouble in worker.troubles:
            yield Draft("worker-dead", trouble, words=words | {"problem": f"mailferry run: {trouble}"})
        if worker.refused_configuration:
            yield Draft("configuration-refused", "configuration", words={"problem": worker.refused_configuration})


def of_telling(facts: Facts) -> Iterator[Draft]:
    """Yield that nobody hears of trouble, or can."""
    telling = facts.telling
    if not telling.is_configured:
        yield Draft("nobody-told", "nobody")
    for reason in (*telling.missing_secrets, *([telling.dead] if telling.dead else [])):
        yield Draft("notify-dead", reason, words={"problem": reason})


def of_the_rest(facts: Facts) -> Iterator[Draft]:
    """Yield what the index, the port to listen on, packages, the vault and the configuration's warnings say."""
    if facts.index_problem:
        yield Draft("index-damaged", "index", words={"problem": facts.index_problem}, verb="reindex")
    if facts.listen_problem:
        yield Draft("listen-taken", "listen", words={"problem": facts.listen_problem})
    if facts.package_problem:
        yield Draft("package-missing", "package", words={"problem": facts.package_problem})
    if facts.vault_key_at:
        words = {"file": facts.vault_key_at, "state_dir": facts.state.path}
        yield Draft("vault-key-nearby", facts.vault_key_at, words=words)
    for row in facts.bad_rows:
        yield Draft("account-row", row, words={"problem": row})
