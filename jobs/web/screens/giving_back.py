"""Giving mail back: what was chosen, as a file to be saved, or stored into a mailbox. Both are jobs."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.engine_words import sentences
from jobs.web.tasks.chosen import Chosen
from jobs.web.tasks.export import EXPORT, FORMS, Export
from jobs.web.tasks.restore import GROUPINGS, RESTORE, Restore, mailbox_of, places_to_restore
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said
from migrator.archive.restore import Grouping
from migrator.config import ImapDestination
from migrator.errors import ConfigError
from migrator.interchange.exporter import Form
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import Digest
from migrator.net.tls import TlsMode
from migrator.operations.envelopes import UNKNOWN, Envelope, envelopes_in
from migrator.operations.message import NoSuchMessageError, reading_messages
from migrator.operations.search import parse_query, search_page
from migrator.operations.visible import EVERYTHING, Visible
from migrator.wiring.account import label_of

LONGEST_QUERY = 2_000
MOST_TICKED = 500
MOST_SHOWN = 50
OTHER = "other"
"""The mailbox that is written into the form, among those that are configured."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A mailbox as somebody wrote it into the form; the password is never sent back."""

    place: str = ""
    host: str = ""
    port: str = ""
    tls: str = str(TlsMode.IMPLICIT)
    username: str = ""
    folder: str = "Restored"
    by: str = str(Grouping.NONE)

    @property
    def url(self) -> str:
        """The same as a URL, as `mailferry restore --to` takes it."""
        scheme = "imaps" if self.tls == TlsMode.IMPLICIT else "imap"
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        port = f":{quote(self.port, safe='')}" if self.port else ""
        query = "?tls=none" if self.tls == TlsMode.NONE else ""
        return f"{scheme}://{quote(self.username, safe='')}@{host}{port}/{quote(self.folder, safe='/')}{query}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was begun."""

    said: str = ""
    filled: Filled = field(default_factory=Filled)


def page(visit: Visit) -> Response:
    """Show what was chosen and how it can be given back; where nothing was, ask what."""
    given = visit.request.query_params
    ticked = given.getlist("id")
    if visit.query("ticked") and not ticked:
        return _choice(visit, words.NOTHING_TICKED, 422)
    if not ticked and "account" not in given and "q" not in given:
        return _choice(visit)
    return _page(visit, _chosen(visit, visit.query("account"), visit.query("q"), ticked))


def _choice(visit: Visit, problem: str = "", status: int = 200) -> Response:
    names = [one.name for one in visit.site.accounts(visit.user)]
    return visit.page("give_back_choice.html", status, names=names, problem=problem)


def _page(visit: Visit, chosen: Chosen, problem: Problem | None = None, status: int = 200) -> Response:
    config = visit.site.worker.config()
    places = places_to_restore(config)
    problem = problem or Problem(filled=Filled(place=OTHER if not places else ""))
    shown: Sequence[Envelope] = ()
    if chosen.digests:
        digests = [Digest(bytes.fromhex(one)) for one in chosen.digests]
        with envelopes_in(config.state_dir) as lookup:
            known = lookup(digests[:MOST_SHOWN])
        shown = [known.get(digest, UNKNOWN) for digest in digests[:MOST_SHOWN]]
    return visit.page(
        "give_back.html",
        status,
        chosen=chosen,
        count=len(chosen.digests) or _found(visit, chosen),
        shown=shown,
        places=places,
        other=OTHER,
        ways=list(TlsMode),
        groupings=GROUPINGS,
        problem=problem.said,
        filled=problem.filled,
    )


def _found(visit: Visit, chosen: Chosen) -> int:
    """Return how many messages a search finds of what was chosen."""
    visible = Visible(frozenset([chosen.account])) if chosen.account else EVERYTHING
    query = parse_query(chosen.query or "*")
    with visit.site.ledger() as ledger:
        return search_page(query, visit.site.worker.config(), ledger, visible=visible, limit=1).total


def _chosen(visit: Visit, account: str, query: str, ticked: Sequence[str]) -> Chosen:
    """Return what somebody chose; 404 for what is not there, 422 for a query that makes no sense."""
    if len(ticked) > MOST_TICKED:
        raise Refused(422, words.TOO_LARGE)
    if ticked:
        return Chosen(digests=_digests(visit, ticked))
    query = query.strip()[:LONGEST_QUERY]
    if account:
        visit.account(account)
    if query:
        parse_query(query)
    return Chosen(account, query)


def _digests(visit: Visit, ticked: Sequence[str]) -> tuple[str, ...]:
    try:
        with (
            visit.site.ledger() as ledger,
            reading_messages(visit.site.worker.config(), ledger, EVERYTHING) as reading,
        ):
            return tuple(dict.fromkeys(reading.digest_of(one).hex() for one in ticked))
    except NoSuchMessageError:
        raise Refused(404, words.NOT_FOUND) from None


def _sent(visit: Visit) -> Chosen:
    return _chosen(visit, visit.field("account"), visit.field("q"), visit.form.get("id", ()))


def export(visit: Visit) -> Response:
    """Put an export into the queue; wants one's own password again."""
    chosen, form = _sent(visit), visit.field("format")
    if form not in FORMS:
        raise Refused(422, words.NOT_READ)
    if problem := problem_of_own(visit):
        return _page(visit, chosen, Problem(problem), 422)
    wanted = Export(chosen, Form(form))
    number = visit.site.tasks.ask(EXPORT, chosen.account, visit.user.name, details=wanted.as_details())
    visit.note("export messages", chosen.account, f"job {number}")
    return visit.go_to("/jobs", Said.TASK_ASKED)


def restore(visit: Visit) -> Response:
    """Put a restore into the queue; wants one's own password again, and keeps that of the mailbox in memory only."""
    chosen, filled, password = _sent(visit), _filled(visit), visit.field("password")
    if filled.by not in GROUPINGS or filled.tls not in list(TlsMode):
        raise Refused(422, words.NOT_READ)
    try:
        wanted = _wanted(visit, chosen, filled, password)
    except ConfigError as error:
        return _page(visit, chosen, Problem(sentences(*error.problems), filled), 422)
    if problem := problem_of_own(visit):
        return _page(visit, chosen, Problem(problem, filled), 422)
    number = visit.site.tasks.ask(
        RESTORE,
        chosen.account,
        visit.user.name,
        details=wanted.as_details(),
        secret=password if wanted.url else "",
    )
    visit.note("give mail back", chosen.account, f"job {number}: {wanted.label}")
    return visit.go_to("/jobs", Said.TASK_ASKED)


def _filled(visit: Visit) -> Filled:
    names = ("place", "host", "port", "tls", "username", "folder", "by")
    return Filled(**{name: visit.field(name).strip() for name in names})


def _wanted(visit: Visit, chosen: Chosen, filled: Filled, password: str) -> Restore:
    """Return what is to be done; raises ``ConfigError`` for a mailbox that is none."""
    grouping = Grouping(filled.by)
    if filled.place != OTHER:
        known = dict(places_to_restore(visit.site.worker.config()))
        if filled.place not in known:
            raise ConfigError([words.NO_PLACE])
        return Restore(chosen, grouping, known[filled.place], identity=filled.place)
    if not (filled.host and filled.username and filled.folder):
        raise ConfigError([words.MAILBOX_MISSING])
    if not password:
        raise ConfigError([words.NO_PASSWORD])
    target: ImapDestination = mailbox_of(filled.url, password)
    return Restore(chosen, grouping, label_of(target), url=filled.url)
