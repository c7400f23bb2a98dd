"""Each finding has one button, or a reason why it has none; who may not press it sees none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.cures import LABELS, NOTHING_TO_DO, ON_THE_MACHINE, WAYS, Act, Page, button_of
from jobs.web.people import Role
from jobs.web.tasks.task_store import newest_tasks
from migrator.findings.catalogue import BY_ID, ENTRIES
from migrator.findings.model import Cure, Finding
from migrator.operations.account_list import pause, paused_accounts
from tests.unit.jobs.web.office import Office, office


def found(kind: str, *accounts: str, cure: str = "") -> Finding:
    entry = BY_ID[kind]
    command = ("mailferry", "something", *accounts)
    return Finding(
        kind, entry.severity, "cause", accounts, None, "it is <b>so</b>", 5.0, Cure(cure or entry.cure, command)
    )


def test_every_kind_of_finding_has_a_button_or_a_reason_why_it_has_none() -> None:
    kinds = [*WAYS, *ON_THE_MACHINE, *NOTHING_TO_DO]
    assert sorted(kinds) == sorted(entry.id for entry in ENTRIES)
    assert set(LABELS) == {*Act, *Page}
    assert all([*ON_THE_MACHINE.values(), *NOTHING_TO_DO.values(), *(way.says for way in WAYS.values())])


def test_what_is_paused_is_resumed_not_run_in_vain() -> None:
    stale, paused = found("stale", "alice"), found("paused", "alice")
    button = button_of(stale, [stale, paused])
    assert button is not None
    assert (button.act, button.accounts) == (Act.RESUME, ("alice",))
    of_both = button_of(found("stale", "alice", "bob"), [paused])
    assert of_both is not None
    assert of_both.act is Act.RUN


def test_a_finding_of_the_installation_is_not_cured_by_working_no_account() -> None:
    assert button_of(found("clock-jump")) is None


def test_what_is_known_of_the_cure_beyond_its_kind_is_shown() -> None:
    plain, advised = button_of(found("auth-refused", "alice")), button_of(found("auth-refused", "alice", cure="call"))
    assert plain is not None
    assert advised is not None
    assert (plain.is_advised, advised.is_advised) == (False, True)


def test_a_password_that_is_refused_or_missing_leads_to_the_settings_of_its_one_account() -> None:
    for kind in ("auth-refused", "secret-missing"):
        button = button_of(found(kind, "carla@example.org"))
        assert button is not None
        assert (button.href, button.act) == ("/accounts/carla@example.org/settings", None)
        assert button_of(found(kind, "alice", "bob")) is None


def test_a_sign_in_that_is_needed_leads_to_it() -> None:
    for kind in ("sign-in-needed", "sign-in-ending"):
        button = button_of(found(kind, "carla@example.org"))
        assert button is not None
        assert (button.href, button.act) == ("/accounts/carla@example.org/sign-in", None)
        assert button_of(found(kind, "alice", "bob")) is None


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def shows(here: Office, *findings: Finding) -> None:
    here.findings = lambda _config: findings


def test_run_now_is_asked_for_each_account_of_a_finding(here: Office) -> None:
    shows(here, found("host-unreachable", "alice", "bob"))
    browser = here.signed_in()
    for path in ("/", "/care", "/accounts/bob"):
        here.asked.clear()
        page = browser.get(path)
        assert "it is &lt;b&gt;so&lt;/b&gt;" in page.text
        [form] = [one for one in page.forms() if one.action == "/cures"]
        answer = browser.post("/cures", {**form.fields, "account": ["alice", "bob"]})
        assert (answer.status, answer.location) == (303, "/?said=runs-asked")
        assert here.asked == ["alice", "bob"]
    assert [entry.subject for entry in here.site.store.audit(2)] == ["bob", "alice"]


def test_the_form_of_a_finding_names_its_accounts(here: Office) -> None:
    shows(here, found("stale", "alice"))
    browser = here.signed_in()
    answer = browser.send(browser.get("/").form("/cures"))
    assert (answer.location, here.asked) == ("/accounts/alice?said=run-asked", ["alice"])


def test_resume_is_durable_and_the_worker_hears_of_it(here: Office) -> None:
    pause(here.config.accounts, here.ledger, 1.0)
    shows(here, found("paused", "alice"))
    browser = here.signed_in()
    assert browser.send(browser.get("/").form("/cures")).location == "/accounts/alice?said=resumed"
    assert paused_accounts(here.ledger) == {"bob"}
    assert here.asked == ["look"]


def test_verify_asks_for_a_job(here: Office) -> None:
    shows(here, found("never-verified", "alice"))
    browser = here.signed_in()
    assert browser.send(browser.get("/").form("/cures")).location == "/jobs?said=task-asked"
    [task] = newest_tasks(here.site.store, 5)
    assert (task.kind, task.subject) == ("verify", "alice")


def test_a_clock_that_is_right_is_believed_and_shown_before(here: Office) -> None:
    [alice, _] = here.config.accounts
    drop = here.ledger.maildrop("alice", alice.source.host, alice.source.port, alice.source.username)
    drop.clock_doubted(5.0)
    shows(here, found("clock-jump", "alice"))
    browser = here.signed_in()
    page = browser.get("/")
    assert re.search(r"It shows [^.]*\d:\d\d\.", page.text)
    browser.send(page.form("/cures"))
    assert here.ledger.overview.clocks_doubted_at(["alice"]) == {}
    assert here.asked == ["alice"]


@pytest.mark.parametrize("kind", sorted(kind for kind, way in WAYS.items() if isinstance(way.does, Page)))
def test_a_link_leads_to_a_page_that_is_there(here: Office, kind: str) -> None:
    shows(here, found(kind, "alice"))
    browser = here.signed_in()
    button = button_of(found(kind, "alice"))
    assert button is not None
    assert f'href="{button.href.replace("&", "&amp;")}"' in browser.get("/").text
    assert browser.get(button.href).status == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"act": "run", "account": "nobody"}, 404),
        ({"act": "delete", "account": "alice"}, 400),
        ({"act": "run", "account": []}, 400),
        ({"act": "run", "account": ["alice", "nobody"]}, 404),
    ],
)
def test_what_makes_no_sense_does_nothing(here: Office, fields: dict[str, str | list[str]], status: int) -> None:
    browser = here.signed_in()
    token = browser.get("/").form("/sign-out").fields["csrf"]
    assert browser.post("/cures", {"csrf": token, **fields}).status == status
    assert here.asked == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.READER])
def test_who_may_change_nothing_sees_the_words_and_no_button(here: Office, role: Role) -> None:
    shows(here, found("stale", "alice"))
    page = here.signed_in("rita", role, "alice").get("/")
    assert "mailferry something alice" in page.text
    assert [form.action for form in page.forms()] == ["/sign-out"]
