"""The files that pages load, style and script: known by their content, so that a browser keeps them for good."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from migrator.lazy_dataclasses import dataclass

_TYPES = {"page.css": "text/css", "live.js": "text/javascript", "passkey.js": "text/javascript"}
_FOR_GOOD = "public, max-age=31536000, immutable"
_A_WHILE = "max-age=300"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. ``version`` is the beginning of its SHA-256."""

    content: bytes
    media_type: str
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every file by its name."""
    folder = files("jobs.web").joinpath("static")
    found = {}
    for name, media_type in _TYPES.items():
        content = folder.joinpath(name).read_bytes()
        found[name] = Asset(content, media_type, sha256(content).hexdigest()[:16])
    return found


def asset_url(name: str) -> str:
    """Return the address of a file as it is now."""
    return f"/{name}?v={assets()[name].version}"


def asset_routes() -> list[BaseRoute]:
    """Return the route of every file; strangers load them too, for the sign-in."""
    return [_route(name, asset) for name, asset in assets().items()]


def _route(name: str, asset: Asset) -> Route:
    async def answer(request: Request) -> Response:
        is_this = request.query_params.get("v") == asset.version
        kept = {"Cache-Control": _FOR_GOOD if is_this else _A_WHILE}
        return Response(asset.content, media_type=asset.media_type, headers=kept)

    return Route(f"/{name}", answer)
