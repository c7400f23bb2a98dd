"""Whom to tell, as it is changed on the page: what was written by hand stays, what is secret is never shown again."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.alerting.outbox import TOPIC as OUTBOX
from jobs.look import facts_on_disk
from jobs.web.people import Role
from jobs.web.tasks.task_store import newest_tasks
from migrator.config import Pings
from migrator.config.settings_file import settings_file
from migrator.config.vault import vault_of
from migrator.findings.facts import Invocation, LedgerFacts, LedgerState
from migrator.findings.find import find
from migrator.operations.look import OpenedLedger
from tests.browser import Browser, Page
from tests.servers.smtp import SmtpServer
from tests.unit.jobs.web.office import PASSWORD, Office, office, opened, written
from tests.unit.jobs.web.screens.test_giving_back import result_of

SECRET = "geheim-7-geheim"
URL = "https://ping.example.org/uuid-of-ours"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def fields(port: int = 1, **more: str) -> dict[str, str | list[str]]:
    """What a person types for a mail server on this machine."""
    mail = {
        "host": "127.0.0.1",
        "port": str(port),
        "tls": "none",
        "sender": "ferry@example.org",
        "to": "ann@example.org",
    }
    return {"by_mail": "yes", **mail, "digest": "yes", "day": "fri", "hour": "9", **more}


def save(browser: Browser, **sent: str | list[str]) -> Page:
    return browser.send(browser.get("/tell-me").form("/tell-me"), **sent)


def stands(here: Office) -> str:
    path = settings_file(here.config.state_dir)
    return path.read_text() if path.exists() else ""


def test_a_mail_server_is_tried_then_saved_and_in_force(here: Office) -> None:
    browser = here.signed_in()
    assert "Nobody. When something goes wrong, only these pages say so." in browser.get("/tell-me").text
    with SmtpServer(password=SECRET) as server:
        answer = save(browser, **fields(server.port, username="ferry", password=SECRET, to="ann@example.org, b@c.org"))
        assert (answer.status, answer.location) == (303, "/tell-me?said=saved")
        assert here.asked == ["reload"]
        assert server.taken == []
        notify = here.config.notify
        assert notify is not None
        assert notify.smtp is not None
        assert notify.smtp.password is not None
        assert (notify.smtp.to, notify.digest) == (("ann@example.org", "b@c.org"), "0 9 * * fri")
        assert notify.smtp.password.reveal() == SECRET
        text = browser.get("/tell-me").text
        assert "set on" in text
        assert "by ann" in text
        assert "Friday at 9" in text
        assert browser.send(browser.get("/tell-me").form("/tell-me/test")).location == "/tell-me?said=test-asked"
        assert result_of(here, browser) == "done: Mail through 127.0.0.1: sent"
        assert [mail.recipients for mail in server.taken] == [("TO:<ann@example.org>", "TO:<b@c.org>")]
    assert "Mail through 127.0.0.1: sent" in browser.get("/tell-me").text
    path = settings_file(here.config.state_dir)
    assert path.stat().st_mode & 0o777 == 0o600
    for place in (text, stands(here), str(here.site.store.audit(20)), str(newest_tasks(here.site.store, 9))):
        assert SECRET not in place


def test_an_empty_password_keeps_the_one_that_is_there(here: Office) -> None:
    browser = here.signed_in()
    with SmtpServer(password=SECRET) as server:
        save(browser, **fields(server.port, username="ferry", password=SECRET))
        before = tomllib.loads(stands(here))["notify"]["smtp"]["password"]
        assert save(browser, **fields(server.port, username="ferry", to="bob@example.org")).status == 303
    after = tomllib.loads(stands(here))["notify"]["smtp"]
    assert (after["to"], after["password"]) == (["bob@example.org"], before)


def test_what_is_not_used_any_more_leaves_the_vault(here: Office) -> None:
    browser = here.signed_in()
    with SmtpServer(password=SECRET) as server:
        save(browser, **fields(server.port, username="ferry", password=SECRET))
        save(browser, **fields(server.port, username="ferry", password=SECRET))
        content = vault_of(here.config).content()
        assert content is not None
        assert list(content.entries) == ["[notify]/mail-2"]
    with SmtpServer() as server:
        save(browser, **fields(server.port, username=""))
    content = vault_of(here.config).content()
    assert content is not None
    assert list(content.entries) == []


def test_a_mail_server_that_refuses_is_saved_only_if_that_is_wished(here: Office) -> None:
    browser = here.signed_in()
    with SmtpServer(password="another") as server:
        typed = fields(server.port, username="ferry", password=SECRET)
        answer = save(browser, **typed)
        assert answer.status == 422
        assert "refused the password" in answer.text
        assert SECRET not in answer.text
        assert (stands(here), here.asked) == ("", [])
        assert vault_of(here.config).content() is None
        assert browser.send(answer.form("/tell-me"), **{**typed, "anyway": "yes"}).status == 303
        browser.send(browser.get("/tell-me").form("/tell-me/test"))
        assert result_of(here, browser).startswith("failed: Mail through 127.0.0.1: ")
        assert SECRET not in result_of(here, browser)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": ""},
        {"to": "nobody"},
        {"sender": "@"},
        {"port": "x"},
        {"port": "70000"},
        {"tls": "rot13"},
        {"hour": "24"},
        {"day": "someday"},
        {"failures": "0"},
        {"failures": ""},
        {"failures": "101"},
        {"silence": "0"},
        {"silence": "1.5"},
        {"silence": "2161"},
        {"host": "ex ample"},
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_saved(here: Office, wrong: dict[str, str]) -> None:
    browser = here.signed_in()
    sent = fields(anyway="yes") | wrong
    answer = save(browser, **sent)
    assert answer.status == 422
    assert 'role="alert"' in answer.text
    assert 'value="ferry@example.org"' in answer.text or "sender" in wrong
    assert stands(here) == ""


def test_how_soon_somebody_hears_of_it_is_theirs_to_say(here: Office) -> None:
    browser = here.signed_in()
    save(browser, **fields(anyway="yes", failures="5", silence="36"))
    notify = here.config.notify
    assert notify is not None
    assert (notify.after_failures, notify.silence) == (5, timedelta(hours=36))
    text = browser.get("/tell-me").text
    assert "after 5 failed runs in a row" in text
    assert "could fetch for 36 hours" in text
    save(browser, **fields(anyway="yes", to="bob@example.org"))
    assert here.config.notify is not None
    assert (here.config.notify.after_failures, here.config.notify.silence) == (5, timedelta(hours=36))


def test_the_own_password_is_wanted(here: Office) -> None:
    browser = here.signed_in()
    page = browser.get("/tell-me")
    here.half_an_hour_later()
    for action, sent in (("/tell-me", fields(anyway="yes")), ("/tell-me/alarm", {"url": URL})):
        assert browser.send(page.form(action), **sent).status == 422
        assert stands(here) == ""
    assert browser.send(page.form("/tell-me/alarm"), url=URL, own=PASSWORD).status == 303


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(here: Office) -> None:
    browser = here.signed_in()
    old = browser.get("/tell-me")
    assert browser.send(old.form("/tell-me/alarm"), url=URL).status == 303
    before = stands(here)
    for action, sent in (("/tell-me", fields(anyway="yes")), ("/tell-me/alarm", {"url": URL + "2"})):
        answer = browser.send(old.form(action), **sent)
        assert answer.status == 409
        assert "changed this meanwhile" in answer.text
        assert stands(here) == before


def test_what_a_person_wrote_is_shown_and_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "alice")
    path.write_text(path.read_text() + '[notify]\ndigest = "never"\napprise = ["json://localhost/secret-token"]\n')
    with opened(path) as here:
        browser = here.signed_in()
        page = browser.get("/tell-me")
        assert "which a person wrote" in page.text
        assert "secret-token" not in page.text
        assert [form.action for form in page.forms()] == ["/sign-out", "/tell-me/test", "/tell-me/alarm"]
        form = page.form("/tell-me/alarm")
        assert browser.post("/tell-me", {**form.fields, **fields(anyway="yes")}).status == 409
        assert browser.send(form, url=URL).status == 303
        assert here.config.notify is not None
        assert here.config.notify.digest == "never"
        assert here.config.changed_by_page == {"pings"}


def test_the_silence_alarm_is_kept_like_a_password(here: Office) -> None:
    browser = here.signed_in()
    for wrong in ("", "ftp://x/y", "https://", "https://x/?y=1", "nonsense"):
        assert browser.send(browser.get("/tell-me").form("/tell-me/alarm"), url=wrong).status == 422
    assert browser.send(browser.get("/tell-me").form("/tell-me/alarm"), url=URL).status == 303
    assert here.config.pings is not None
    assert here.config.pings.url is not None
    assert here.config.pings.url.reveal() == URL
    text = browser.get("/tell-me").text
    assert "It is called." in text
    assert URL not in text + stands(here) + str(here.site.store.audit(9))
    assert browser.send(browser.get("/tell-me").form("/tell-me/alarm"), none="yes").status == 303
    assert here.config.pings == Pings()


def test_nobody_told_ends(here: Office) -> None:
    def ids() -> set[str]:
        opened_ledger = OpenedLedger(LedgerFacts(LedgerState.WELL), here.ledger)
        return {one.id for one in find(facts_on_disk(here.config, opened_ledger, 5e9, Invocation()))}

    assert "nobody-told" in ids()
    with SmtpServer() as server:
        save(here.signed_in(), **fields(server.port))
    assert "nobody-told" not in ids()


def test_without_anybody_there_is_nothing_to_try(here: Office) -> None:
    browser = here.signed_in()
    page = browser.get("/tell-me")
    assert "/tell-me/test" not in [form.action for form in page.forms()]
    assert browser.post("/tell-me/test", {"csrf": page.form("/sign-out").fields["csrf"]}).status == 422


def test_what_waits_to_be_delivered_is_said(here: Office) -> None:
    here.ledger.state_store.put(OUTBOX, "1", {"title": "a", "body": "b", "at": 1.0, "ways": ["smtp x"]})
    assert "One message could not be delivered yet" in here.signed_in().get("/tell-me").text


def test_the_digest_can_be_switched_off_and_what_else_stands_there_stays(here: Office) -> None:
    browser = here.signed_in()
    with SmtpServer() as server:
        save(browser, **fields(server.port))
        path = settings_file(here.config.state_dir)
        path.write_text(path.read_text().replace("[notify]\n", "# mine\n[notify]\ndisk_free = '5 GB'\n", 1))
        here.site.worker.reload()
        form = browser.get("/tell-me").form("/tell-me")
        form.fields.pop("digest")
        assert browser.send(form, host="127.0.0.1").status == 303
    assert here.config.notify is not None
    assert (here.config.notify.wants_digest, here.config.notify.disk_free) == (False, 5 * 10**9)
    assert "# mine" in stands(here)
    assert "No weekly digest." in browser.get("/tell-me").text


def test_an_auditor_sees_it_and_changes_nothing_a_reader_sees_nothing(here: Office) -> None:
    page = here.signed_in("otto", Role.AUDITOR).get("/tell-me")
    assert page.status == 200
    assert [form.action for form in page.forms()] == ["/sign-out"]
    assert here.signed_in("rita", Role.READER, "alice").get("/tell-me").status == 403
