"""Asking a provider by https: one request, one JSON document, nothing else.

https only, no redirects (a redirected POST would become a GET), at most 1 MB, at most 20 seconds of silence and 30 in
all. What comes back is not shown as it is: it may hold tokens.
"""

from __future__ import annotations

import json
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from migrator.errors import ConfigError, FerryError, contained
from migrator.lazy_dataclasses import dataclass, field
from migrator.net.tls import is_loopback
from migrator.oauth.failures import unreachable

TIMEOUT = 20.0
MOST_SECONDS = 30.0
"""For name, connection and answer together: one that comes in drops never ends otherwise."""
MOST_OCTETS = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A status (RFC 9110) and the text of a JSON object."""

    status: int
    text: str = field(repr=False)
    document: Mapping[str, object] = field(repr=False)


Ask = Callable[[str, str | None], Answer]
"""Sends a form to an address, or nothing (a GET), and returns the answer."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for what it is: no answer."""

    def redirect_request(self, *_args: object) -> None:  # None: it ends as an HTTPError
        """Go nowhere else with what is secret."""


def ask(url: str, form: str | None = None, *, seconds: float = MOST_SECONDS, authorization: str = "") -> Answer:
    """Send a form by POST, or nothing by GET; ``authorization`` is that field of the request (RFC 9110).

    Raises ``temporary`` where no JSON object comes back, whatever the reason: captive portals answer with pages.
    """
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme != "https" or not host:
        raise ConfigError([f"{url}: tokens are asked for by https only"])
    headers = {"Accept": "application/json", "User-Agent": "mailferry"}
    if authorization:
        headers["Authorization"] = authorization
    data = None if form is None else form.encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310  # https, as was just made sure
    status, content = _in_time(lambda: _answered(request, host), host, seconds)
    if len(content) > MOST_OCTETS:
        raise unreachable(host, "sends more than an answer can hold")
    return _json(host, status, content)


def _in_time(call: Callable[[], tuple[int, bytes]], host: str, seconds: float) -> tuple[int, bytes]:
    """Return what a call returns, or raise what it raises; a call that takes too long is left to itself."""
    done: queue.SimpleQueue[tuple[int, bytes] | FerryError] = queue.SimpleQueue()

    def run() -> None:
        try:
            with contained():
                done.put(call())
        except FerryError as error:  # it is raised where it is waited for
            done.put(error)

    threading.Thread(target=run, name="oauth", daemon=True).start()
    try:
        result = done.get(timeout=seconds)
    except queue.Empty:
        raise unreachable(host, f"did not answer within {seconds:.0f} seconds", is_timeout=True) from None
    if isinstance(result, FerryError):
        raise result
    return result


def _answered(request: urllib.request.Request, host: str) -> tuple[int, bytes]:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as response:
                return response.status, response.read(MOST_OCTETS + 1)
        except urllib.error.HTTPError as error:  # an answer, too: it says what is wrong
            with error:
                return error.code, error.read(MOST_OCTETS + 1)
    # The causes are left out of what is raised: they hold what was sent.
    except TimeoutError:
        raise unreachable(host, f"did not answer within {TIMEOUT:.0f} seconds", is_timeout=True) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise unreachable(host, f"did not answer within {TIMEOUT:.0f} seconds", is_timeout=True) from None
        raise unreachable(host, f"cannot be reached: {_reason(error.reason)}") from None
    except (OSError, HTTPException) as error:  # it closed the line in the middle: it may have heard us
        raise unreachable(host, f"broke off: {_reason(error)}", is_timeout=True) from None


def _reason(error: object) -> str:
    words = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or type(error).__name__
    return str(words)


def _json(host: str, status: int, content: bytes) -> Answer:
    try:
        text = content.decode()
        document = json.loads(text)
    except (ValueError, RecursionError):
        document, text = None, ""
    if not isinstance(document, dict):
        raise unreachable(host, f"sent something else than an answer (status {status})") from None
    return Answer(status, text, document)
