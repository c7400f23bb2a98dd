"""One request as a screen sees it: who asks, with which form, and what can be answered."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jobs.web import words
from jobs.web.identity_store import Identity, identity_of
from jobs.web.language import Language, current_language
from jobs.web.origins import local_address, name_of
from jobs.web.passkey_store import passkeys_of
from jobs.web.passkeys import is_installed
from jobs.web.people import User
from jobs.web.site import Site
from jobs.web.store import Session
from jobs.web.templates import rendered
from jobs.web.words import Said
from migrator.config import Account
from migrator.lazy_dataclasses import dataclass, field

Form = Mapping[str, Sequence[str]]

TOKEN_FIELD = "csrf"  # noqa: S105  # the name of a field
OWN_SECONDS = 1800.0
"""So long after the password was given a dangerous form does without it."""
LONGEST_NUMBER = 18
"""Digits of a number in an address."""
_STRANGERS_KEY = secrets.token_bytes(32)


class Refused(Exception):  # noqa: N818  # it is an answer
    """A request that is not answered as it wished: with a status and a sentence."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. ``session`` is None for a stranger."""

    request: Request
    site: Site
    session: Session | None = None
    form: Form = field(default_factory=dict)

    @property
    def user(self) -> User:
        """Who asks; a stranger is sent away."""
        if self.session is None:
            raise Refused(401, words.NOT_ALLOWED)
        return self.session.user

    @property
    def address(self) -> str:
        """The address of the other end."""
        return self.request.client.host if self.request.client else ""

    @property
    def netloc(self) -> str:
        """Name and port that the request was sent to; the guard has seen that they are ours."""
        return self.request.headers.get("host", "").lower()

    @property
    def origin(self) -> str:
        """Where browsers see this page: as the form says that was sent, whose origin is ours (``answering``)."""
        said = (self.request.headers.get("origin") or "").partition("://")[0].lower()
        scheme = said if said in {"http", "https"} else "https" if self.site.is_tls else "http"
        return f"{scheme}://{self.netloc}"

    @property
    def host(self) -> str:
        """The name that the request was sent to."""
        return name_of(self.netloc)

    @property
    def language(self) -> Language:
        """The language of the answer: the user's choice, else the browser's wish."""
        chosen = self.session.language if self.session else ""
        return self.site.language(chosen, self.request.headers.get("accept-language", ""))

    @property
    def form_token(self) -> str:
        """What every form that this visitor is sent has in its field ``csrf``."""
        return self.session.form_token if self.session else strangers_token()

    @property
    def wants_own(self) -> bool:
        """Whether a dangerous form asks for the own password again."""
        return self.session is None or not 0 <= self.site.clock() - self.session.confirmed_at < OWN_SECONDS

    @property
    def identity(self) -> Identity | None:
        """The account at the OpenID provider that signs this user in; None where there is none."""
        provider = self.site.openid()
        return identity_of(self.site.store, self.user.name, provider.settings.issuer) if provider else None

    @property
    def has_passkeys_here(self) -> bool:
        """Whether a passkey of this user belongs to the name by which the page was opened."""
        known = passkeys_of(self.site.store, self.user.name) if is_installed() else ()
        return any(passkey.host == self.host for passkey in known)

    @property
    def has_other_ways(self) -> bool:
        """Whether this user can show again who they are without the password."""
        return self.session is not None and (self.identity is not None or self.has_passkeys_here)

    @property
    def here(self) -> str:
        """The address of the page that this visitor looks at: that of the request, or the one whose form was sent."""
        url = urlsplit(self.request.headers.get("referer", "") if self.form else str(self.request.url))
        return local_address(url.path + (f"?{url.query}" if url.query else "")) or "/"

    def field(self, name: str) -> str:
        """Return a field of the form, the empty text where it is not there."""
        return next(iter(self.form.get(name, ())), "")

    def query(self, name: str) -> str:
        """Return a parameter of the address, the empty text where it is not there."""
        return self.request.query_params.get(name, "")

    def number(self, name: str) -> int | None:
        """Return a parameter that is a number, None where it is not there; the database takes none that is larger."""
        written = self.query(name)
        if not written:
            return None
        if not (written.isascii() and written.isdecimal() and len(written) <= LONGEST_NUMBER):
            raise Refused(400, words.NOT_READ)
        return int(written)

    def account(self, name: str) -> Account:
        """Return a configured account; 404 for one that is not there, or not this user's to see."""
        for account in self.site.accounts(self.user):
            if account.name == name:
                return account
        raise Refused(404, words.NOT_FOUND)

    def page(self, template: str, code: int = 200, /, **values: object) -> Response:
        """Answer with a page."""
        notice = words.notice(self.query("said"))
        language = current_language()
        user = self.session.user if self.session else None
        shown = rendered(template, visit=self, user=user, notice=notice, language=language, **values)
        headers = {"Content-Language": language.tag, "Vary": "Accept-Language, Cookie"}
        return HTMLResponse(shown, code, headers)

    def go_to(self, path: str, said: Said | None = None) -> Response:
        """Answer a form: the browser goes on to another address of ours, which says what was done."""
        joint = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{joint}{urlencode({'said': said})}" if said else path, 303)

    def note(self, action: str, subject: str = "", outcome: str = "done") -> None:
        """Append to the audit what this user did."""
        name = self.session.user.name if self.session else ""
        self.site.note(name, self.address, action, subject, outcome)


def strangers_token() -> str:
    """Return the token of forms for somebody who is not signed in: nobody else's program could have made it."""
    moment = secrets.token_urlsafe(12)
    return f"{moment}.{_signed(moment)}"


def is_strangers_token(token: str) -> bool:
    """Say whether this process has given such a token."""
    moment, dot, signature = token.partition(".")
    return bool(dot) and hmac.compare_digest(_signed(moment).encode(), signature.encode(errors="replace"))


def _signed(moment: str) -> str:
    return hmac.new(_STRANGERS_KEY, moment.encode(errors="replace"), "sha256").hexdigest()


def path_of_account(name: str) -> str:
    """Return the address of an account's page."""
    return f"/accounts/{quote(name, safe='@')}"
