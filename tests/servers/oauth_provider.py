"""An OAuth 2.0 provider on loopback, https only, which does what a script says.

It signs people in without asking them, issues codes, tokens and device codes, rotates refresh tokens and revokes a
grant whose old one is used again, and answers introspection (RFC 7662) on a plain port, as Dovecot asks for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.certificates import authority, identity

CLIENT = "the-client"
SECRET = "the-client-secret"


@dataclass
class Grant:
    """What one sign-in gave."""

    user: str
    scope: str
    refresh: list[str] = field(default_factory=list)
    is_revoked: bool = False


@dataclass
class Raw:
    """An answer as it stands, in place of the right one."""

    status: int
    content: bytes
    is_lost: bool = False
    """Whether the provider does what it was asked, and closes the line in place of an answer."""


class OAuthProvider:
    """A running provider; stops at the end of its ``with`` block."""

    def __init__(self, *, lifetime: int = 3600, rotates: bool = True, revokes: bool = True) -> None:
        self.lifetime = lifetime
        self.rotates = rotates
        self.revokes = revokes
        self.user = "alice"
        """Who signs in in the browser."""
        self.gives_scope: str | None = None
        """What is granted, where that is not what was asked for."""
        self.refuses_sign_in = False
        self.gives_refresh_token = True
        self.refresh_lifetime = 0
        self.pending_polls = 0
        self.delay = 0.0
        self.next_answers: deque[Raw] = deque()
        """What the token endpoint answers next."""
        self.asked: list[dict[str, str]] = []
        """Every form that the token endpoint got."""
        self.refused_tokens = 0
        self.refuses_all = False
        """Whether mail may be fetched by nobody, whatever the token."""
        self.introspects_with_401 = False
        self.issued: Callable[[str], None] = lambda _token: None
        """Called with each new access token."""
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[dict[str, str], Grant]] = {}
        self._devices: dict[str, Grant] = {}
        self._polls: dict[str, int] = {}
        self._grants: list[Grant] = []
        self._access: dict[str, tuple[Grant, float]] = {}
        self._issued: list[str] = []
        self._https = self._server(identity().server_context())
        self._http = self._server(None)

    def _server(self, context: Any) -> ThreadingHTTPServer:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_args: object) -> None:
                pass

        server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._https, self._http):
            server.shutdown()
            server.server_close()

    # ---- what tests ask and say

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self._https.server_address[1]}"

    @property
    def introspection_url(self) -> str:
        return f"http://{CLIENT}:{SECRET}@127.0.0.1:{self._http.server_address[1]}/introspect?token="

    @property
    def introspection_post_url(self) -> str:
        return f"http://{CLIENT}:{SECRET}@127.0.0.1:{self._http.server_address[1]}/introspect"

    @property
    def table(self) -> str:
        """The lines of ``[oauth.local]`` but for the heading."""
        return (
            f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\nauthorize = "{self.issuer}/authorize"\n'
            f'token = "{self.issuer}/token"\ndevice = "{self.issuer}/device"\nscopes = ["mail"]\n'
        )

    @property
    def every_secret(self) -> list[str]:
        """All that must not be seen anywhere: tokens, codes, and the client's secret."""
        with self._lock:
            verifiers = [form["code_verifier"] for form in self.asked if "code_verifier" in form]
            return [*self._issued, *verifiers, SECRET]

    def knows(self, access: str) -> bool:
        """Whether an access token is accepted now."""
        with self._lock:
            grant, until = self._access.get(access, (Grant("", ""), 0.0))
            return until > time.time() and not (grant.is_revoked or self.refuses_all)

    def owner(self, access: str) -> str:
        with self._lock:
            return self._access[access][0].user if access in self._access else ""

    def revoke_all(self) -> None:
        """End every sign-in, as a changed password does, and the access tokens with it."""
        with self._lock:
            for grant in self._grants:
                grant.is_revoked = True

    def expire_access_tokens(self) -> None:
        """End every access token before its time; sign-ins stay."""
        with self._lock:
            self._access.clear()

    def browse(self, url: str) -> str:
        """Be the browser of somebody who says yes: return the address at which it ends."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return self._authorized(query)

    # ---- endpoints

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/authorize":
            request.send_response(302)
            request.send_header("Location", self._authorized(query))
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif parts.path == "/.well-known/oauth-authorization-server":
            self._say(request, 200, self._metadata())
        elif parts.path == "/introspect":
            self._introspect(request, query.get("token", ""))
        else:
            self._say(request, 404, {})

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(content).items()}
        match urlsplit(request.path).path:
            case "/token":
                self._token(request, form)
            case "/device":
                self._device(request, form)
            case "/introspect":
                self._introspect(request, form.get("token", ""))
            case _:
                self._say(request, 404, {})

    def _metadata(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "device_authorization_endpoint": f"{self.issuer}/device",
        }

    def _authorized(self, query: dict[str, str]) -> str:
        if self.refuses_sign_in:
            return query["redirect_uri"] + "/?" + urlencode({"error": "access_denied", "state": query["state"]})
        code = self._new()
        with self._lock:
            grant = Grant(self.user, query["scope"] if self.gives_scope is None else self.gives_scope)
            self._codes[code] = (query, grant)
        return query["redirect_uri"] + "/?" + urlencode({"code": code, "state": query["state"], "iss": self.issuer})

    def _device(self, request: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        code = self._new()
        with self._lock:
            self._devices[code] = Grant(self.user, form["scope"])
            self._polls[code] = self.pending_polls
        where = f"{self.issuer}/activate"
        answer = {"device_code": code, "user_code": "WDJB-MJHT", "verification_uri": where, "expires_in": 60}
        self._say(request, 200, answer | {"interval": 1})

    def _token(self, request: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        with self._lock:
            self.asked.append(form)
            scripted = self.next_answers.popleft() if self.next_answers else None
        time.sleep(self.delay)
        if scripted is not None and not scripted.is_lost:
            self._raw(request, scripted.status, scripted.content)
            return
        status, document = self._granted(form)
        if scripted is not None:
            request.close_connection = True
            return
        self._say(request, status, document)

    def _granted(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client"}
        with self._lock:
            match form["grant_type"]:
                case "authorization_code":
                    return self._by_code(form)
                case "refresh_token":
                    return self._by_refresh(form["refresh_token"])
                case "client_credentials":
                    return 200, self._tokens(Grant(self.user, form["scope"]), has_refresh=False)
                case _:
                    return self._by_device(form["device_code"])

    def _by_code(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        query, grant = self._codes.pop(form["code"], ({}, Grant("", "")))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (query.get("code_challenge"), query.get("redirect_uri")) != (challenge, form.get("redirect_uri")):
            return 400, {"error": "invalid_grant", "error_description": f"bad code {form['code']}"}
        self._grants.append(grant)
        return 200, self._tokens(grant)

    def _by_device(self, code: str) -> tuple[int, dict[str, object]]:
        if code not in self._devices:
            return 400, {"error": "expired_token"}
        if self._polls[code] > 0:
            self._polls[code] -= 1
            return 400, {"error": "slow_down" if self._polls[code] == 0 else "authorization_pending"}
        grant = self._devices.pop(code)
        self._grants.append(grant)
        return 200, self._tokens(grant)

    def _by_refresh(self, token: str) -> tuple[int, dict[str, object]]:
        for grant in self._grants:
            if token in grant.refresh:
                if grant.is_revoked:
                    break
                if token != grant.refresh[-1] and self.revokes:
                    grant.is_revoked = True
                    break
                return 200, self._tokens(grant, has_refresh=self.rotates)
        self.refused_tokens += 1
        return 400, {"error": "invalid_grant", "error_description": f"Token {token} has been expired or revoked."}

    def _tokens(self, grant: Grant, *, has_refresh: bool = True) -> dict[str, object]:
        access = self._new()
        self.issued(access)
        self._access[access] = (grant, time.time() + self.lifetime)
        document: dict[str, object] = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        document["scope"] = grant.scope
        if has_refresh and self.gives_refresh_token:
            refresh = self._new()
            grant.refresh.append(refresh)
            document["refresh_token"] = refresh
        if self.refresh_lifetime:
            document["refresh_token_expires_in"] = self.refresh_lifetime
        return document

    def _introspect(self, request: BaseHTTPRequestHandler, token: str) -> None:
        is_known = self.knows(token)
        if not is_known and self.introspects_with_401:
            self._say(request, 401, {"error": "invalid_token"})
            return
        document: dict[str, object] = {"active": is_known}
        if is_known:
            document |= {"username": self.owner(token), "scope": "mail"}
        self._say(request, 200, document)

    def _new(self) -> str:
        made = secrets.token_urlsafe(24)
        self._issued.append(made)
        return made

    def _say(self, request: BaseHTTPRequestHandler, status: int, document: dict[str, object]) -> None:
        self._raw(request, status, json.dumps(document).encode())

    def _raw(self, request: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def trusted(monkeypatch: Any, folder: Any) -> Iterator[None]:
    """Have the system's store of certificates hold our throw-away authority alone."""
    bundle = folder / "authority.pem"
    bundle.write_bytes(authority().certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))
    yield
