"""The end of an old provider: against a POP3 server that says what was deleted there, and by which rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from jobs.schedule.live_progress import RunProgress
from jobs.web.people import Role
from jobs.web.tasks.leave import LEAVE, Cancelled, Leave
from jobs.web.tasks.task_store import newest_tasks
from migrator.operations.migrate import Watching, migrate_accounts
from migrator.operations.verify import verify_archive
from migrator.policy import Keep
from migrator.wiring.account import RunLimits
from tests.browser import Browser, Page
from tests.mail import mail
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.unit.jobs.web.office import PASSWORD, Office, opened, written
from tests.unit.jobs.web.screens.test_giving_back import result_of

LEAVE_PAGE = "/accounts/alice/leave"


@dataclass
class Provider:
    here: Office
    server: Pop3Server
    maildrop: Maildrop

    def work(self) -> None:
        """Work the mailbox once, as its schedule does."""
        accounts = self.here.config.select(["alice"])
        [report] = migrate_accounts(self.here.config, accounts, RunLimits(), Watching())
        assert report.status == "ok", report.problems

    def verify(self) -> None:
        verify_archive(self.here.config.select(["alice"]), self.here.config, self.here.ledger, clock=time.time)

    def left(self) -> int:
        return len(self.maildrop.left())


@contextmanager
def provider(tmp_path: Path, *, count: int = 3) -> Iterator[Provider]:
    maildrop = Maildrop([mail(f"number {number}") for number in range(count)])
    with Pop3Server(maildrop) as server:
        path = written(tmp_path, "alice", "bob")
        text = path.read_text().replace("port = 1\n", f"port = {server.port}\n", 1)
        path.write_text(text.replace('password = "x"', f'password = "{server.password}"', 1))
        with opened(path) as here:
            yield Provider(here, server, maildrop)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Provider]:
    with provider(tmp_path) as one:
        one.work()
        one.verify()
        yield one


def sent(browser: Browser, **fields: str) -> Page:
    form = browser.get(LEAVE_PAGE).form(LEAVE_PAGE)
    return browser.send(form, **{"number": "3", "backup": "1", "own": PASSWORD, **fields})


def test_the_rest_is_deleted_by_the_rule_of_every_run_and_gets_receipts(old: Provider) -> None:
    assert isinstance(old.here.config.accounts[0].source.leave_on_server, Keep)
    browser = old.here.signed_in()
    page = browser.get(LEAVE_PAGE)
    assert "Not yet" not in page.text
    assert "3 messages are there and safe here." in page.text
    answer = sent(browser)
    assert (answer.status, answer.location) == (303, "/jobs?said=task-asked")
    said = "done: 3 messages were deleted at the provider; each has a receipt."
    assert result_of(old.here, browser) == said
    assert old.left() == 0
    assert [entry.outcome for entry in old.here.site.store.audit(9) if entry.action.startswith("delete the rest")] == [
        "job 1: at most 3; a backup exists, says the user"
    ]
    assert browser.get("/receipts?account=alice").text.count("<code>") == 3
    page = browser.get(LEAVE_PAGE)
    assert "Nothing is left there that could be deleted." in page.text
    assert [form.action for form in page.forms()] == ["/sign-out"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"number": "2"}, "not the number of messages"),
        ({"number": ""}, "not the number of messages"),
        ({"number": "three"}, "not the number of messages"),
        ({"number": "٣"}, "not the number of messages"),
        ({"backup": ""}, "in one place only"),
        ({"own": "not mine at all"}, "own password was not right"),
        ({"own": ""}, "own password"),
    ],
)
def test_without_number_backup_and_password_nothing_is_begun(fields: dict[str, str], said: str, old: Provider) -> None:
    answer = sent(old.here.signed_in(), **fields)
    assert (answer.status, said in answer.text) == (422, True), answer.text
    assert (newest_tasks(old.here.site.store, 5), old.left()) == ([], 3)


def test_before_all_is_safe_and_verified_there_is_no_button(tmp_path: Path) -> None:
    with provider(tmp_path) as one:
        browser = one.here.signed_in()
        page = browser.get(LEAVE_PAGE)
        assert "The provider has not been seen yet." in page.text
        one.work()
        page = browser.get(LEAVE_PAGE)
        assert page.text.count("Not yet</strong>") == 1
        assert "The copies have never been read again in full." in page.text
        assert "/care/verify" in [form.action for form in page.forms()]
        assert LEAVE_PAGE not in [form.action for form in page.forms()]
        token = page.form("/sign-out").fields
        fields = {**token, "number": "3", "backup": "1", "own": PASSWORD}
        assert browser.post(LEAVE_PAGE, fields).status == 409
        assert (newest_tasks(one.here.site.store, 5), one.left()) == ([], 3)


def test_more_messages_than_were_typed_are_not_deleted(old: Provider) -> None:
    old.maildrop.add(mail("just arrived"))
    browser = old.here.signed_in()
    assert sent(browser).status == 303
    said = "failed: 4 messages are at the provider now, more than the 3 that were typed: none was deleted"
    assert result_of(old.here, browser) == said
    assert old.left() == 4
    assert "The last run did not do everything." in browser.get(LEAVE_PAGE).text
    old.work()
    assert "4 messages are there and safe here." in browser.get(LEAVE_PAGE).text


def test_what_is_not_true_any_more_when_its_turn_comes_deletes_nothing(old: Provider) -> None:
    with old.here.ledger.lent() as ledger:
        ledger.state_store.verified_in_full({"alice"}, 1.0)
    old.here.site.tasks.ask(LEAVE, "alice", "ann", details=Leave(3).as_details())
    said = result_of(old.here, old.here.signed_in())
    assert said.startswith("failed: Nothing was deleted. That every copy was read again is longer ago than")
    assert old.left() == 3


def test_a_run_of_the_schedule_is_waited_for_and_can_be_cancelled(old: Provider) -> None:
    old.here.running["alice"] = RunProgress(1.0)
    number = old.here.site.tasks.ask(LEAVE, "alice", "ann", details=Leave(3).as_details())
    browser = old.here.signed_in()
    while "is being done" not in browser.get("/jobs").text:
        assert old.left() == 3
    old.here.site.tasks.cancel(number, "ann")
    assert result_of(old.here, browser).startswith("cancelled")
    assert old.left() == 3


def test_a_server_that_is_gone_is_said(old: Provider) -> None:
    browser = old.here.signed_in()
    old.server.stop()
    assert sent(browser).status == 303
    said = result_of(old.here, browser)
    assert said.startswith("failed: Nothing was deleted at the provider: ")


def test_the_report_has_what_was_where(old: Provider) -> None:
    browser = old.here.signed_in()
    sent(browser)
    assert result_of(old.here, browser).startswith("done")
    page = browser.get(f"{LEAVE_PAGE}/report")
    assert page.status == 200
    today = time.strftime("%Y-%m-%d")
    assert f'<a href="/receipts?account=alice&amp;from={today}&amp;to={today}">{today}</a>' in page.text
    assert "different messages of this mailbox</dt><dd>3 (" in page.text
    assert "3 messages (" in page.text
    assert browser.get(f"/receipts?account=alice&from={today}&to={today}").text.count("<code>") == 3


def test_who_may_not_operate_sees_the_list_of_what_is_theirs_and_no_button(old: Provider) -> None:
    for name, role, accounts in (("otto", Role.AUDITOR, ()), ("rita", Role.READER, ("alice",))):
        browser = old.here.signed_in(name, role, *accounts)
        page = browser.get(LEAVE_PAGE)
        assert page.status == 200
        assert not [form.action for form in page.forms() if form.action != "/sign-out"]
        assert browser.post(LEAVE_PAGE, page.form("/sign-out").fields).status == 403
        assert browser.get(f"{LEAVE_PAGE}/report").status == 200
    browser = old.here.signed_in("rob", Role.READER, "bob")
    for path in (LEAVE_PAGE, f"{LEAVE_PAGE}/report", "/accounts/nobody/leave"):
        assert browser.get(path).status == 404


def test_pauses_of_the_run_end_when_the_job_is_cancelled() -> None:

    is_over = Event()
    stop = Cancelled(is_over.is_set)
    assert not stop.is_set()
    assert not stop.wait(0.0)
    is_over.set()
    assert stop.wait(3600)
    assert (stop.is_set(), str(stop.by)) == (True, "person")
