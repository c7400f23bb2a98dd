"""The page docs/api.md, from the table of the API's operations."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.web.api.document import shown_path
from jobs.web.api.table import OPERATIONS, Operation

_HEAD = """\
# The API

What the page of `mailferry run` shows and does, for programs. It is there where `[web]` is configured, at `/api/v1/` of the same
address; `/api/v1/openapi.json` describes it for tools (OpenAPI 3.1) and needs no token.

This page is printed from the code (`make docs`); to change it, change `jobs/web/api/table.py`.

## Asking

An administrator makes a token on the page, under Tokens; it is shown once, kept as a hash, and ends with the user who made it.

    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8025/api/v1/accounts

| scope | allows |
| --- | --- |
| `read` | every GET but the files of jobs: accounts, findings, runs, receipts, mail, jobs |
| `operate` | the same, and running, pausing, resuming and verifying |
| `admin` | the same, and giving mail back, in files or into a mailbox, and ending jobs |

    curl -H "Authorization: Bearer $TOKEN" -d '{"q": "from:ann", "format": "eml"}' http://127.0.0.1:8025/api/v1/exports

What takes long is a job: the answer is its number, `jobs/{number}` says how far it is, what came of it, and whether it has left a file.

Documents have the fields of the commands' `--json` ([json](json.md)); fields may be added, none changes its meaning. Where there may be more, an
answer has a `cursor`: asked again with it, the address gives the next page, until `cursor` is null. Every opening of a message and
everything that is done stands in the page's audit.

An error is `{"error": {"kind", "text"}}`, with one of

| status | means |
| --- | --- |
| 400 | a parameter is not what it must be, or is none that is known |
| 401 | there is no token, or it does not belong to this installation |
| 403 | the token's scope does not allow this |
| 404 | there is no such thing |
| 409 | something else is at work on it, or it is over |
| 413 | the body is too large |
| 422 | what was asked for makes no sense, or cannot be done |
| 429 | too many wrong tokens from this address: wait a little |
| 500, 503 | the worker cannot answer this now; its log says why |

## Operations

| operation | scope | parameters, or fields of the body | answers |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "".join(map(_row, OPERATIONS))


def _row(one: Operation) -> str:
    parameters = ", ".join(_parameters(one))
    return f"| `{one.method} {shown_path(one)}` | `{one.scope}` | {parameters} | {one.text} |\n"


def _parameters(one: Operation) -> Iterator[str]:
    for parameter in (*one.parameters, *one.body):
        yield f"`{parameter.name}`" + (" (needed)" if parameter.is_required else "")
