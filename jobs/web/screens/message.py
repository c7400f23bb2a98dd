"""Reading one message: text first, the sender's layout in a frame of its own, its bytes, its attachments.

What a user may not see is answered like what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from jobs.web import words
from jobs.web.downloads import saved, saved_stream, streamed
from jobs.web.seeing import visible_to
from jobs.web.visit import Refused, Visit
from migrator.errors import FerryError, Kind
from migrator.operations.message import MessageReading, NoSuchMessageError, open_to_stream, reading_messages
from migrator.report import shown_unique_id

if TYPE_CHECKING:
    from migrator.parse.layout import Layout

SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
"""What a frame with mail in it may do: let a link be opened in another tab, and nothing else."""

REMOTE = "remote"
"""The value of ``pictures`` with which pictures of other servers are loaded, for this view only."""


def show(visit: Visit) -> Response:
    """Show a message: its text, and everything that is known of it."""
    identity = visit.request.path_params["id"]
    with _reading(visit) as reading, visit.site.parsers.lent() as parser:
        view = reading.view(identity, parser)
    visit.note("read-message", view.digest.hex())
    return visit.page(
        "message.html",
        view=view,
        base=f"/messages/{view.digest.hex()}",
        sandbox=SANDBOX,
        loads_pictures=_loads_pictures(visit),
        origins=[(one, shown_unique_id(one.unique_id)) for one in view.origins],
    )


def show_layout(visit: Visit) -> Response:
    """Answer with the document of the frame: the message as its sender laid it out."""
    loads_pictures = _loads_pictures(visit)
    with _reading(visit) as reading, visit.site.parsers.lent() as parser:
        layout = reading.layout(visit.request.path_params["id"], parser, loads_pictures=loads_pictures)
    return HTMLResponse(document(layout), headers=layout_headers(loads_pictures=loads_pictures))


def document(layout: Layout) -> str:
    """Return cleaned HTML as a document; it looks the same in light and dark, since senders know light only."""
    return (
        '<!doctype html><html><head><meta charset="utf-8"><title>mail</title><style>'
        ":root{color-scheme:light}body{background:#fff;color:#111;font:1rem/1.5 system-ui,sans-serif;margin:1rem;"
        "overflow-wrap:anywhere}img{max-width:100%;height:auto}"
        f'</style></head><body dir="auto">{layout.html}</body></html>'
    )


def layout_headers(*, loads_pictures: bool) -> dict[str, str]:
    """Return what keeps a hostile document from acting and loading, in a frame and outside one."""
    pictures = "data: https:" if loads_pictures else "data:"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
            f"frame-ancestors 'self'; sandbox {SANDBOX}"
        ),
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-store",
    }


def save_raw(visit: Visit) -> Response:
    """Answer with the message's bytes, those of its digest."""
    site = visit.site
    with _in_words():
        identity, config = visit.request.path_params["id"], site.worker.config()
        digest, body, stack = open_to_stream(identity, config, site.ledger(), visible_to(visit.user))
    visit.note("save-message", digest.hex())
    return saved_stream(streamed(body, stack), body.octets, f"{digest.hex()[:20]}.eml")


def save_attachment(visit: Visit) -> Response:
    """Answer with one attachment; it is saved, never opened."""
    identity, number = visit.request.path_params["id"], visit.request.path_params["number"]
    with _reading(visit) as reading, visit.site.parsers.lent() as parser:
        attachment = reading.attachment(identity, number, parser)
    visit.note("save-attachment", f"{identity} {number}")
    return saved(attachment.content, attachment.name)


@contextmanager
def _reading(visit: Visit) -> Iterator[MessageReading]:
    site = visit.site
    with (
        _in_words(),
        site.ledger() as ledger,
        reading_messages(site.worker.config(), ledger, visible_to(visit.user)) as reading,
    ):
        yield reading


@contextmanager
def _in_words() -> Iterator[None]:
    """Answer what is no fault of the worker with its reason; the rest goes on as it is."""
    try:
        yield
    except NoSuchMessageError:
        raise Refused(404, words.NOT_FOUND) from None
    except FerryError as error:
        if error.kind not in {Kind.REFUSED, Kind.TOO_LARGE, Kind.UNPROVEN}:
            raise
        raise Refused(422, words.sentence(error.message)) from error


def _loads_pictures(visit: Visit) -> bool:
    return visit.query("pictures") == REMOTE
