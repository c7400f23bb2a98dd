"""From a request with a token to its answer: who asks, what may be asked, and what a refusal looks like."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobs.log import say
from jobs.web.people import ApiToken, Scope
from jobs.web.site import Site
from jobs.web.token_store import find_token
from migrator.config import Account
from migrator.config.problems import nearest
from migrator.errors import ConfigError, DefectError, FerryError, Kind, contained
from migrator.lazy_dataclasses import dataclass
from migrator.operations.message import NoSuchMessageError

PREFIX = "/api/v1/"
LARGEST_BODY = 1_000_000
MOST_RESULTS = 500
USUAL_RESULTS = 50
_STATUS = {Kind.REFUSED: 422, Kind.TOO_LARGE: 422, Kind.UNPROVEN: 422, Kind.LOCKED: 409}
"""What is no fault of the worker; the rest is 503."""


class ApiRefused(Exception):  # noqa: N818  # it is an answer
    """A request that is answered with an error: its status, kind and a sentence."""

    def __init__(self, status: int, kind: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a program that was let in."""

    request: Request
    site: Site
    token: ApiToken
    body: bytes = b""

    def document(self) -> Mapping[str, object]:
        """Return the body, which is a JSON object; 400 for anything else. None at all is an empty one."""
        try:
            read = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise ApiRefused(400, "usage", "the body must be a JSON object") from None
        if not isinstance(read, dict):
            raise ApiRefused(400, "usage", "the body must be a JSON object")
        return read

    def parameter(self, name: str) -> str:
        """Return a parameter of the address, the empty text where it is not there."""
        return self.request.query_params.get(name, "")

    def given(self, name: str) -> str | None:
        """Return a parameter of the address, None where it is not there."""
        return self.request.query_params.get(name)

    def number(self, name: str) -> int | None:
        """Return a parameter that is a whole number, None where it is not there; 400 for anything else."""
        written = self.given(name)
        if written is None:
            return None
        if not (written.isascii() and written.isdigit() and len(written) <= 18):
            raise ApiRefused(400, "usage", f"{name} must be a whole number")
        return int(written)

    @property
    def before(self) -> int | None:
        """Return the number behind which the page begins, by the cursor of the page before; None for the first."""
        return self.number("cursor") if self.parameter("cursor") else None

    @property
    def limit(self) -> int:
        """How many results are wanted at most."""
        wanted = self.number("limit")
        if wanted is None:
            return USUAL_RESULTS
        if not 1 <= wanted <= MOST_RESULTS:
            raise ApiRefused(400, "usage", f"limit must be from 1 to {MOST_RESULTS}")
        return wanted

    def account(self) -> Account:
        """Return the account that the address names; 404 for one that is not configured."""
        return self.named(self.request.path_params["name"])

    def configured_account(self) -> str:
        """Return the account that a parameter names, the empty text for all; 404 for one that is not configured."""
        name = self.parameter("account")
        return self.named(name).name if name else ""

    def named(self, name: str) -> Account:
        """Return a configured account; 404 for one that is not."""
        for account in self.site.worker.config().accounts:
            if account.name == name:
                return account
        raise ApiRefused(404, "not-found", f'there is no account "{name}"')

    @property
    def who(self) -> str:
        """Who asks, as the audit knows it."""
        return f"{self.token.user} (token {self.token.name})"

    def note(self, action: str, subject: str = "", outcome: str = "done") -> None:
        """Append to the audit what this program did."""
        self.site.note(self.who, _address(self.request), action, subject, outcome)


Answer = Callable[[Call], Response]


def api_route(
    site: Site,
    method: str,
    path: str,
    answer: Answer,
    needs: Scope,
    *,
    parameters: Collection[str] = (),
    has_body: bool = False,
) -> Route:
    """Return the route of one operation, which needs a scope and takes these parameters, each once, and no other.

    Where it ``has_body``, that is read, not too much of it.
    """

    def answer_checked(call: Call) -> Response:
        _check_parameters(call.request, parameters)
        return answer(call)

    async def endpoint(request: Request) -> Response:
        body = b""
        if has_body:
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    return api_error(413, "usage", f"the body has more than {LARGEST_BODY} octets")
        return await run_in_threadpool(_answered, request, site, answer_checked, needs, body)

    return Route(f"{PREFIX}{path}", endpoint, methods=[method])


def _check_parameters(request: Request, known: Collection[str]) -> None:
    """Refuse what would be passed over in silence: a misspelt parameter, and one that is given twice."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if name not in known:
            hint = nearest(name, known) if known else "; it takes none"
            raise ApiRefused(400, "usage", f'there is no parameter "{name}" here{hint}')
        if times > 1:
            raise ApiRefused(400, "usage", f"{name} is given {times} times")


def _answered(request: Request, site: Site, answer: Answer, needs: Scope, body: bytes) -> Response:
    try:
        with contained():
            return _asked(request, site, answer, needs, body)
    except FerryError as error:
        status = 500 if isinstance(error, DefectError) else _STATUS.get(error.kind, 503)
        if status >= 500:
            path = request.url.path
            say("web.failed", level=logging.ERROR, path=path, kind=str(error.kind), problem=str(error))
        text = "this could not be answered; the worker's log says why" if status == 500 else str(error)
        return api_error(status, str(error.kind), text)


def _asked(request: Request, site: Site, answer: Answer, needs: Scope, body: bytes) -> Response:
    try:
        return answer(Call(request, site, _allowed(_token(request, site), needs), body))
    except ApiRefused as refused:
        return api_error(refused.status, refused.kind, refused.text)
    except NoSuchMessageError as error:
        return api_error(404, "not-found", error.message)
    except ConfigError as error:
        return api_error(422, "usage", "; ".join(error.problems))


def _allowed(token: ApiToken, needs: Scope) -> ApiToken:
    if not token.scope.includes(needs):
        raise ApiRefused(403, "scope", f"the scope of this token is {token.scope}; this needs {needs}")
    return token


def _token(request: Request, site: Site) -> ApiToken:
    """Return the token of a request; one address may not try any number of them."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (token := find_token(site.store, secret.strip(), site.clock())):
        return token
    address = _address(request)
    if site.limits.is_locked(address, f"token {address}"):
        raise ApiRefused(429, "limited", "too many attempts: wait a little and try again")
    if secret:
        site.limits.failed(address, f"token {address}")
    raise ApiRefused(401, "auth", "this needs a token: Authorization: Bearer TOKEN")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def api_error(status: int, kind: str, text: str) -> Response:
    """Answer with the contract's error."""
    headers = {"WWW-Authenticate": 'Bearer realm="mailferry"'} if status == 401 else None
    return JSONResponse({"error": {"kind": kind, "text": text}}, status, headers=headers)


def no_operation(status: int) -> Response:
    """Answer a request for what the API does not have."""
    return api_error(status, "not-found", f"the API has no such operation; {PREFIX}openapi.json lists them")


def answered(document: Mapping[str, object], status: int = 200) -> Response:
    """Answer with a document."""
    return JSONResponse(document, status)
