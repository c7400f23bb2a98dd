"""What the screens do: forms change what they say, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from jobs.schedule.live_progress import RunProgress
from jobs.web.people import Role
from migrator.operations.account_list import paused_accounts
from migrator.report import StoppedBy
from migrator.run.counters import RunCounters
from tests.browser import Page
from tests.unit.jobs.web.mail import set_aside
from tests.unit.jobs.web.office import PASSWORD, Office, office

OTHER = "another good password"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_pause_and_resume_are_durable_and_shown(here: Office) -> None:
    browser = here.signed_in()
    answer = browser.send(browser.get("/accounts/alice").form("/accounts/alice/pause"))
    assert (answer.status, answer.location) == (303, "/accounts/alice?said=paused")
    assert paused_accounts(here.ledger) == {"alice"}
    assert here.asked == ["look"]
    page = browser.follow(answer)
    assert "Paused. Nothing is fetched or deleted until you resume it." in page.text
    assert ">paused<" in browser.get("/").text
    browser.send(page.form("/accounts/alice/resume"))
    assert paused_accounts(here.ledger) == frozenset()


def test_run_now_is_asked_of_the_worker(here: Office) -> None:
    browser = here.signed_in()
    assert browser.send(browser.get("/accounts/bob").form("/accounts/bob/run")).status == 303
    assert here.asked == ["bob"]


def shown_forms(page: Page) -> set[str]:
    """What may be done with alice now; a form that does not fit is there, and hidden."""
    forms = re.findall(r'<form method="post" action="/accounts/alice/(\w+)" data-when="[a-z ]+"( hidden)?>', page.text)
    assert len(forms) == 4
    return {name for name, hidden in forms if not hidden}


def test_a_run_that_goes_on_is_stopped_by_one_button_which_is_there_while_it_does(here: Office) -> None:
    browser = here.signed_in()
    assert shown_forms(browser.get("/accounts/alice")) == {"run", "pause"}
    here.running["alice"] = RunProgress(1.0)
    page = browser.get("/accounts/alice")
    assert shown_forms(page) == {"stop", "pause"}
    here.running["alice"] = RunProgress(1.0, is_stopping=True)
    assert shown_forms(browser.get("/accounts/alice")) == {"pause"}
    answer = browser.send(page.form("/accounts/alice/stop"))
    assert "What is done stays done" in browser.follow(answer).text
    assert here.asked == ["stop alice"]
    here.running.clear()
    assert "nothing to stop" in browser.follow(browser.send(page.form("/accounts/alice/stop"))).text
    table = browser.get("/audit.csv").text
    assert ",stop,alice,done" in table
    assert ",stop,alice,was not running" in table


def test_a_stopped_run_is_told_as_stopped_by_a_person_and_not_as_a_failure(here: Office) -> None:
    number = here.ledger.history.run_started("alice", 10.0)
    counters = RunCounters("alice")
    counters.interrupted(StoppedBy.PERSON)
    here.ledger.history.run_ended(number, counters.report(1.0), 20.0)
    browser = here.signed_in()
    page = browser.get("/accounts/alice").text
    assert "stopped by a person" in page
    assert "interrupted" not in page
    assert ">stopped by a person<" in browser.get("/").text


def test_a_notice_is_one_of_ours_or_none(here: Office) -> None:
    browser = here.signed_in()
    assert "evil" not in browser.get("/?said=evil").text


def test_messages_that_were_set_aside_are_accepted_one_by_one_or_all_of_a_kind(here: Office) -> None:
    set_aside(here.ledger, "alice", 3)
    browser = here.signed_in()
    page = browser.get("/needs-a-look")
    assert "the server said &lt;no&gt;" in page.text
    one, every = [form for form in page.forms() if form.action == "/needs-a-look"]
    assert browser.send(one, decision="accept").status == 422
    row = str(here.ledger.history.set_aside(["alice"])[0].row)
    answer = browser.send(one, row=row, decision="accept")
    assert (answer.status, answer.location) == (303, "/needs-a-look?said=accepted")
    assert [message.is_accepted for message in here.ledger.history.set_aside(["alice"])] == [True, False, False]
    browser.send(every, decision="accept")
    assert all(message.is_accepted for message in here.ledger.history.set_aside(["alice"]))


def test_to_try_again_forgets_the_failure_and_asks_for_a_run(here: Office) -> None:
    set_aside(here.ledger, "alice", 2)
    browser = here.signed_in()
    _, every = [form for form in browser.get("/needs-a-look").forms() if form.action == "/needs-a-look"]
    assert browser.send(every, decision="retry").status == 303
    assert here.ledger.history.set_aside(["alice"]) == []
    assert here.asked == ["alice"]


@pytest.mark.parametrize(
    "fields", [{"row": "999"}, {"row": "x"}, {"all": "nonsense"}, {"row": "1", "decision": "delete"}]
)
def test_a_decision_that_makes_no_sense_changes_nothing(here: Office, fields: dict[str, str]) -> None:
    set_aside(here.ledger, "alice", 2)
    browser = here.signed_in()
    form = next(form for form in browser.get("/needs-a-look").forms() if form.action == "/needs-a-look")
    assert browser.post(form.action, {**form.fields, "decision": "accept", **fields}).status in {400, 422}
    assert not any(message.is_accepted for message in here.ledger.history.set_aside(["alice"]))


def test_a_user_is_added_only_with_the_own_password_again(here: Office) -> None:
    browser = here.signed_in()
    form = browser.get("/users").form("/users")
    fields: dict[str, str | list[str]] = {
        "name": "rita",
        "password": OTHER,
        "role": "reader",
        "account": ["alice", "nobody"],
    }
    assert browser.send(form, **fields, own="wrong").status == 422
    assert here.site.store.user("rita") is None
    assert browser.send(form, **fields, own=PASSWORD).status == 303
    known = here.site.store.user("rita")
    assert known is not None
    assert (known[0].role, known[0].accounts) == (Role.READER, frozenset({"alice"}))
    assert browser.send(form, **fields, own=PASSWORD).status == 422


def test_a_removed_user_is_signed_out_at_once_and_the_last_administrator_stays(here: Office) -> None:
    browser, other = here.signed_in(), here.signed_in("otto")
    form = browser.get("/users/edit?name=otto").form("/users/remove")
    assert form.fields["name"] == "otto"
    assert browser.send(form, own=PASSWORD).status == 303
    assert other.get("/").location == "/sign-in"
    assert browser.send(form, name="ann", own=PASSWORD).status == 422
    assert [user.name for user in here.site.store.users()] == ["ann"]


def test_a_changed_password_ends_every_other_session(here: Office) -> None:
    browser = here.signed_in()
    elsewhere = here.signed_in()
    form = browser.get("/password").form("/password")
    assert browser.send(form, own="wrong", password=OTHER, again=OTHER).status == 422
    assert browser.send(form, own=PASSWORD, password=OTHER, again="x").status == 422
    assert browser.send(form, own=PASSWORD, password=OTHER, again=OTHER).status == 303
    assert browser.get("/").status == 200
    assert elsewhere.get("/").location == "/sign-in"


def test_what_was_done_stands_in_the_audit_and_no_password_does(here: Office) -> None:
    browser = here.signed_in()
    browser.send(browser.get("/accounts/alice").form("/accounts/alice/pause"))
    page = browser.get("/audit").text
    assert "signed in" in page
    assert "pause" in page
    table = browser.get("/audit.csv").text
    assert table.splitlines()[0] == "at,user,address,action,subject,outcome"
    assert ",ann,127.0.0.1,pause,alice,done" in table
    assert PASSWORD not in table


def test_a_thorough_look_and_a_verification_are_jobs_with_a_result(here: Office) -> None:
    browser = here.signed_in()
    care = browser.get("/care")
    assert browser.send(care.form("/care/examine")).location == "/jobs?said=task-asked"
    assert browser.send(care.form("/care/verify"), account="nobody").status == 404
    assert browser.send(care.form("/care/verify"), account="alice").status == 303
    while "waits for its turn" in (page := browser.get("/jobs").text) or "is being done" in page:
        assert browser.get("/jobs").status == 200
    assert "Nothing was found." in page
    assert "0 copies were read again: all is as it should be." in page
    assert "Found on" in browser.get("/care").text


@pytest.mark.parametrize("before", ["9" * 30, "-1", "x", "\u0663", "1e3"])
def test_a_page_that_is_no_number_is_refused_and_breaks_nothing(here: Office, before: str) -> None:
    browser = here.signed_in()
    for path in ("/receipts", "/audit"):
        assert browser.get(f"{path}?{urlencode({'before': before})}").status == 400
    assert browser.get(f"/accounts/alice?{urlencode({'before': before})}").status == 200
