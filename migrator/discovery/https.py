"""Fetches a small document over https, and over nothing else.

Nothing about a person is in the question. A redirect is followed to https within the domain only; where it leads
elsewhere, that is reported and not asked. ``HTTPS_PROXY`` is honoured.
"""

from __future__ import annotations

import http.client
import urllib.request
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit

from migrator.discovery.address import is_within
from migrator.discovery.autoconfig import LARGEST
from migrator.errors import FerryError, Kind, legible
from migrator.net.stream import ssl_context
from migrator.net.tls import TlsSettings

TIMEOUT = 5.0


class NotFollowedError(FerryError):
    """A redirect that leads where nobody agreed to go."""


def fetch(url: str, domain: str, *, timeout: float = TIMEOUT) -> bytes:
    """Return a document, at most ``LARGEST`` octets of it and one more.

    Raises ``FerryError``: ``connect`` where there is none, ``NotFollowedError`` where it is elsewhere.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "mailferry"})  # noqa: S310  # our opener knows https only
    try:
        with _opener(domain).open(request, timeout=timeout) as answer:
            content: bytes = answer.read(LARGEST + 1)
            return content
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise FerryError(Kind.CONNECT, f"{url} is not there: {legible(str(error))}") from error


def _opener(domain: str) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=ssl_context(TlsSettings())),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _WithinDomain(domain),
    ):
        opener.add_handler(handler)
    return opener


class _WithinDomain(urllib.request.HTTPRedirectHandler):
    max_redirections = 3

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def redirect_request(  # urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Follow within the domain; raise ``NotFollowedError`` otherwise."""
        where = urlsplit(newurl)
        if where.scheme == "https" and is_within(where.hostname or "", self._domain):
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        why = "is not encrypted" if where.scheme != "https" else f"is not of {self._domain}"
        target = legible(f"{where.scheme}://{where.hostname or ''}")[:200]
        raise NotFollowedError(Kind.REFUSED, f"{req.full_url} leads to {target}, which {why}: it was not asked")
