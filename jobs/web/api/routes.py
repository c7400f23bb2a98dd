"""The addresses of the API, as an application takes them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from jobs.web.api.asking import PREFIX, api_route
from jobs.web.api.document import document
from jobs.web.api.table import OPERATIONS
from jobs.web.site import Site


def api_routes(site: Site) -> list[BaseRoute]:
    """Return the route of every operation, and of the document that describes them, which needs no token."""
    described = document(OPERATIONS)

    async def describe(_request: Request) -> Response:
        return JSONResponse(described)

    routes: list[BaseRoute] = [Route(f"{PREFIX}openapi.json", describe)]
    routes += [
        api_route(
            site,
            one.method,
            one.path,
            one.answer,
            one.scope,
            parameters=one.parameter_names,
            has_body=bool(one.body),
        )
        for one in OPERATIONS
    ]
    return routes
