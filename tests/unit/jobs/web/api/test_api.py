"""The API over real HTTP: who may ask for what, and that the answers are what the document says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jobs.schedule.live_progress import RunProgress
from jobs.web.api.asking import LARGEST_BODY
from jobs.web.api.document import document, shown_path
from jobs.web.api.table import OPERATIONS, Operation
from jobs.web.people import Scope
from jobs.web.tasks.task_store import add_task, newest_tasks
from jobs.web.token_store import add_token, tokens_of
from migrator.operations import search as search_module
from migrator.operations.account_list import paused_accounts
from migrator.wiring.archive import index_what_is_new
from tests.browser import Browser, Page
from tests.mail import mail
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.unit.jobs.web.mail import letter, stored
from tests.unit.jobs.web.office import Office, office


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        one.add("ann")
        yield one


@dataclass
class Program:
    """A program with a token."""

    office: Office
    token: str = ""

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str | None] | None = None, body: object = None
    ) -> Page:
        said = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return Browser(self.office.port).ask(method, f"/api/v1/{path}", sent, {**said, **(headers or {})})

    def get(self, path: str) -> Any:
        page = self.ask(path)
        assert page.status == 200, page.text
        return json.loads(page.body)


def program(office: Office, scope: Scope = Scope.READ) -> Program:
    token = f"mf_test-{scope}"
    add_token(office.site.store, token, "tests", scope, "ann", 1.0)
    return Program(office, token)


def kind_of(page: Page) -> str:
    error = json.loads(page.body)["error"]
    assert set(error) == {"kind", "text"}
    assert error["text"]
    return str(error["kind"])


def path_of(one: Operation, identity: str = "0" * 64) -> str:
    path = one.path.replace("{name}", "alice").replace("{id}", identity).replace("{number:int}", "1")
    return path + {"search": "?q=*"}.get(one.path, "")


BODIES = {
    "exports": {"format": "eml"},
    "restores": {"to": "imaps://ann@127.0.0.1:1/INBOX", "password": "a secret"},
}
"""What operations take that take a document."""


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_nothing_is_answered_without_a_token(one: Operation, here: Office) -> None:
    stranger = Program(here)
    page = stranger.ask(path_of(one), one.method)
    assert (page.status, kind_of(page)) == (401, "auth")
    assert page.headers["www-authenticate"].startswith("Bearer")
    assert Program(here, "mf_wrong").ask(path_of(one), one.method).status == 401
    assert here.asked == []


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_a_cookie_is_no_token(one: Operation, here: Office) -> None:
    browser = here.signed_in()
    assert browser.ask(one.method, f"/api/v1/{path_of(one)}").status == 401


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_what_changes_anything_needs_more_than_reading(one: Operation, here: Office) -> None:
    page = program(here).ask(path_of(one), one.method)
    if one.scope is Scope.READ:
        assert page.status in {200, 404}
    else:
        assert (page.status, kind_of(page)) == (403, "scope")
        assert here.asked == []
        assert paused_accounts(here.ledger) == frozenset()


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_answers_are_what_the_document_says(one: Operation, here: Office, tmp_path: Path) -> None:
    [identity] = stored(tmp_path, "alice", letter())
    asking = program(here, Scope.ADMIN)
    if one.path.endswith("/cancel"):
        add_task(here.site.store, "a kind that waits", "", "", "ann", 1.0)
    elif one.path.startswith("jobs/"):
        assert asking.ask("exports", "POST", body=BODIES["exports"]).status == 202
        while one.path.endswith("/file") and asking.get("jobs/1")["state"] != "done":
            pass
    page = asking.ask(path_of(one, identity), one.method, body=BODIES.get(one.path))
    assert page.status == one.status
    described: Any = document(OPERATIONS)
    answers = described["paths"][f"/{shown_path(one)}"][one.method.lower()]["responses"][str(page.status)]
    [media] = answers["content"]
    assert page.headers["content-type"].partition(";")[0] == media
    if media == "application/json":
        answer = json.loads(page.body)
        for name, schema in answers["content"][media]["schema"]["properties"].items():
            types = {"string": str, "integer": int, "boolean": bool, "array": list, "null": type(None), "object": dict}
            wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            assert isinstance(answer[name], tuple(types[each] for each in wanted)), name


def test_the_document_is_there_for_anybody_and_names_every_operation(here: Office) -> None:
    page = Program(here).ask("openapi.json")
    assert page.status == 200
    described = json.loads(page.body)
    assert described == json.loads(json.dumps(document(OPERATIONS)))
    told = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert told == {(one.method, f"/{shown_path(one)}") for one in OPERATIONS}
    identities = [method["operationId"] for methods in described["paths"].values() for method in methods.values()]
    assert len(identities) == len(set(identities))


def test_accounts_are_what_status_and_accounts_say(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", letter())
    reading = program(here)
    listed = reading.get("accounts")["accounts"]
    assert [one["name"] for one in listed] == ["alice", "bob"]
    assert (listed[0]["safe"], listed[0]["host"], listed[0]["paused"]) == (1, "127.0.0.1", False)
    one = reading.get("accounts/alice")
    assert {name: one[name] for name in listed[0]} == listed[0]
    assert one["findings"] == []
    missing = reading.ask("accounts/nobody")
    assert (missing.status, kind_of(missing)) == (404, "not-found")


def test_a_run_is_seen_and_stopped(here: Office) -> None:
    operator = program(here, Scope.OPERATE)
    assert [(one["running"], one["progress"]) for one in operator.get("accounts")["accounts"]] == [(False, None)] * 2
    stopped = operator.ask("accounts/alice/stop", "POST")
    assert (stopped.status, json.loads(stopped.body)) == (202, {"account": "alice", "stopping": False})
    here.running["alice"] = RunProgress(1.0, 3, 300, 10, 1_000, 33.4, 21.2)
    assert operator.get("accounts/alice")["progress"] == {
        "messages": 3,
        "planned_messages": 10,
        "octets": 300,
        "planned_octets": 1_000,
        "octets_per_second": 33,
        "seconds_left": 21,
        "stopping": False,
    }
    assert json.loads(operator.ask("accounts/alice/stop", "POST").body)["stopping"] is True
    assert here.asked == ["stop alice"] * 2
    noted = [(entry.action, entry.subject, entry.outcome) for entry in here.site.store.audit(2)]
    assert noted == [("stop", "alice", "done"), ("stop", "alice", "was not running")]


def test_an_account_is_paused_resumed_and_run(here: Office) -> None:
    operator = program(here, Scope.OPERATE)
    assert operator.ask("accounts/alice/pause", "POST").status == 200
    assert paused_accounts(here.ledger) == {"alice"}
    assert operator.get("accounts/alice")["paused"] is True
    assert operator.ask("accounts/alice/resume", "POST").status == 200
    assert paused_accounts(here.ledger) == frozenset()
    assert operator.ask("accounts/alice/run", "POST").status == 202
    assert here.asked == ["look", "look", "alice"]
    assert operator.ask("accounts/nobody/run", "POST").status == 404
    noted = [(entry.action, entry.subject, entry.user) for entry in here.site.store.audit(3)]
    assert noted[0] == ("run", "alice", "ann (token tests)")
    assert {entry[0] for entry in noted} == {"run", "pause", "resume"}


def test_a_verification_is_a_job_with_a_result(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", letter())
    operator = program(here, Scope.OPERATE)
    assert operator.ask("verify?account=nobody", "POST").status == 404
    page = operator.ask("verify?account=alice", "POST")
    asked = json.loads(page.body)
    assert (page.status, asked["kind"], asked["account"]) == (202, "verify", "alice")
    assert asked["asked_by"] == "ann (token tests)"
    while (job := operator.get("jobs")["jobs"][0])["state"] in {"queued", "running"}:
        assert job["number"] == asked["number"]
    assert (job["state"], job["result"]) == ("done", "1 copy was read again: all is as it should be.")
    assert job["ended"] is not None


def test_jobs_come_in_pages_and_are_cancelled(here: Office) -> None:
    for number in range(5):
        add_task(here.site.store, "a kind that waits", "", str(number), "ann", float(number))
    asking = program(here, Scope.ADMIN)
    first = asking.get("jobs?limit=3")
    assert [job["number"] for job in first["jobs"]] == [5, 4, 3]
    second = asking.get(f"jobs?limit=3&cursor={first['cursor']}")
    assert ([job["number"] for job in second["jobs"]], second["cursor"]) == ([2, 1], None)
    cancelled = json.loads(asking.ask("jobs/4/cancel", "POST").body)
    assert (cancelled["state"], cancelled["cancelled_by"]) == ("cancelled", "ann (token tests)")
    again = asking.ask("jobs/4/cancel", "POST")
    assert (again.status, kind_of(again)) == (409, "over")
    for path, method in (("jobs/99", "GET"), ("jobs/99/cancel", "POST"), ("jobs/4/file", "GET")):
        assert asking.ask(path, method).status == 404


def job_of(asking: Program, page: Page) -> Any:
    """Return a job once it is over."""
    assert page.status == 202, page.text
    number = json.loads(page.body)["number"]
    while (job := asking.get(f"jobs/{number}"))["state"] in {"queued", "running"}:
        pass
    return job


def test_chosen_messages_become_a_file(here: Office, tmp_path: Path) -> None:
    contents = [letter("one"), letter("two")]
    identities = stored(tmp_path, "alice", *contents)
    asking = program(here, Scope.ADMIN)
    body = {"ids": [identities[1][:20], identities[1]], "format": "mbox"}
    job = job_of(asking, asking.ask("exports", "POST", body=body))
    assert (job["state"], job["result"]) == ("done", "1 message was written.")
    assert job["file"]["name"] == f"mailferry-export-{job['number']}.mbox"
    file = asking.ask(f"jobs/{job['number']}/file")
    assert (file.status, len(file.body)) == (200, job["file"]["octets"])
    assert (b"Subject: two" in file.body, b"Subject: one" in file.body) == (True, False)


def test_messages_go_into_a_mailbox_and_its_password_nowhere(here: Office, tmp_path: Path) -> None:
    content = letter("one")
    [identity] = stored(tmp_path, "alice", content)
    stored(tmp_path, "bob", letter("two"))
    asking = program(here, Scope.ADMIN)
    with ImapServer(Mailboxes()) as server:
        body = {
            "ids": [identity],
            "to": f"imap://ann@{server.host}:{server.port}/Back?tls=none",
            "password": server.password,
        }
        job = job_of(asking, asking.ask("restores", "POST", body=body))
        assert (job["state"], job["kind"]) == ("done", "restore")
        assert server.mailboxes.contents(b"Back") == [content]
        secret = server.password.encode()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("exports", b"not JSON", 400, "JSON object"),
        ("exports", [1], 400, "JSON object"),
        ("exports", {}, 400, "format must be one of"),
        ("exports", {"format": "exe"}, 400, "format must be one of"),
        ("exports", {"format": "eml", "folder": "x"}, 400, "folder"),
        ("exports", {"format": "eml", "q": 5}, 400, "q must be text"),
        ("exports", {"format": "eml", "q": "date:never"}, 422, "date"),
        ("exports", {"format": "eml", "account": "nobody"}, 404, "nobody"),
        ("exports", {"format": "eml", "ids": ["0" * 64]}, 404, "no archived message"),
        ("exports", {"format": "eml", "ids": "all"}, 400, "ids must be a list"),
        ("exports", {"format": "eml", "ids": ["0" * 64], "q": "x"}, 422, "ids say which"),
        ("restores", {"to": "maildir:/tmp/x", "password": "x"}, 422, "imaps://"),
        ("restores", {"to": "imaps://ann:secret@host/INBOX", "password": "x"}, 422, "password must not stand"),
        ("restores", {"to": "imaps://ann@host/INBOX"}, 422, "password is missing"),
        ("restores", {"to": "imaps://ann@host/INBOX", "password": "x", "by": "label"}, 400, "by must be one of"),
        ("restores", {"password": "x"}, 422, "imaps://"),
    ],
)
def test_a_body_that_makes_no_sense_begins_nothing(
    path: str, body: object, status: int, said: str, here: Office
) -> None:
    page = program(here, Scope.ADMIN).ask(path, "POST", body=body)
    assert (page.status, said in page.text) == (status, True), page.text
    assert kind_of(page)
    assert newest_tasks(here.site.store, 5) == []


def test_a_body_that_is_too_large_is_not_read(here: Office) -> None:
    page = program(here, Scope.ADMIN).ask("exports", "POST", body=b" " * (LARGEST_BODY + 1))
    assert (page.status, kind_of(page)) == (413, "usage")


def test_a_search_goes_through_all_pages(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", *(mail(f"number {number}") for number in range(7)))
    reading = program(here)
    found, cursor = [], ""
    while True:
        page = reading.get(f"search?q=subject:number&limit=3&cursor={cursor}")
        assert page["total"] == 7
        found += [hit["subject"] for hit in page["hits"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert sorted(found) == sorted(f"number {number}" for number in range(7))


def test_a_message_and_its_bytes(here: Office, tmp_path: Path) -> None:
    content = letter("to be read")
    [identity] = stored(tmp_path, "alice", content)
    reading = program(here)
    message = reading.get(f"messages/{identity[:20]}")
    assert (message["subject"], message["digest"], message["accounts"]) == ("to be read", identity, ["alice"])
    assert [one["state"] for one in message["copies"]] == ["verified"]
    raw = reading.ask(f"messages/{identity}/raw")
    assert (raw.status, raw.body) == (200, content)
    assert raw.headers["content-disposition"].startswith("attachment")


def test_runs_come_in_pages_newest_first(here: Office) -> None:
    for number in range(5):
        here.ledger.history.run_started("alice", float(number))
    here.ledger.history.run_started("bob", 9.0)
    reading = program(here)
    first = reading.get("runs?account=alice&limit=3")
    assert [run["started"][17:19] for run in first["runs"]] == ["04", "03", "02"]
    second = reading.get(f"runs?account=alice&limit=3&cursor={first['cursor']}")
    assert [run["started"][17:19] for run in second["runs"]] == ["01", "00"]
    assert second["cursor"] is None
    assert len(reading.get("runs")["runs"]) == 6
    assert reading.ask("runs?account=nobody").status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("runs?limit=0", 400),
        ("runs?limit=many", 400),
        ("runs?limit=501", 400),
        ("runs?cursor=-1", 400),
        ("runs?limit=" + quote("٣"), 400),
        ("search", 422),
        ("search?q=date:never", 422),
        ("search?q=x&cursor=nonsense", 422),
        ("receipts?since=never", 422),
        ("receipts?digest=xyz", 422),
        ("receipts?cursor=1;drop", 400),
        ("messages/zzz", 404),
        ("messages/" + "0" * 64 + "/raw", 404),
        ("nothing", 404),
        ("", 404),
        ("accounts/alice/pause/now", 404),
    ],
)
def test_what_makes_no_sense_is_said_in_the_same_form(path: str, status: int, here: Office) -> None:
    page = program(here).ask(path)
    assert page.status == status
    assert kind_of(page)


def test_a_method_that_is_not_there_is_refused(here: Office) -> None:
    page = program(here, Scope.ADMIN).ask("accounts", "DELETE")
    assert (page.status, kind_of(page)) == (405, "not-found")


def test_an_address_may_not_try_any_number_of_tokens(here: Office) -> None:
    for _ in range(5):
        assert Program(here, "mf_wrong").ask("accounts").status == 401
    page = Program(here, "mf_wrong").ask("accounts")
    assert (page.status, kind_of(page)) == (429, "limited")
    assert program(here).ask("accounts").status == 200


def test_a_token_ends_with_its_user_and_its_secret_is_not_kept(here: Office) -> None:
    reading = program(here)
    assert reading.ask("accounts").status == 200
    assert tokens_of(here.site.store)[0].used_at is not None
    assert reading.token.encode() not in here.site.store.path.read_bytes()
    here.site.store.remove("ann")
    assert reading.ask("accounts").status == 401


def test_another_name_of_the_host_is_refused_here_too(here: Office) -> None:
    assert program(here).ask("accounts", headers={"Host": "evil.test"}).status == 400


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("runs?limt=5", 'did you mean "limit"'),
        ("runs?limit=5&limit=6", "given 2 times"),
        ("accounts?limit=5", "takes none"),
        ("search?q=x&Q=y", "there is no parameter"),
        ("jobs?limit=", "whole number"),
        ("receipts?digest=", "hexadecimal"),
    ],
)
def test_no_parameter_is_passed_over_in_silence(path: str, said: str, here: Office) -> None:
    page = program(here).ask(path)
    assert page.status in {400, 422}
    assert said in json.loads(page.body)["error"]["text"]


def test_a_paused_account_is_not_run(here: Office) -> None:
    operator = program(here, Scope.OPERATE)
    assert operator.ask("accounts/alice/pause", "POST").status == 200
    page = operator.ask("accounts/alice/run", "POST")
    assert (page.status, kind_of(page)) == (409, "paused")
    assert here.asked == ["look"]


@pytest.mark.parametrize("path", ["/api/v1/runs", "/audit.csv"])
def test_a_method_that_is_not_there_is_refused_with_those_that_are(path: str, here: Office) -> None:
    page = Browser(here.port).ask("DELETE", path)
    assert (page.status, sorted(page.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])


@pytest.mark.parametrize("path", ["jobs/{}", "jobs/{}/file"])
def test_a_number_that_no_database_takes_is_not_there(path: str, here: Office) -> None:
    asking = program(here, Scope.ADMIN)
    assert asking.ask(path.format("9" * 18)).status == 404
    assert asking.ask(path.format("9" * 40)).status == 404


def test_a_search_that_finds_the_index_behind_has_the_worker_take_in_what_is_new(
    here: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "TAKEN_IN", 3)
    stored(tmp_path, "alice", *(mail(f"new {number}") for number in range(5)))
    reading = program(here)
    assert reading.get("search?q=new")["total"] == 0
    assert here.asked == ["index"]
    index_what_is_new(here.config)
    assert reading.get("search?q=new")["total"] == 5
    assert here.asked == ["index"]
