"""What was set aside, in plain words, and what a person decides: it is fine as it is, or is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from jobs.web import words
from jobs.web.decision_store import Decided, keep_decision, last_decisions, who_decided
from jobs.web.language import gettext_lazy as _
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said
from migrator.config import Account
from migrator.errors import Kind
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger.history import SetAside
from migrator.operations.compare_copies import Role, first_difference, versions_of
from migrator.operations.envelopes import Envelope
from migrator.operations.quarantine import Choice, Every, Quarantine, alike, review_quarantine, shared_reason
from migrator.policy import GONE
from migrator.report import shown_unique_id

SHOWN = 25
"""Messages of one group that are shown beside other groups; a decision may be about all of them."""
GROUPS = 20
"""Groups of one page."""
PAGE = 100
"""Messages of one page, where one mailbox and one reason were chosen."""
DECISIONS = 20

RETRY, ACCEPT = "retry", "accept"

COLLIDES = frozenset({Kind.UNPROVEN, Kind.MISMATCH, Kind.AMBIGUOUS, Kind.CHANGED})
"""Where there may be two versions to be seen side by side."""

KINDS: dict[str, str] = {
    Kind.TOO_LARGE: _("Too large for a rule of this mailbox or for a server"),
    Kind.SHORT: _("The server does not give them as it announced them"),
    Kind.CHANGED: _("The server now gives something other than what was copied"),
    Kind.AMBIGUOUS: _("The server gives several messages the same name"),
    Kind.MISMATCH: _("A copy is not there as it was stored"),
    GONE: _("A copy was taken out of a mailbox"),
    Kind.UNPROVEN: _("A copy was altered by the server that stores it"),
    Kind.REFUSED: _("Refused by a server"),
}
"""Why a message was set aside, in words; the others are said by the message itself."""


@dataclass(frozen=True, slots=True)
class Group:
    """Messages that are alike: of one mailbox, for one reason, decided alike."""

    messages: Sequence[tuple[SetAside, Envelope]]
    reason: str
    total: int
    of_kind: int
    """How many undecided messages of that kind the mailbox has, of whatever group."""
    decided: Sequence[tuple[float, str]] = ()
    """When these were accepted, and by whom where that was on the page."""

    @property
    def first(self) -> SetAside:
        """One of them; account, kind, destination and decision are those of all."""
        return self.messages[0][0]

    @property
    def kind(self) -> str:
        """The word for all of that kind."""
        return GONE if self.first.is_gone else str(self.first.kind)

    @property
    def title(self) -> str:
        """The reason in plain words, empty where only the message itself says it."""
        return KINDS.get(self.kind, "")

    @property
    def whole(self) -> str:
        """The address of all of that kind, page by page."""
        return f"/needs-a-look?{urlencode({'account': self.first.account, 'kind': self.kind})}"

    @property
    def may_be_retried(self) -> bool:
        """Whether to try again is not in vain: a copy that was taken out is only accepted, or stored by a setting."""
        return self.first.is_accepted or not self.first.is_gone

    @property
    def collides(self) -> bool:
        """Whether there may be two versions to see."""
        return self.first.kind in COLLIDES


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a long list a page is; the addresses are empty at its ends."""

    newer: str
    older: str
    number: int
    of: int


def show(visit: Visit) -> Response:
    """List what is set aside of the mailboxes that this user may see: all of it, of one mailbox, of one kind."""
    name, kind = visit.query("account"), visit.query("kind")
    chosen = _every(kind)
    mine = visit.site.accounts(visit.user)
    found = _reviewed(visit, [visit.account(name)] if name else mine)
    wanted = [one for one in found.messages if chosen.means(one)]
    wanted.sort(key=lambda one: one.is_accepted)
    if name and kind:
        pages, start = _pages(visit, len(wanted), PAGE)
        groups = [_group(group, found, PAGE) for group in alike(wanted[start : start + PAGE])]
    else:
        every = alike(wanted)
        pages, start = _pages(visit, len(every), GROUPS)
        groups = [_group(group, found, SHOWN) for group in every[start : start + GROUPS]]
    return visit.page(
        "needs_a_look.html",
        groups=[_with_who(visit, group) for group in groups],
        total=len(wanted),
        pages=pages,
        is_narrow=bool(name or kind),
        decisions=last_decisions(visit.site.store, [account.name for account in mine], DECISIONS),
    )


def _every(kind: str) -> Every:
    try:
        return Every.of(kind) if kind else Every()
    except ValueError:
        raise Refused(400, words.NOT_READ) from None


def _pages(visit: Visit, total: int, size: int) -> tuple[Pages, int]:
    """Return where the page that was asked for is in so long a list, and what it begins with."""
    of = max(1, -(-total // size))
    number = min(max(1, visit.number("page") or 1), of)

    def address(page: int) -> str:
        asked = {"account": visit.query("account"), "kind": visit.query("kind"), "page": str(page)}
        return f"/needs-a-look?{urlencode({key: value for key, value in asked.items() if value})}"

    newer, older = (address(number - 1) if number > 1 else ""), (address(number + 1) if number < of else "")
    return Pages(newer, older, number, of), (number - 1) * size


def _reviewed(visit: Visit, accounts: Sequence[Account], *, retry: Choice = (), accept: Choice = ()) -> Quarantine:
    return _reviewed_at(visit, accounts, visit.site.clock(), retry=retry, accept=accept)


def _reviewed_at(
    visit: Visit, accounts: Sequence[Account], now: float, *, retry: Choice = (), accept: Choice = ()
) -> Quarantine:
    state_dir = visit.site.worker.config().state_dir
    with visit.site.ledger() as ledger:
        return review_quarantine(accounts, state_dir, ledger, retry=retry, accept=accept, now=now)


def _group(group: Sequence[SetAside], found: Quarantine, shown: int) -> Group:
    first = group[0]
    all_of_it = Every.of(GONE if first.is_gone else str(first.kind))
    of_kind = sum(
        one.account == first.account and all_of_it.means(one) and not one.is_accepted for one in found.messages
    )
    messages = [(message, found.envelope(message)) for message in group[:shown]]
    reason = "; ".join(filter(None, (shared_reason(group), first.cure)))
    return Group(messages, reason, len(group), of_kind)


def _with_who(visit: Visit, group: Group) -> Group:
    """Add who has accepted these, where they are accepted."""
    moments = sorted({one.accepted_at for one, _ in group.messages if one.accepted_at is not None})
    if not moments:
        return group
    known = who_decided(visit.site.store, moments)
    return replace(group, decided=[(at, known.get((group.first.account, at), "")) for at in moments])


def decide(visit: Visit) -> Response:
    """Take down a decision on the messages that were ticked, or on all of one kind of a mailbox; with who and when."""
    account = visit.account(visit.field("account"))
    decision, now = visit.field("decision"), visit.site.clock()
    choice = _choice(visit)
    if decision == RETRY:
        found = _reviewed_at(visit, [account], now, retry=choice)
        visit.site.worker.try_now(account.name)
        said = Said.RETRIED
    elif decision == ACCEPT:
        found = _reviewed_at(visit, [account], now, accept=choice)
        said = Said.ACCEPTED
    else:
        raise Refused(400, words.NOT_READ)
    count = len(found.decisions)
    if count:
        keep_decision(visit.site.store, Decided(now, visit.user.name, account.name, decision, count))
    visit.note(decision, account.name, f"{count}")
    return visit.go_to("/needs-a-look", said)


def _choice(visit: Visit) -> Choice:
    try:
        if visit.field("all"):
            return Every.of(visit.field("all"))
        rows = [int(row) for row in visit.form.get("row", ())]
    except ValueError:
        raise Refused(400, words.NOT_READ) from None
    if not rows:
        raise Refused(422, words.NOTHING_TICKED)
    return rows


def show_both(visit: Visit) -> Response:
    """Show one message that was set aside, beside what it collides with."""
    account = visit.account(visit.request.path_params["name"])
    found = _reviewed(visit, [account])
    row = visit.request.path_params["row"]
    message = next((one for one in found.messages if one.row == row), None)
    if message is None:
        raise Refused(404, words.NOT_FOUND)
    site = visit.site
    with site.ledger() as ledger, site.parsers.lent() as parser:
        versions = versions_of(message, account, site.worker.config(), ledger, parser)
    whole = [one.content for one in versions if one.content]
    if message.digest is not None:
        visit.note("read-message", message.digest.hex())
    return visit.page(
        "both.html",
        group=_with_who(visit, _group([message], found, 1)),
        message=message,
        envelope=found.envelope(message),
        called=shown_unique_id(message.unique_id),
        versions=versions,
        roles=ROLES,
        difference=first_difference(whole[0], whole[1]) if len(whole) > 1 else None,
        has_two=len(whole) > 1,
    )


ROLES = {
    Role.RETRIEVED: _("As its server gave it"),
    Role.KEPT: _("As it is kept in %(place)s"),
    Role.SAME_NAME: _("Another message that the server calls by the same name"),
}
"""What each version is."""
