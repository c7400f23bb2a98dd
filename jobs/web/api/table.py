"""Every operation of the API: its address, what answers it, the scope that it needs, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.web.api import acting, giving_back, reading
from jobs.web.api.asking import MOST_RESULTS, USUAL_RESULTS, Answer
from jobs.web.people import Scope
from jobs.web.tasks.export import FORMS
from jobs.web.tasks.restore import GROUPINGS
from jobs.web.tasks.task import TaskState
from migrator.lazy_dataclasses import dataclass, field

Schema = Mapping[str, object]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
YES_OR_NO: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object", "additionalProperties": True}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
OBJECT_OR_NULL: Schema = {"type": ["object", "null"], "additionalProperties": True}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
TEXTS: Schema = {"type": "array", "items": TEXT}
CURSOR: Schema = {"type": ["string", "null"], "description": "what the next page is asked for with; null on the last"}
FILE = "application/octet-stream"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an address."""

    name: str
    text: str
    schema: Schema = field(default_factory=lambda: TEXT)
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to ask for.

    ``fields`` are those of the document it answers with, empty for a file; ``body`` those of the one it takes.
    """

    method: str
    path: str
    answer: Answer
    scope: Scope
    text: str
    fields: Mapping[str, Schema] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] = ()
    status: int = 200
    errors: tuple[int, ...] = ()

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return tuple(one.name for one in self.parameters)


_LIMIT = Parameter(
    "limit",
    f"how many results at most; {USUAL_RESULTS} where it is not given",
    {"type": "integer", "minimum": 1, "maximum": MOST_RESULTS},
)
_NUMBER_CURSOR = Parameter(
    "cursor",
    "what the page before gave as its cursor; empty for the first page",
    {"type": "string", "pattern": "^[0-9]{0,18}$"},
)
_SINCE: Schema = {
    "anyOf": [
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^[1-9][0-9]{0,3} (seconds|minutes|hours|days|weeks)$"},
    ]
}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-fA-F]{8,64}$"}
_ACCOUNT = Parameter("account", "only this account")
_CHOICE = (
    Parameter("ids", "these messages: ids, as `search` gives them", {"type": "array", "items": {"type": "string"}}),
    Parameter("account", "without `ids`: only this account"),
    Parameter("q", "without `ids`: only what this query finds"),
)
_STATUS_FIELDS: Mapping[str, Schema] = {
    "name": TEXT,
    "host": TEXT,
    "port": COUNT,
    "username": TEXT,
    "destinations": TEXTS,
    "paused": YES_OR_NO,
    "parked": YES_OR_NO,
    "safe": COUNT,
    "waiting": COUNT,
    "failed": COUNT,
    "running": YES_OR_NO,
    "progress": {"type": ["object", "null"], "description": "of the run that goes on; null where none does"},
}
_MESSAGE_FIELDS: Mapping[str, Schema] = {
    **dict.fromkeys(("id", "digest", "from", "to", "cc", "subject", "message_id", "text"), TEXT),
    "octets": COUNT,
    "accounts": TEXTS,
    "attachments": OBJECTS,
    "sources": OBJECTS,
    "copies": OBJECTS,
}
_JOB: Mapping[str, Schema] = {
    "number": COUNT,
    "kind": TEXT,
    "account": TEXT_OR_NULL,
    "state": {"type": "string", "enum": [str(state) for state in TaskState]},
    "asked_by": TEXT,
    "asked": TEXT,
    "begun": TEXT_OR_NULL,
    "ended": TEXT_OR_NULL,
    "progress": OBJECT_OR_NULL,
    "result": TEXT_OR_NULL,
    "cancelled_by": TEXT_OR_NULL,
    "file": OBJECT_OR_NULL,
}
_PAUSED: Mapping[str, Schema] = {"account": TEXT, "paused": YES_OR_NO}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "accounts",
        reading.accounts,
        Scope.READ,
        "every account: where it stands, as `accounts --json` and `status --json` say it",
        {"accounts": OBJECTS},
    ),
    Operation(
        "GET",
        "accounts/{name}",
        reading.one_account,
        Scope.READ,
        "one account, with what was found of it",
        {**_STATUS_FIELDS, "findings": OBJECTS},
        errors=(404,),
    ),
    Operation(
        "GET",
        "findings",
        reading.findings,
        Scope.READ,
        "what was found when the worker last looked, with its cures",
        {"findings": OBJECTS},
    ),
    Operation(
        "GET",
        "runs",
        reading.runs,
        Scope.READ,
        "runs, newest first",
        {"runs": OBJECTS, "cursor": CURSOR},
        (_ACCOUNT, _LIMIT, _NUMBER_CURSOR),
        errors=(400, 404),
    ),
    Operation(
        "GET",
        "receipts",
        reading.receipts,
        Scope.READ,
        "what was deleted at a source, newest first, as `receipts --json` says it",
        {"receipts": OBJECTS, "cursor": CURSOR},
        (
            _ACCOUNT,
            Parameter("since", "since a day such as 2026-05-31, or an age such as 7 days", _SINCE),
            Parameter("digest", "the digest of a message, or 8 or more of its first digits", _DIGEST),
            _LIMIT,
            _NUMBER_CURSOR,
        ),
        errors=(400, 422),
    ),
    Operation(
        "GET",
        "search",
        reading.search,
        Scope.READ,
        "archived messages, newest first, as `search --json` says it",
        {"query": TEXT, "remarks": TEXTS, "total": COUNT, "hits": OBJECTS, "cursor": CURSOR},
        (
            Parameter("q", "the query, as `mailferry search` takes it", TEXT, is_required=True),
            _LIMIT,
            Parameter("cursor", "what the page before gave as its cursor; empty for the first page"),
        ),
        errors=(400, 422),
    ),
    Operation(
        "GET",
        "messages/{id}",
        reading.message,
        Scope.READ,
        "one message: text, headers, attachments, where it came from, where its copies are",
        _MESSAGE_FIELDS,
        errors=(404, 422),
    ),
    Operation(
        "GET",
        "messages/{id}/raw",
        reading.raw_message,
        Scope.READ,
        "a message's bytes, those of its digest",
        errors=(404, 422),
    ),
    Operation(
        "GET",
        "jobs",
        reading.jobs,
        Scope.READ,
        "what was asked for and takes long, newest first, with its progress or its result",
        {"jobs": OBJECTS, "cursor": CURSOR},
        (_LIMIT, _NUMBER_CURSOR),
        errors=(400,),
    ),
    Operation("GET", "jobs/{number:int}", reading.one_job, Scope.READ, "one job", _JOB, errors=(404,)),
    Operation(
        "GET",
        "jobs/{number:int}/file",
        acting.file_of_job,
        Scope.ADMIN,
        "the file that a job has left, such as an export",
        errors=(404,),
    ),
    Operation(
        "POST",
        "jobs/{number:int}/cancel",
        acting.cancel_job,
        Scope.ADMIN,
        "end a job that waits or is being done; what it has finished stays finished",
        _JOB,
        status=202,
        errors=(404, 409),
    ),
    Operation(
        "POST",
        "accounts/{name}/run",
        acting.run_account,
        Scope.OPERATE,
        "ask for a run at once; the answer does not wait for it",
        {"account": TEXT, "asked": TEXT},
        status=202,
        errors=(404, 409),
    ),
    Operation(
        "POST",
        "accounts/{name}/stop",
        acting.stop_run,
        Scope.OPERATE,
        "end the run that goes on between two messages; the schedule goes on, and the answer does not wait",
        {"account": TEXT, "stopping": YES_OR_NO},
        status=202,
        errors=(404,),
    ),
    Operation(
        "POST",
        "accounts/{name}/pause",
        acting.pause_account,
        Scope.OPERATE,
        "pause an account until it is resumed",
        _PAUSED,
        errors=(404,),
    ),
    Operation(
        "POST",
        "accounts/{name}/resume",
        acting.resume_account,
        Scope.OPERATE,
        "work an account as usual again",
        _PAUSED,
        errors=(404,),
    ),
    Operation(
        "POST",
        "verify",
        acting.verify,
        Scope.OPERATE,
        "ask for every stored copy to be read again; the answer is the job, and does not wait for it",
        _JOB,
        (_ACCOUNT,),
        status=202,
        errors=(404,),
    ),
    Operation(
        "POST",
        "exports",
        giving_back.export,
        Scope.ADMIN,
        "ask for messages to be written into a file, which stays for a day; the answer is the job",
        _JOB,
        body=(
            *_CHOICE,
            Parameter(
                "format",
                "`eml`, a zip of one file for each message, or `mbox`",
                {"type": "string", "enum": list(FORMS)},
                is_required=True,
            ),
        ),
        status=202,
        errors=(400, 404, 413, 422),
    ),
    Operation(
        "POST",
        "restores",
        giving_back.restore,
        Scope.ADMIN,
        "ask for messages to be stored into a mailbox, each once and proven; the answer is the job",
        _JOB,
        body=(
            *_CHOICE,
            Parameter(
                "to",
                "`imaps://user@host/Folder`, or a configured destination as `accounts` names it",
                TEXT,
                is_required=True,
            ),
            Parameter("password", "that of the mailbox in `to`; kept in memory until the job begins, and nowhere else"),
            Parameter(
                "by",
                "all into one folder (`none`), or one for each `account` or `month` below it",
                {"type": "string", "enum": list(GROUPINGS), "default": "none"},
            ),
        ),
        status=202,
        errors=(400, 404, 413, 422),
    ),
)
