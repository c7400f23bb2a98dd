"""OAuth tokens that a Dovecot with our key accepts: JSON Web Tokens (RFC 7519), signed with HMAC-SHA-256."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

_KEY = b"a throw-away key of 32 bytes ..."
_LIFETIME = 3600


def token_for(user: str, padding: int = 0) -> str:
    """Make a token for a user, valid for an hour, and larger by ``padding`` bytes, as real ones are large."""
    now = int(time.time())
    claims = {"sub": user, "iat": now - 5, "exp": now + _LIFETIME, "padding": "x" * padding}
    signed = _part({"alg": "HS256", "typ": "JWT", "kid": "default"}) + b"." + _part(claims)
    return (signed + b"." + _base64(hmac.digest(_KEY, signed, "sha256"))).decode()


def write_oauth2_configuration(folder: Path, introspection: tuple[str, str] | None = None) -> Path:
    """Write the key and what Dovecot's oauth2 passdb wants to know; returns the latter's path.

    ``introspection`` is a mode and a URL: tokens are known there.
    """
    if introspection is not None:
        mode, url = introspection
        configuration = folder / "oauth2.conf"
        configuration.write_text(
            f"introspection_mode = {mode}\nintrospection_url = {url}\nusername_attribute = username\n"
            "active_attribute = active\nactive_value = true\nscope = mail\n"
        )
        return configuration
    keys = folder / "keys" / "default" / "HS256"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "default").write_bytes(b64encode(_KEY))
    configuration = folder / "oauth2.conf"
    configuration.write_text(
        "introspection_mode = local\n"
        f"local_validation_key_dict = fs:posix:prefix={folder}/keys/\n"
        "username_attribute = sub\n"
    )
    return configuration


def _part(content: dict[str, object]) -> bytes:
    return _base64(json.dumps(content).encode())


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
