"""The settings of one mailbox: shown, and changed where its file is ours. What a person wrote is shown and left alone.

A change is checked, tried at the servers that it concerns, and shown before it is saved; until then it is in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.changes import Filled, Proposal, changed_in_words, diff, filled_by, filled_in, proposed
from jobs.web.visit import Refused, Visit, path_of_account
from jobs.web.wishes import policy_in_words
from jobs.web.words import Said
from migrator.config import Account, Config, ImapDestination
from migrator.config.redaction import toml_without_passwords
from migrator.config.secrets import TextSecret
from migrator.config.vault_secret import VaultSecret
from migrator.errors import ConfigError, FerryError
from migrator.net.tls import TlsMode
from migrator.operations.change_account import (
    Author,
    ConflictError,
    OwnFile,
    checked,
    own_file,
    save as save_change,
    try_ends,
    versions,
    with_passwords,
)
from migrator.policy import DeleteAfter, Keep
from migrator.wiring.account import label_of


def show(visit: Visit) -> Response:
    """Show the settings: as a form where they are changed here, else with the place where they are."""
    account = _account(visit)
    own = own_file(account)
    filled = filled_by(account)
    number = visit.number("version")
    if number is not None and isinstance(own, OwnFile):
        filled = _as_before(visit, account, own, number)
    return _page(visit, account, filled)


def _account(visit: Visit) -> Account:
    return visit.account(visit.request.path_params["name"])


def _as_before(visit: Visit, account: Account, own: OwnFile, number: int) -> Filled:
    """Return the form as an earlier version of the file would fill it in."""
    config = visit.site.worker.config()
    version = next((one for one in versions(account, config) if one.number == number), None)
    if version is None:
        raise Refused(404, words.NOT_FOUND)
    _, before = checked(own, version.text, account.name, config)
    return filled_by(account, before)


def _page(
    visit: Visit,
    account: Account,
    filled: Filled,
    code: int = 200,
    problems: Sequence[str] = (),
    *,
    may_insist: bool = False,
) -> Response:
    config = visit.site.worker.config()
    own = own_file(account)
    return visit.page(
        "settings.html",
        code,
        account=account,
        own=own if isinstance(own, OwnFile) else None,
        elsewhere=own,
        filled=filled,
        problems=[str(line) for line in problems],
        may_insist=may_insist,
        password=_password_in_words(account.source.password),
        signs_in=account.source.password.is_token,
        places=[(label_of(place), isinstance(place, ImapDestination)) for place in account.destinations],
        policy=policy_in_words(account.source.leave_on_server),
        versions=versions(account, config) if isinstance(own, OwnFile) and visit.user.may_operate else [],
        ways=list(TlsMode),
        safe=_safe(visit, account),
    )


def _safe(visit: Visit, account: Account) -> int:
    with visit.site.ledger() as ledger:
        return ledger.history.numbers(account.name).safe


def _password_in_words(secret: object) -> tuple[str, float, str]:
    """Return where a password is, when it was set (0.0 for unknown), and by whom."""
    if isinstance(secret, VaultSecret):
        try:
            entry = secret.vault().entry(secret.name)
        except FerryError as error:
            return error.message, 0.0, ""
        return ("", entry.set_at, entry.set_by) if entry else (secret.missing() or "", 0.0, "")
    is_in_the_file = isinstance(secret, TextSecret)
    return "" if is_in_the_file else str(getattr(secret, "source", "")), 0.0, ""


def change(visit: Visit) -> Response:
    """Check what was filled in, try it where it concerns a server, and go on to what shows the change."""
    account, filled = _account(visit), filled_in(visit)
    own = own_file(account)
    if not isinstance(own, OwnFile):
        raise Refused(409, words.NOT_OURS)
    typed = filled.typed()
    try:
        proposal = proposed(account, own, filled, visit.site.worker.config())
        failed = [] if visit.field("anyway") else _tried(proposal, visit.site.worker.config())
    except ConfigError as error:
        return _page(visit, account, filled, 422, _without(typed, error.problems))
    if failed:
        said = [" ".join(filter(None, (one.message, one.server_words, one.cure))) for one in failed]
        return _page(visit, account, filled, 422, _without(typed, said), may_insist=True)
    if proposal.text == own.text:
        return _page(visit, account, filled, 422, [words.NOTHING_CHANGED])
    key = visit.site.drafts.keep(visit.form_token, proposal)
    return visit.go_to(f"{path_of_account(account.name)}/settings/review?draft={key}")


def _without(typed: Sequence[str], said: Sequence[str]) -> list[str]:
    """Return what was said; what a server echoes of a password is not shown."""
    shown = [str(line) for line in said]
    for password in typed:
        shown = [line.replace(password, "***") for line in shown]
    return shown


def _tried(proposal: Proposal, config: Config) -> list[FerryError]:
    after = with_passwords(proposal.after, proposal.typed)
    places = [place for place in after.destinations if place not in proposal.before.destinations]
    return try_ends(after, places, config.state_dir, source=proposal.changes_source)


def review(visit: Visit) -> Response:
    """Show what would change, in words and line by line, with what it means for what is at the provider."""
    account = _account(visit)
    proposal = _proposal(visit, account, visit.query("draft"))
    return _review(visit, account, proposal) if proposal else _over(visit, account)


def _proposal(visit: Visit, account: Account, key: str) -> Proposal | None:
    proposal = visit.site.drafts.get(visit.form_token, key, Proposal)
    return proposal if proposal and proposal.before.name == account.name else None


def _over(visit: Visit, account: Account) -> Response:
    return _page(visit, account, filled_by(account), 409, [words.CHANGE_OVER])


def _review(visit: Visit, account: Account, proposal: Proposal, code: int = 200, problem: str = "") -> Response:
    leave = proposal.after.source.leave_on_server
    age = leave.age.total_seconds() if isinstance(leave, DeleteAfter) else 0.0
    with visit.site.ledger() as ledger:
        safe = ledger.history.numbers(account.name).safe
        now = ledger.history.proven_until(account.name, visit.site.clock() - age)
    return visit.page(
        "settings_review.html",
        code,
        account=account,
        draft=visit.field("draft") or visit.query("draft"),
        problem=str(problem),
        changes=changed_in_words(proposal),
        lines=diff(proposal.own.text, proposal.text),
        deletes=not isinstance(leave, Keep) and proposal.changes_policy,
        age=age,
        safe=safe,
        deletable_now=now,
        has_new_place=proposal.has_new_place,
        changes_maildrop=proposal.changes_maildrop,
    )


def save(visit: Visit) -> Response:
    """Save the change, for somebody who gives the own password; never over what another has changed meanwhile."""
    account = _account(visit)
    proposal = _proposal(visit, account, visit.field("draft"))
    if proposal is None:
        return _over(visit, account)
    if problem := problem_of_own(visit):
        return _review(visit, account, proposal, 422, problem)
    config = visit.site.worker.config()
    author = Author(visit.user.name, visit.site.clock())
    try:
        save_change(proposal.own, proposal.text, proposal.before, proposal.typed, config, author)
    except ConflictError as conflict:
        visit.note("change mailbox", account.name, "conflict")
        return _conflict(visit, account, proposal, conflict)
    except (ConfigError, FerryError) as error:
        visit.note("change mailbox", account.name, "refused")
        said = " ".join(error.problems) if isinstance(error, ConfigError) else f"{error.message}. {error.cure}"
        return _review(visit, account, proposal, 422, said)
    visit.site.drafts.drop(visit.field("draft"))
    visit.note("change mailbox", account.name)
    refusal = visit.site.worker.reload()
    if refusal:
        return _page(visit, account, filled_by(account), 200, [words.SAVED_NOT_IN_FORCE, refusal])
    return visit.go_to(path_of_account(account.name), Said.SAVED)


def _conflict(visit: Visit, account: Account, proposal: Proposal, conflict: ConflictError) -> Response:
    """Show what stands in the file now, and what was to be saved; nothing was written."""
    return visit.page(
        "settings_conflict.html",
        409,
        account=account,
        file=proposal.own.path,
        theirs=toml_without_passwords(conflict.theirs),
        lines_theirs=diff(proposal.own.text, conflict.theirs),
        lines_ours=diff(proposal.own.text, proposal.text),
        changes=changed_in_words(proposal),
    )
