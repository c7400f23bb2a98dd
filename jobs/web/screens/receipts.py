"""Deletions: what is gone at the providers, what confirmed it, and where its copies are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from jobs.web import words
from jobs.web.visit import LONGEST_NUMBER, Refused, Visit
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.receipts import Filter
from migrator.operations.receipts import (
    Receipt,
    every_receipt,
    newest_receipts,
    numbered_receipt,
    parse_digest,
)
from migrator.operations.receipts_table import copy_in_words, receipts_as_csv

PAGE = 50

Writing = Callable[[Iterator[Receipt]], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for, as it was written."""

    account: str
    since: str
    until: str
    digest: str

    @property
    def query(self) -> str:
        """The same as parameters of an address."""
        given = {"account": self.account, "from": self.since, "to": self.until, "digest": self.digest}
        return urlencode({name: value for name, value in given.items() if value})


def show(visit: Visit) -> Response:
    """Show a page of receipts, newest first."""
    wanted = _wanted(visit)
    filters = _filter(visit, wanted)
    before = visit.number("before")
    found: list[Receipt] = []
    accounts: list[str] = []
    with visit.site.ledger() as ledger:
        if filters is not None:
            config = visit.site.worker.config()
            found = newest_receipts(config, ledger, filters, PAGE + 1, before)
        known = {account.name for account in visit.site.accounts(visit.user)}
        accounts = sorted(known.union(visit.user.visible(ledger.receipts.accounts())))
    shown = found[:PAGE]
    older = ""
    if len(found) > PAGE:
        number = urlencode({"before": shown[-1].deletion.number})
        older = f"/receipts?{wanted.query}&{number}" if wanted.query else f"/receipts?{number}"
    return visit.page(
        "receipts.html", wanted=wanted, accounts=accounts, receipts=shown, copy_in_words=copy_in_words, older=older
    )


def show_one(visit: Visit) -> Response:
    """Show one receipt, in a form to print."""
    number = visit.request.path_params["number"]
    receipt = None
    if number < 10**LONGEST_NUMBER:
        with visit.site.ledger() as ledger:
            receipt = numbered_receipt(visit.site.worker.config(), ledger, number)
    if receipt is None or not visit.user.sees(receipt.deletion.account):
        raise Refused(404, words.NOT_FOUND)
    return visit.page("receipt.html", receipt=receipt, copy_in_words=copy_in_words)


def as_csv(visit: Visit) -> Response:
    """Send every receipt that was asked for as a table, oldest first."""
    return _download(visit, "receipts.csv", "text/csv; charset=utf-8", receipts_as_csv)


def as_json(visit: Visit) -> Response:
    """Send every receipt that was asked for as the document of ``receipts --json``, oldest first."""
    return _download(visit, "receipts.json", "application/json", _document)


def _download(visit: Visit, name: str, kind: str, written: Writing) -> Response:
    filters = _filter(visit, _wanted(visit))
    visit.note("export receipts", _wanted(visit).account)

    def chunks() -> Iterator[str]:
        with visit.site.ledger() as ledger:
            receipts = every_receipt(visit.site.worker.config(), ledger, filters) if filters else iter(())
            yield from written(receipts)

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks(), media_type=kind, headers=headers)


def _document(receipts: Iterator[Receipt]) -> Iterator[str]:
    yield '{"receipts": ['
    for number, receipt in enumerate(receipts):
        yield (", " if number else "") + json.dumps(receipt.as_json())
    yield "]}\n"


def _wanted(visit: Visit) -> Wanted:
    return Wanted(
        visit.query("account").strip(),
        visit.query("from").strip(),
        visit.query("to").strip(),
        visit.query("digest").strip(),
    )


def _filter(visit: Visit, wanted: Wanted) -> Filter | None:
    """Return what to read, None where this user may see nothing of it."""
    user = visit.user
    accounts: tuple[str, ...] = (wanted.account,) if wanted.account else ()
    if not user.sees_everything:
        accounts = tuple(user.visible(accounts or sorted(user.accounts)))
        if not accounts:
            if wanted.account:
                raise Refused(404, words.NOT_FOUND)
            return None
    digests = parse_digest(wanted.digest) if wanted.digest else None
    until = _midnight(wanted.until, timedelta(days=1))
    return Filter(accounts, _midnight(wanted.since), until, digests)


def _midnight(written: str, later: timedelta = timedelta()) -> float | None:
    """Return when a day begins here, or so much later; None where none is given."""
    if not written:
        return None
    try:
        return datetime.combine(date.fromisoformat(written) + later, time()).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise Refused(422, words.NO_DAY) from None
