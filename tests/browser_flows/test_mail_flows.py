"""The flows of mail: a mailbox from the adding to the leaving, what is set aside, found, read, given back, proven, deleted."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser_flows.flow import fine, follow, give_own, open_details, press, search, sends
from tests.browser_flows.house import INVOICE, House
from tests.browser_flows.sample_office import NEWSLETTER
from tests.browser_flows.seeing import Heard
from tests.conftest import StartDovecot

pytestmark = pytest.mark.slow


@sends("/add", "/add/places")
def test_a_mailbox_is_added(page: Page, here: House, heard: Heard) -> None:
    heard.refusals = {422}
    follow(page, "Add a mailbox")
    page.get_by_label("Its address").fill("carla@gmx.net")
    press(page, "Look for its server")
    expect(page.locator("main")).to_contain_text("Its server was found: pop.gmx.net")
    fine(page)
    open_details(page, "Its server, and the name to log in with")
    page.get_by_label("Server", exact=True).fill("127.0.0.1")
    page.get_by_label("Port").fill(str(here.server.port))
    page.get_by_label("How the connection is encrypted").select_option("none")
    page.get_by_label("The name to log in with").fill("carla")
    page.get_by_label("Its password").fill("wrong password")
    press(page, "Log in")
    expect(page.get_by_role("alert").first).to_be_visible()
    assert page.get_by_label("Its password").input_value() == ""
    fine(page)
    here.server.maildrop_of("carla").add(INVOICE)
    page.get_by_label("Its password").fill(here.server.password)
    press(page, "Log in")
    expect(page.get_by_text("The log-in worked: one message is there")).to_be_visible()
    fine(page)
    page.get_by_label("What it is called here").fill("carla")
    give_own(page)
    press(page, "Add the mailbox")
    expect(page.get_by_role("status").first).to_contain_text("its first message is proven")
    here.manager.wait_for(lambda: page.goto("/") and page.get_by_role("link", name="carla").count())


@sends("/accounts/{name}/pause", "/accounts/{name}/resume", "/accounts/{name}/run")
def test_a_mailbox_is_paused_resumed_and_run(page: Page, here: House) -> None:
    follow(page, "alice")
    press(page, "Pause")
    expect(page.locator("main")).to_contain_text("This mailbox is paused")
    press(page, "Resume")
    expect(page.get_by_role("status").first).to_contain_text("Resumed.")
    # It may be at work at once, and nothing more is run then.
    here.manager.wait_for(lambda: page.goto("/accounts/alice") and page.get_by_role("button", name="Run now").count())
    before = len(here.server.logins)
    press(page, "Run now")
    expect(page.get_by_role("status").first).to_contain_text("as soon as a place is free")
    here.manager.wait_for(lambda: len(here.server.logins) > before)


@sends("/accounts/{name}/run", "/accounts/{name}/stop")
def test_a_run_is_stopped(page: Page, here: House) -> None:
    follow(page, "bob")
    here.gate.is_open.clear()
    press(page, "Run now")
    stop = page.get_by_role("button", name="Stop this run")
    here.manager.wait_for(lambda: page.goto("/accounts/bob") and stop.count())
    fine(page)
    stop.click()
    expect(page.get_by_role("status").first).to_be_visible()
    here.gate.is_open.set()
    here.manager.wait_for(lambda: page.goto("/accounts/bob") and not stop.count())


@sends("/needs-a-look")
def test_what_was_set_aside_is_decided(page: Page, here: House, heard: Heard) -> None:
    heard.refusals = {422}
    page.get_by_role("navigation").get_by_role("link", name="Needs a look").click()
    press(page, "Fine as it is")
    expect(page.locator("main")).to_contain_text("No message was ticked. Nothing was done.")
    fine(page)
    page.go_back()
    page.get_by_role("checkbox").first.check()
    before = len(here.server.logins)
    press(page, "Try again")
    expect(page.get_by_role("status").first).to_contain_text("The next run tries again")
    here.manager.wait_for(lambda: len(here.server.logins) > before)
    here.manager.wait_for(lambda: page.goto("/needs-a-look") and page.get_by_role("checkbox").count() == 2)
    press(page, "All of these are fine")
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("“Try again” takes that back")


def test_mail_is_found_read_and_saved(page: Page, here: House) -> None:
    search(page, here.manager, "chairs")
    page.goto("/")
    follow(page, "Search")
    page.get_by_label("What to look for").fill("chairs")
    page.get_by_role("main").get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("1 message found.")
    follow(page, "Spring offers for your office")
    expect(page.locator("main")).to_contain_text("they do not squeak")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Spring offers")).to_be_visible()
    with page.expect_download() as raw:
        follow(page, "Save the message")
    assert Path(raw.value.path()).read_bytes() == NEWSLETTER
    with page.expect_download() as attachment:
        page.get_by_role("link", name="gnp.html").click()
    assert attachment.value.suggested_filename.endswith("gnp.html")
    assert "/" not in attachment.value.suggested_filename
    assert b"pwned" in Path(attachment.value.path()).read_bytes()


@sends("/exports")
def test_what_a_search_finds_is_saved_as_one_file(page: Page, here: House) -> None:
    search(page, here.manager, "invoice")
    follow(page, "Give all of these back")
    give_own(page, "#own-save")
    press(page, "Write the file")
    expect(page.get_by_role("status").first).to_contain_text("It is in the queue")
    link = page.get_by_role("link", name=re.compile("^Save the file"))
    here.manager.wait_for(lambda: page.goto("/jobs") and link.count())
    with page.expect_download() as saved:
        link.first.click()
    with zipfile.ZipFile(io.BytesIO(Path(saved.value.path()).read_bytes())) as archive:
        assert INVOICE in [archive.read(name) for name in archive.namelist()]


@sends("/restores")
def test_a_ticked_message_is_given_back_into_a_mailbox(page: Page, here: House, start_dovecot: StartDovecot) -> None:
    server, newest = start_dovecot(), page.get_by_role("row").nth(1)
    search(page, here.manager, "chairs")
    page.get_by_role("checkbox", name="Spring offers for your office").check()
    press(page, "Give the ticked ones back")
    expect(page.locator("main")).to_contain_text("1 ticked message")
    page.get_by_label("this one:").or_(page.get_by_label("another one:")).check()
    page.get_by_label("Its IMAP server").fill(server.host)
    page.get_by_label("The name to log in with").fill("erik")
    page.get_by_label("Its password").fill(server.password)
    page.get_by_label("The folder, which is made").fill("Given back")
    page.get_by_text("Port and encryption").click()
    page.get_by_label("Port", exact=True).fill(str(server.imap_port))
    page.get_by_label("How the connection is encrypted").select_option("none")
    give_own(page, "#own-store")
    press(page, "Give it back")
    expect(page.get_by_role("status").first).to_contain_text("It is in the queue")
    here.manager.wait_for(lambda: page.goto("/jobs") and newest.get_by_role("cell", name="done", exact=True).count())
    assert server.messages("erik", "Given back") == [NEWSLETTER]


@sends("/care/examine", "/care/verify", "/jobs/{number:int}/cancel")
def test_copies_are_verified_and_a_job_that_waits_is_cancelled(page: Page, here: House) -> None:
    here.gate.is_open.clear()
    follow(page, "Care")
    press(page, "Look thoroughly")
    done = page.get_by_role("cell", name="is being done")
    here.manager.wait_for(lambda: page.goto("/jobs") and done.count())
    follow(page, "Care")
    page.get_by_label("Mailbox").select_option("alice")
    press(page, "Verify now")
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("alice")
    row.get_by_role("button", name="Cancel").click()
    here.manager.wait_for(lambda: page.goto("/jobs") and "cancelled by Ann" in row.inner_text())
    here.gate.is_open.set()
    here.manager.wait_for(lambda: page.goto("/jobs") and not done.count())
    fine(page)


@sends("/care/verify", "/accounts/{name}/leave")
def test_the_old_provider_is_left(page: Page, here: House, heard: Heard) -> None:
    heard.refusals = {422}
    follow(page, "erik")
    follow(page, "Leave the old provider")
    press(page, "Verify now")
    here.manager.wait_for(lambda: page.goto("/accounts/erik/leave") and page.get_by_label("How many messages").count())
    fine(page)
    for number, said in (("3", "alert"), ("2", "status")):
        page.get_by_role("checkbox").check()
        page.get_by_label("How many messages").fill(number)
        give_own(page)
        press(page, "Delete them at the provider")
        expect(page.get_by_role(said).first).to_be_visible()  # type: ignore[arg-type]  # one of its literals
    here.manager.wait_for(lambda: not here.server.maildrop_of("erik").left())
    page.goto("/accounts/erik/leave/report")
    expect(page.get_by_role("heading", name="The mail of erik")).to_be_visible()


@sends("/care/back-up")
def test_the_settings_are_backed_up(page: Page, here: House) -> None:
    follow(page, "Care")
    give_own(page)
    press(page, "Back up the settings")
    row = page.get_by_role("row", name="settings").first
    here.manager.wait_for(lambda: page.goto("/jobs") and row.get_by_role("link").count())
    with page.expect_download() as saved:
        row.get_by_role("link").first.click()
    assert Path(saved.value.path()).stat().st_size > 1000


@sends("/accounts/{name}/run", "/cures")
def test_a_finding_ends_in_its_button(page: Page, here: House) -> None:
    here.gate.refuses = b"[SYS/PERM] this mailbox is closed"
    follow(page, "alice")
    press(page, "Run now")
    cure = page.locator("form[action='/cures']:has(input[value='run']) button")
    here.manager.wait_for(lambda: page.goto("/accounts/alice") and cure.count())
    fine(page)
    here.gate.refuses = b""
    before = len(here.server.logins)
    cure.first.click()
    expect(page.get_by_role("status").first).to_contain_text("as soon as a place is free")
    here.manager.wait_for(lambda: len(here.server.logins) > before)


def test_deletions_are_looked_up_and_saved(page: Page) -> None:
    follow(page, "Deletions")
    page.get_by_label("Mailbox").select_option("alice")
    press(page, "Show")
    expect(page.locator("main")).to_contain_text("Invoice 17")
    with page.expect_download() as saved:
        follow(page, "All of these as JSON")
    assert len(json.loads(Path(saved.value.path()).read_bytes())["receipts"]) == 2
    with page.expect_download() as saved:
        follow(page, "All of these as CSV")
    assert len(Path(saved.value.path()).read_text().splitlines()) == 3
