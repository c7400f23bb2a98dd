"""A very small browser without JavaScript, over real HTTP: it keeps cookies, reads forms and sends them."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Form:
    action: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    def forms(self) -> list[Form]:
        reader = _Forms()
        reader.feed(self.text)
        return reader.forms

    def form(self, action: str) -> Form:
        return next(form for form in self.forms() if form.action == action)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in said:
            is_ticked = said.get("type") not in {"checkbox", "radio"} or "checked" in said
            if is_ticked:
                self.forms[-1].fields[said["name"]] = said.get("value", "")
        elif tag == "select":
            self._select = said.get("name", "")
        elif tag == "option" and self._select and self.forms and "value" in said:
            is_first = self._select not in self.forms[-1].fields
            if is_first or "selected" in said:
                self.forms[-1].fields[self._select] = said["value"]


@dataclass
class Browser:
    """One person's browser at one page."""

    port: int
    host: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    context: ssl.SSLContext | None = None

    @property
    def name(self) -> str:
        return self.host or f"127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str | None] | None = None
    ) -> Page:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if self.context is not None:
            line = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.context)
        said: dict[str, str | None] = {"Host": self.name, "Connection": "close"}
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        said |= headers or {}
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in said.items():
                if value is not None:
                    line.putheader(name, value)
            if body is not None:
                line.putheader("Content-Length", str(len(body)))
            line.endheaders(body)
            answer = line.getresponse()
            for cookie in answer.headers.get_all("set-cookie") or []:
                self._keep(cookie)
            return Page(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            line.close()

    def is_answered(self) -> bool:
        """Whether anybody listens there yet."""
        try:
            return self.get("/sign-in").status > 0
        except ConnectionError:
            return False

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.partition(";")[0].partition("=")
        if value.strip('"'):
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)

    def get(self, path: str, headers: Mapping[str, str | None] | None = None) -> Page:
        return self.ask("GET", path, headers=headers)

    def post(
        self, path: str, fields: Mapping[str, str | list[str]], headers: Mapping[str, str | None] | None = None
    ) -> Page:
        said = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"{'https' if self.context else 'http'}://{self.name}",
        }
        return self.ask("POST", path, urlencode(fields, doseq=True).encode(), {**said, **(headers or {})})

    def send(self, form: Form, **fields: str | list[str]) -> Page:
        """Fill a form of a page and send it."""
        return self.post(form.action, {**form.fields, **fields})

    def follow(self, page: Page) -> Page:
        parts = urlsplit(page.location)
        return self.get(parts.path + (f"?{parts.query}" if parts.query else ""))
