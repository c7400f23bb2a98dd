"""Findings about accounts: how their last runs ended, what their servers say, what is set aside. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.errors import Kind
from migrator.findings.catalogue import BY_ID
from migrator.findings.draft import Draft
from migrator.findings.facts import (
    AccountFacts,
    EndFacts,
    Facts,
    LedgerState,
    Over,
    PlaceFacts,
    ProblemFacts,
    SetAsideFacts,
)
from migrator.findings.moments import when
from migrator.lazy_dataclasses import replace
from migrator.ui.text import plural, size

BY_KIND = {
    Kind.CONNECT: "host-unreachable",
    Kind.TIMEOUT: "host-unreachable",
    Kind.TLS: "wrong-tls",
    Kind.AUTH: "auth-refused",
    Kind.IN_USE: "limited",
    Kind.LOGIN_DELAY: "limited",
    Kind.TEMPORARY: "limited",
    Kind.REFUSED: "refused",
    Kind.PROTOCOL: "refused",
    Kind.QUOTA: "quota-full",
    Kind.DISK_FULL: "disk-full",
    Kind.ARCHIVE: "mailbox-missing",
    Kind.INTERNAL: "internal-error",
}
"""What a problem becomes of which no more is known than its kind; a kind that is not here is found otherwise."""

FOR_GOOD = 1_000
"""As many tries as nobody makes: a parked account is not tried again, so that nothing more can confirm it."""

_OF_AN_END = frozenset(
    {
        "auth-refused",
        "secret-missing",
        "host-unknown",
        "host-unreachable",
        "wrong-service",
        "wrong-tls",
        "certificate",
        "refused",
        "limited",
        "clock-skew",
    }
)
"""What an end that answers has put behind it, whatever the last run met."""

_OF_ACCOUNT = frozenset({"auth-refused", "secret-missing", "internal-error", "quota-full"})
"""What is a matter of one account, whatever the server."""

EMPTIED = 10
"""As many copies do not leave a mailbox one by one at the same time."""

_LOOKED_AT = frozenset(
    {"archive-missing", "archive-changed", "archive-damaged", "archive-read-only", "disk-full", "sign-in-needed"}
)
"""What is found by looking, not by remembering what a run said."""


def of_accounts(facts: Facts) -> Iterator[Draft]:
    """Yield what is wrong with each account."""
    for account in facts.accounts:
        yield from _secrets(account)
        yield from _last_run(facts, account)
        yield from _too_large(account)
        yield from _not_everywhere(facts, account)
        yield from _clock(account)
        for aside in account.set_aside:
            yield from _set_aside(account, aside)
        if account.is_paused:
            yield Draft("paused", account.name, (account.name,), verb="resume")
        yield from _not_verified(facts, account)
    for end in facts.ends:
        yield from _end(facts, end)


def of_silence(facts: Facts, troubled: frozenset[str]) -> Iterator[Draft]:
    """Yield the accounts without success for too long, or ever, but for those of which it is known why."""
    for account in facts.accounts:
        is_new = account.last_run is None and not account.last_success and not account.is_paused
        if is_new and account.name not in troubled and facts.ledger.state in {LedgerState.NONE, LedgerState.WELL}:
            yield Draft("never-run", "never run", (account.name,), verb="migrate")
        schedule = account.schedule
        if schedule is None or not schedule.first_seen or account.name in troubled or account.is_paused:
            continue
        since = max(account.last_success, schedule.first_seen)
        if facts.now - since > max(facts.silence, 2 * schedule.interval):
            words = {"since_when": f"since {when(since)}" if account.last_success else "so far"}
            yield Draft("stale", account.name, (account.name,), words=words, since=since, verb="migrate")


def of_maildrops(facts: Facts) -> Iterator[Draft]:
    """Yield the maildrops that several accounts fetch from."""
    shared: dict[str, list[str]] = {}
    for account in facts.accounts:
        shared.setdefault(account.maildrop, []).append(account.name)
    for maildrop, names in shared.items():
        if len(names) > 1:
            words = {"names": f"{', '.join(names[:-1])} and {names[-1]}", "maildrop": maildrop}
            yield Draft("same-maildrop", maildrop, tuple(names), words=words)


def _secrets(account: AccountFacts) -> Iterator[Draft]:
    """Yield the passwords that are missing now; what a run said of that is left to this."""
    for reason in account.missing_secrets:
        yield Draft("secret-missing", reason, (account.name,), words={"problem": reason})


def _last_run(facts: Facts, account: AccountFacts) -> Iterator[Draft]:
    run = account.last_run
    parked = account.schedule.parked_for if account.schedule else ""
    if run is not None:
        tries = FOR_GOOD if parked else run.failures
        for problem in run.problems:
            if not problem.is_of_message and not _is_behind(facts, account, problem):
                draft = _of_problem(facts, account.name, problem)
                yield from (replace(one, since=run.failing_since, tries=tries) for one in draft)
    if parked and not _is_asked(facts, account) and (run is None or not (run.is_ok or run.problems)):
        words = {"problem": parked}
        yield Draft("auth-refused", account.name, (account.name,), words=words, tries=FOR_GOOD)


def _is_asked(facts: Facts, account: AccountFacts) -> bool:
    return any(end.account == account.name for end in facts.ends)


def _too_large(account: AccountFacts) -> Iterator[Draft]:
    """Tell of what the last run left by a rule, and how large it is."""
    problems = account.last_run.problems if account.last_run else ()
    left = [problem for problem in problems if problem.is_of_message and problem.kind is Kind.TOO_LARGE]
    if left:
        words = {"messages": plural(len(left), "message is", "messages are")}
        largest = max(left, key=lambda problem: [_number(setting.value) for setting in problem.settings])
        yield Draft("message-too-large", account.name, (account.name,), words=words, settings=largest.settings)


def _number(value: object) -> int:
    return int(str(value).partition(" ")[0])


def _is_behind(facts: Facts, account: AccountFacts, problem: ProblemFacts) -> bool:
    """Tell whether what the last run met has ended, by what is there or how the end answers now."""
    finding = _finding_of(problem)
    if finding == "secret-missing" and account.missing_secrets:
        return True
    place = _place(facts, problem.destination)
    if finding == "mailbox-missing" and place is not None and not place.keeps:
        return True
    if (end := _end_of(facts, account, problem)) is None:
        return (problem.destination or "", finding) in account.over
    if end.problem is not None:
        says_the_same = finding == _finding_of(end.problem) and problem.settings == end.problem.settings
        return finding in _OF_AN_END and not says_the_same
    return finding in _OF_AN_END or finding in _ended_by(end, place)


def _end_of(facts: Facts, account: AccountFacts, problem: ProblemFacts) -> EndFacts | None:
    """Return the end that a run's problem was met at, as it answers now; None where it was not asked."""
    ends = (end for end in facts.ends if (end.account, end.destination) == (account.name, problem.destination))
    return next(ends, None)


def ended_by_answers(facts: Facts, account: AccountFacts) -> frozenset[Over]:
    """Return what the last run of an account met at ends that answer well now, and that is over by that."""
    problems = account.last_run.problems if account.last_run else ()
    answered = ((problem, _end_of(facts, account, problem)) for problem in problems if not problem.is_of_message)
    return frozenset(
        (problem.destination or "", _finding_of(problem))
        for problem, end in answered
        if end is not None and end.problem is None and _is_behind(facts, account, problem)
    )


def _ended_by(end: EndFacts, place: PlaceFacts | None) -> Iterator[str]:
    """Yield what the numbers of a mailbox or a store show to be over; with other mail in it, only a run can tell."""
    if place is not None and place.kind == "s3" and (end.is_there or not place.known):
        yield "bucket-missing"
    if end.quota is not None and end.quota[0] < end.quota[1]:
        yield "quota-full"
    if place is not None and end.is_there and end.messages is not None and end.messages == place.known:
        yield "mailbox-missing"


def _finding_of(problem: ProblemFacts) -> str:
    return problem.finding or BY_KIND.get(problem.kind, "")


def _end(facts: Facts, end: EndFacts) -> Iterator[Draft]:
    if end.problem is not None:
        yield from _of_problem(facts, end.account, end.problem)
    elif end.is_source:
        if end.capabilities:
            yield from _source(end)
    else:
        yield from _mailbox(facts, end)


def _source(end: EndFacts) -> Iterator[Draft]:
    names = [capability.split()[0].upper() for capability in end.capabilities if capability.split()]
    if "UIDL" not in names:
        yield Draft("no-unique-ids", end.label, (end.account,))
    yield from _expiry(end)


def _mailbox(facts: Facts, end: EndFacts) -> Iterator[Draft]:
    place = _place(facts, end.destination)
    if end.without_versions:
        yield Draft("no-versions", end.without_versions, (end.account,), words={"bucket": end.without_versions})
    if end.quota is not None and end.quota[0] >= end.quota[1]:
        problem = f"{end.label} is full: {size(end.quota[0])} of {size(end.quota[1])} are used"
        yield Draft("quota-full", f"{end.account} {end.label}", (end.account,), end.label, {"problem": problem})
    if place is not None and place.kind == "s3" and place.known and not end.is_there:
        problem = emptied_store(place.label, place.known)
        yield Draft("bucket-missing", problem, (end.account,), place.label, {"problem": problem})
    if place is None or place.kind != "imap" or not place.known or not place.keeps:
        return
    known = plural(place.known, "message is", "messages are")
    if not end.is_there:
        problem = f"the mailbox is gone, and {known} known to be in it ({end.label})"
        yield _mailbox_missing(end.account, place, problem)
    elif end.messages == 0 and place.known >= EMPTIED:
        yield _mailbox_missing(end.account, place, f"the mailbox is empty, and {known} known to be in it ({end.label})")


def emptied_store(label: str, known: int) -> str:
    """Say that nothing of what is known stands in an object store: a run and a look say it alike."""
    return f"nothing stands in {label}, and {plural(known, 'message is', 'messages are')} known to be there"


def _mailbox_missing(account: str, place: PlaceFacts, problem: str) -> Draft:
    words = {"problem": problem}
    return Draft("mailbox-missing", place.identity, (account,), place.label, words, settings=place.restore_setting)


def _expiry(end: EndFacts) -> Iterator[Draft]:
    """Read EXPIRE (RFC 2449, section 6.7): NEVER, or after how many days."""
    for words in (capability.upper().split() for capability in end.capabilities):
        if words[:1] == ["EXPIRE"] and len(words) > 1 and words[1].isdigit():
            days = int(words[1])
            told = "as soon as they were retrieved" if days == 0 else f"after {plural(days, 'day')}"
            yield Draft("provider-deletes", end.label, (end.account,), words={"when": told})


def _of_problem(facts: Facts, account: str, problem: ProblemFacts) -> Iterator[Draft]:
    """Tell one error; what looking tells better, or a set-aside message, is left to that."""
    finding, place = _finding_of(problem), _place(facts, problem.destination)
    if not finding or finding in _LOOKED_AT:
        return
    if finding == "mailbox-missing":
        if place is not None and place.kind == "imap":
            yield _mailbox_missing(account, place, problem.message)
        return  # looking at a folder tells whether it is still so
    yield Draft(
        finding,
        _cause(finding, account, problem),
        (account,),
        problem.destination,
        {"problem": problem.message},
        cure=problem.cure,
        settings=problem.settings,
    )


def _cause(finding: str, account: str, problem: ProblemFacts) -> str:
    """Name what is at fault: a host, a server, or what belongs to one account there."""
    if finding == "host-unknown" and problem.server:
        return problem.server.rpartition(":")[0]
    if finding == "bucket-missing":
        return problem.message
    is_of_account = finding in _OF_ACCOUNT or problem.kind in {Kind.IN_USE, Kind.LOGIN_DELAY}
    if is_of_account or not problem.server:
        return f"{account} {problem.destination or ''}".rstrip()
    return problem.server


def _place(facts: Facts, label: str | None) -> PlaceFacts | None:
    return next((place for place in facts.places if place.label == label), None)


def _not_everywhere(facts: Facts, account: AccountFacts) -> Iterator[Draft]:
    """Tell what a destination lacks, unless it is known why the last run could not copy it there."""
    problems = account.last_run.problems if account.last_run else ()
    explained = {one.destination for one in problems if not one.is_of_message and not _is_behind(facts, account, one)}
    for label, count in account.lacking.items():
        if label in explained:
            continue
        words = {
            "messages": plural(count, "message is", "messages are"),
            "label": label,
            "them": "it" if count == 1 else "them",
        }
        yield Draft("not-everywhere", f"{account.name} {label}", (account.name,), label, words, verb="migrate")


def _clock(account: AccountFacts) -> Iterator[Draft]:
    if account.clock_doubted_at:
        words = {"problem": "the clock has jumped; until somebody has looked, nothing is deleted by its age"}
        yield Draft("clock-jump", "clock", (account.name,), words=words, since=account.clock_doubted_at, verb="migrate")


def _set_aside(account: AccountFacts, aside: SetAsideFacts) -> Iterator[Draft]:
    if aside.kind in {Kind.UNPROVEN, Kind.MISMATCH}:
        return  # told of the destination
    words = {"messages": plural(len(aside.rows), "message is", "messages are"), "problem": aside.text}
    numbers = tuple(str(row) for row in aside.rows)
    yield Draft(
        "message-refused",
        f"{account.name} {aside.kind} {aside.text}",
        (account.name,),
        aside.destination,
        words,
        since=aside.since,
        verb="quarantine",
        options=("--accept", *numbers),
        cure=f"{aside.cure}; then {BY_ID['message-refused'].cure}" if aside.cure else "",
    )


def _not_verified(facts: Facts, account: AccountFacts) -> Iterator[Draft]:
    since = account.verified_at or account.first_copy
    if since and facts.now - since > 2 * facts.verify_every:
        told = f"last on {when(account.verified_at)}" if account.verified_at else "never"
        yield Draft("never-verified", account.name, (account.name,), words={"when": told}, since=since, verb="verify")
