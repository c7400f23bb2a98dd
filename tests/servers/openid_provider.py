"""An OpenID provider on loopback, https only, which signs people in without asking them, and lies as a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.servers.certificates import identity

CLIENT = "the page"
SECRET = "the client's secret: 100 %"
Key = ECKey | RSAKey


@cache
def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})


def ec_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig"})


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class OpenIdProvider:
    """A running provider; stops at the end of its ``with`` block."""

    def __init__(self) -> None:
        self.subject = "248289761001"
        """Who signs in in the browser."""
        self.claims: dict[str, object] = {"preferred_username": "ann@example.org"}
        """What the next ID tokens say beside, or in place of, what is right; None leaves a claim out."""
        self.key: Key = ec_key("first")
        self.published: list[Mapping[str, Any]] | None = None
        """The key set, where it is not the key that signs."""
        self.token: Callable[[dict[str, object]], str] = self.signed
        """Makes an ID token of its claims."""
        self.metadata: dict[str, object] = {}
        """What it says of itself beside, or in place of, what is right."""
        self.answers: dict[str, tuple[int, bytes]] = {}
        """What a path answers, in place of the right thing."""
        self.refuses = False
        self.asked: list[str] = []
        """Every path that was asked for."""
        self.authorizations: list[dict[str, str]] = []
        """What each browser was sent with."""
        self._codes: dict[str, dict[str, str]] = {}
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

            def handle_error(self, *_args: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = (
            identity()
            .server_context()
            .wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        )
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}"

    @property
    def table(self) -> str:
        """The table ``[web.oidc]``."""
        return f'[web.oidc]\nissuer = "{self.issuer}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\nname = "Example"\n'

    def browse(self, url: str) -> str:
        """Be the browser of somebody who says yes: return the address that it is sent back to."""
        return self._authorized({name: values[0] for name, values in parse_qs(urlsplit(url).query).items()})

    def signed(self, claims: dict[str, object]) -> str:
        """Return an ID token as it should be."""
        algorithm = "ES256" if isinstance(self.key, ECKey) else "RS256"
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key, [algorithm])

    def rotate(self, name: str) -> None:
        """Sign with another key from now on."""
        self.key = ec_key(name)

    # ---- endpoints

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        self.asked.append(parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path in self.answers:
            _say(request, *self.answers[parts.path])
        elif parts.path == "/authorize":
            request.send_response(302)
            request.send_header("Location", self._authorized(query))
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif parts.path == "/.well-known/openid-configuration":
            _say(request, 200, json.dumps(self._metadata()).encode())
        elif parts.path == "/keys":
            keys = [self.key.as_dict(private=False)] if self.published is None else self.published
            _say(request, 200, json.dumps({"keys": keys}).encode())
        else:
            _say(request, 404, b"{}")

    def _metadata(self) -> dict[str, object]:
        right: dict[str, object] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return right | self.metadata

    def _authorized(self, query: dict[str, str]) -> str:
        self.authorizations.append(query)
        if self.refuses:
            return f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        told = {"code": code, "state": query["state"], "iss": self.issuer}
        return f"{query['redirect_uri']}?{urlencode(told)}"

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(content).items()}
        self.asked.append(request.path)
        if request.path in self.answers:
            _say(request, *self.answers[request.path])
            return
        status, document = self._redeemed(form, request.headers.get("Authorization", ""))
        _say(request, status, json.dumps(document).encode())

    def _redeemed(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, object]]:
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        query = self._codes.pop(form.get("code", ""), {})
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (query.get("code_challenge"), query.get("redirect_uri")) != (challenge, form.get("redirect_uri")):
            return 400, {"error": "invalid_grant", "error_description": f"bad code {form.get('code')}"}
        now = int(time.time())
        claims: dict[str, object] = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "nonce": query["nonce"]}
        claims |= {"iat": now, "exp": now + 300} | self.claims
        token = self.token({name: value for name, value in claims.items() if value is not None})
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if "client_secret_post" in str(self.metadata.get("token_endpoint_auth_methods_supported", "")):
            return form.get("client_secret") == SECRET and not authorization
        kind, _, written = authorization.partition(" ")
        name, _, secret = base64.b64decode(written).decode().partition(":")
        is_right = (kind, unquote_plus(name), unquote_plus(secret)) == ("Basic", CLIENT, SECRET)
        return is_right and "client_secret" not in form


def _say(request: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)
