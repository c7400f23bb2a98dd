"""What a program may have given back: as the file of a job, or into a mailbox. What it wants stands in the body."""

from __future__ import annotations

from collections.abc import Collection

from starlette.responses import Response

from jobs.web.api.acting import job_asked
from jobs.web.api.asking import ApiRefused, Call
from jobs.web.api.reading import LONGEST_QUERY
from jobs.web.tasks.chosen import Chosen
from jobs.web.tasks.export import EXPORT, FORMS, Export
from jobs.web.tasks.restore import GROUPINGS, RESTORE, Restore, mailbox_of, places_to_restore
from migrator.archive.restore import Grouping
from migrator.interchange.exporter import Form
from migrator.operations.message import reading_messages
from migrator.operations.search import parse_query
from migrator.operations.visible import EVERYTHING
from migrator.wiring.account import label_of

MOST_IDS = 10_000
_CHOICE = frozenset({"account", "q", "ids"})


def export(call: Call) -> Response:
    """Ask for messages to be written into a file; the answer does not wait for it."""
    _refuse_others(call, _CHOICE | {"format"})
    wanted = Export(_chosen(call), Form(_one_of(call, "format", FORMS)))
    number = call.site.tasks.ask(EXPORT, wanted.chosen.account, call.who, details=wanted.as_details())
    call.note("export messages", wanted.chosen.account, f"job {number}")
    return job_asked(call, number)


def restore(call: Call) -> Response:
    """Ask for messages to be stored into a mailbox; the answer does not wait for it."""
    _refuse_others(call, _CHOICE | {"to", "password", "by"})
    grouping = Grouping(_one_of(call, "by", GROUPINGS, default=Grouping.NONE))
    to, password, chosen = _text(call, "to"), _text(call, "password"), _chosen(call)
    known = {label: identity for identity, label in places_to_restore(call.site.worker.config())}
    if to in known:
        wanted = Restore(chosen, grouping, to, identity=known[to])
    else:
        wanted = Restore(chosen, grouping, label_of(mailbox_of(to, password or "-")), url=to)
        if not password:
            raise ApiRefused(422, "usage", "password is missing: that of the mailbox")
    number = call.site.tasks.ask(
        RESTORE, chosen.account, call.who, details=wanted.as_details(), secret=password if wanted.url else ""
    )
    call.note("give mail back", chosen.account, f"job {number}: {wanted.label}")
    return job_asked(call, number)


def _chosen(call: Call) -> Chosen:
    """Return which messages are meant: those with ``ids``, else those of an account that a query finds."""
    name, query, written = _text(call, "account"), _text(call, "q")[:LONGEST_QUERY], call.document().get("ids", [])
    if not isinstance(written, list) or not all(isinstance(one, str) for one in written) or len(written) > MOST_IDS:
        raise ApiRefused(400, "usage", f"ids must be a list of at most {MOST_IDS} ids")
    if written and (name or query):
        raise ApiRefused(422, "usage", "ids say which messages: leave account and q away")
    if written:
        with (
            call.site.ledger() as ledger,
            reading_messages(call.site.worker.config(), ledger, EVERYTHING) as reading,
        ):
            return Chosen(digests=tuple(dict.fromkeys(reading.digest_of(one).hex() for one in written)))
    if query:
        parse_query(query)
    return Chosen(call.named(name).name if name else "", query)


def _text(call: Call, name: str) -> str:
    written = call.document().get(name, "")
    if not isinstance(written, str):
        raise ApiRefused(400, "usage", f"{name} must be text")
    return written


def _one_of(call: Call, name: str, known: Collection[str], *, default: str = "") -> str:
    written = _text(call, name) or default
    if written not in known:
        raise ApiRefused(400, "usage", f"{name} must be one of {', '.join(known)}")
    return written


def _refuse_others(call: Call, known: Collection[str]) -> None:
    if strange := sorted(set(call.document()).difference(known)):
        raise ApiRefused(400, "usage", f"the body has what is not known here: {', '.join(strange)}")
