"""Changing a mailbox: what is ours is changed after a look at it, what is not is left alone, and nothing is overwritten."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import tomlkit

from jobs.web.people import Role
from migrator.config import Account, MboxDestination, S3Destination, load
from migrator.config.new_account import account_text
from migrator.config.vault import vault_of
from migrator.config.vault_secret import VaultSecret
from migrator.operations.add_account import copy_some
from migrator.operations.change_account import MOST_VERSIONS
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep
from migrator.run.context import Effects
from tests.browser import Browser, Form, Page
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.object_store import KEYS, Bucket
from tests.servers.pop3 import Pop3Server
from tests.unit.jobs.web.office import PASSWORD, Office, opened, written

MESSAGES = letters(3)
NEW = "the new password of carla"


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, server: Pop3Server) -> Iterator[Office]:
    """An office with Carla, whose file is ours, beside Alice, who stands in the configuration itself."""
    path = written(tmp_path, "alice")
    source = {
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "username": "alice",
        "password": {"vault": "carla/source-1"},
    }
    places = [{"type": "mbox", "path": str(tmp_path / "archive" / "carla")}]
    (tmp_path / "accounts.d").mkdir()
    file_of(tmp_path).write_text(account_text({"name": "carla", "source": source, "destinations": places}))
    file_of(tmp_path).chmod(0o600)
    vault_of(load(path)).keep("carla/source-1", server.password, 5.0, "anna")
    with opened(path) as one:
        yield one


def file_of(folder: Path) -> Path:
    return folder / "accounts.d" / "carla.toml"


def carla(here: Office) -> Account:
    [found] = [one for one in load(here.config.path or Path()).accounts if one.name == "carla"]
    return found


def settings(browser: Browser) -> Form:
    return browser.get("/accounts/carla/settings").form("/accounts/carla/settings")


def reviewed(browser: Browser, **fields: str | list[str]) -> Page:
    """Fill the form in; returns the page that shows what would change."""
    answer = browser.send(settings(browser), **fields)
    assert answer.status == 303, answer.text
    return browser.follow(answer)


def saved(browser: Browser, page: Page, **fields: str) -> Page:
    return browser.send(page.form("/accounts/carla/settings/save"), **fields)


def test_a_change_is_shown_then_saved_and_in_force(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    before = file_of(tmp_path).read_text()
    page = reviewed(browser, leave="after", days="14")
    assert "Nothing is deleted at the provider." in page.text
    assert "+leave_on_server = &#34;14 days&#34;" in page.text
    assert file_of(tmp_path).read_text() == before
    answer = saved(browser, page)
    assert (answer.status, answer.location) == (303, "/accounts/carla?said=saved")
    assert carla(here).source.leave_on_server == DeleteAfter(timedelta(days=14))
    assert here.asked == ["reload"]
    assert [one.action for one in here.site.store.audit(1)] == ["change mailbox"]
    assert isinstance(here.config.accounts[1].source.leave_on_server, DeleteAfter)


def test_the_number_of_messages_that_would_go_stands_before_the_button(here: Office) -> None:
    prove(here, [1, 10, 20])
    browser = here.signed_in()
    page = reviewed(browser, leave="after", days="7")
    assert "3 messages are proven and still at the provider: they would become deletable there;" in page.text
    assert "2 of them with the next run." in page.text
    page = reviewed(browser, leave="now")
    assert "3 of them with the next run." in page.text
    assert isinstance(carla(here).source.leave_on_server, Keep)
    saved(browser, page)
    assert isinstance(carla(here).source.leave_on_server, DeleteWhenVerified)
    assert "deletable" not in reviewed(browser, leave="keep").text


def prove(here: Office, days: list[int]) -> None:
    """Copy Carla's mail, and let it be so many days ago that the messages were proven."""
    report = copy_some(carla(here), here.config, Effects(stop=threading.Event()), len(days))
    assert report.verified == len(days)
    with closing(sqlite3.connect(here.config.state_dir / "ledger.sqlite3")) as sql, sql:
        for row, ago in enumerate(days, start=1):
            sql.execute("update messages set copied_at = copied_at - ? where id = ?", (ago * 86400.0, row))


def test_the_password_is_never_shown_and_an_empty_field_keeps_it(
    here: Office, server: Pop3Server, tmp_path: Path
) -> None:
    browser = here.signed_in()
    page = browser.get("/accounts/carla/settings")
    assert "by anna" in page.text
    assert server.password not in page.text
    saved(browser, reviewed(browser, leave="now"))
    assert carla(here).source.password.reveal() == server.password
    refused = browser.send(settings(browser), password=NEW)
    assert refused.status == 422
    assert NEW not in refused.text
    assert carla(here).source.password.reveal() == server.password
    saved(browser, reviewed(browser, password=NEW, anyway="yes"))
    secret = carla(here).source.password
    assert isinstance(secret, VaultSecret)
    assert secret.reveal() == NEW
    content = vault_of(here.config).content()
    assert content is not None
    assert list(content.entries) == [secret.name]
    assert "by ann" in browser.get("/accounts/carla/settings").text
    clear = [path for path in tmp_path.rglob("*") if path.is_file() and NEW.encode() in path.read_bytes()]
    assert clear == []
    assert NEW not in "".join(map(str, here.site.store.audit(100)))


def test_a_password_that_logs_in_needs_no_insisting(here: Office, server: Pop3Server) -> None:
    browser = here.signed_in()
    before = carla(here).source.password.identity()
    saved(browser, reviewed(browser, password=server.password))
    assert carla(here).source.password.reveal() == server.password
    assert carla(here).source.password.identity() != before


def test_places_are_added_and_taken_out(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    page = reviewed(browser, folder=str(tmp_path / "second"))
    assert "begins to copy everything to the new place" in page.text
    saved(browser, page)
    places = [place.path for place in carla(here).destinations if isinstance(place, MboxDestination)]
    assert places == [tmp_path / "archive" / "carla", tmp_path / "second"]
    saved(browser, reviewed(browser, kept="1"))
    places = [place.path for place in carla(here).destinations if isinstance(place, MboxDestination)]
    assert places == [tmp_path / "second"]
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Nothing was changed in the form"),
        ({"port": "x"}, "A port is a number"),
        ({"port": "1"}, "127.0.0.1"),
        ({"host": "pop.example.org"}, "allow_plaintext"),
        ({"kept": "7"}, "Its mail must go somewhere"),
        ({"folder": "mail"}, "Write the folder in full"),
        ({"leave": "after", "days": "0"}, "Write after how many days"),
        ({"imap-host": "h", "imap-username": "u"}, "The password of the mailbox"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    here: Office, tmp_path: Path, fields: dict[str, str], said: str
) -> None:
    before = file_of(tmp_path).read_text()
    browser = here.signed_in()
    page = browser.send(settings(browser), **fields)
    assert page.status == 422
    assert said in page.text
    assert file_of(tmp_path).read_text() == before
    assert here.asked == []


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    page = reviewed(browser, leave="now", password=NEW, anyway="yes")
    theirs = file_of(tmp_path).read_text().replace("[accounts.source]", '[accounts.source]\ntimeout = "9 seconds"')
    file_of(tmp_path).write_text(theirs)
    conflict = saved(browser, page)
    assert conflict.status == 409
    assert "+timeout = &#34;9 seconds&#34;" in conflict.text
    assert "+leave_on_server = false" in conflict.text
    assert NEW not in conflict.text
    assert file_of(tmp_path).read_text() == theirs
    content = vault_of(here.config).content()
    assert content is not None
    assert list(content.entries) == ["carla/source-1"]
    file_of(tmp_path).unlink()
    assert saved(browser, page).status == 409
    assert not file_of(tmp_path).exists()


def test_what_a_person_added_to_the_file_stays(here: Office, tmp_path: Path) -> None:
    text = file_of(tmp_path).read_text().replace("[accounts.source]", '[accounts.source]\ntimeout = "9 seconds" # slow')
    file_of(tmp_path).write_text(text)
    saved(here_browser := here.signed_in(), reviewed(here_browser, leave="now"))
    assert 'timeout = "9 seconds" # slow' in file_of(tmp_path).read_text()


def test_what_a_person_wrote_is_shown_and_left_alone(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    page = browser.get("/accounts/alice/settings")
    assert f"They stand in {tmp_path / 'config.toml'}, line" in page.text
    assert [form.action for form in page.forms()] == [form.action for form in browser.get("/search").forms()][:1]
    sent = {**settings(browser).fields, "leave": "now"}
    assert browser.post("/accounts/alice/settings", sent).status == 409
    by_hand = file_of(tmp_path).read_text().removeprefix("# Written by")
    file_of(tmp_path).write_text("# mine\n" + by_hand.partition("\n")[2])
    assert "A person wrote these settings" in browser.get("/accounts/carla/settings").text
    assert browser.post("/accounts/carla/settings", sent).status == 409


def test_the_last_ten_versions_fill_the_form_in_again(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    for days in range(1, MOST_VERSIONS + 3):
        assert saved(browser, reviewed(browser, leave="after", days=str(days))).status == 303
    kept = sorted((here.config.state_dir / "versions" / "carla").glob("*.toml"))
    assert [int(path.stem) for path in kept] == list(range(3, MOST_VERSIONS + 3))
    page = browser.get("/accounts/carla/settings?version=3")
    form = page.form("/accounts/carla/settings")
    assert (form.fields["leave"], form.fields["days"]) == ("after", "2")
    answer = browser.send(form)
    saved(browser, browser.follow(answer))
    assert carla(here).source.leave_on_server == DeleteAfter(timedelta(days=2))
    assert browser.get("/accounts/carla/settings?version=1").status == 404


def test_the_own_password_is_wanted_where_it_was_given_long_ago(here: Office) -> None:
    browser = here.signed_in()
    page = reviewed(browser, leave="now")
    here.half_an_hour_later()
    asked = saved(browser, page)
    assert asked.status == 422
    assert isinstance(carla(here).source.leave_on_server, Keep)
    assert saved(browser, asked, own="wrong").status == 422
    assert saved(browser, asked, own=PASSWORD).status == 303


def test_a_refused_reload_is_said_beside_the_form(here: Office) -> None:
    browser = here.signed_in()
    here.refuses = "state_dir is only read at start"
    page = saved(browser, reviewed(browser, leave="now"))
    assert page.status == 200
    assert "mailferry goes on as before" in page.text
    assert "state_dir is only read at start" in page.text
    assert isinstance(carla(here).source.leave_on_server, DeleteWhenVerified)


def test_a_draft_belongs_to_its_session_and_its_mailbox(here: Office) -> None:
    browser = here.signed_in()
    page = reviewed(browser, leave="now")
    other = here.signed_in("otto")
    draft = page.form("/accounts/carla/settings/save").fields["draft"]
    token = other.get("/").form("/sign-out").fields["csrf"]
    assert other.get(f"/accounts/carla/settings/review?draft={draft}").status == 409
    assert other.post("/accounts/carla/settings/save", {"csrf": token, "draft": draft}).status == 409
    own = browser.get("/").form("/sign-out").fields["csrf"]
    assert browser.post("/accounts/alice/settings/save", {"csrf": own, "draft": draft}).status == 409
    assert isinstance(carla(here).source.leave_on_server, Keep)


def test_an_auditor_looks_and_a_reader_does_not(here: Office) -> None:
    auditor = here.signed_in("otto", Role.AUDITOR)
    page = auditor.get("/accounts/carla/settings")
    assert page.status == 200
    assert "/accounts/carla/settings/save" not in page.text
    token = page.form("/sign-out").fields["csrf"]
    assert auditor.post("/accounts/carla/settings", {"csrf": token}).status == 403
    assert here.signed_in("rita", Role.READER, "carla").get("/accounts/carla/settings").status == 403


def test_an_archive_in_an_object_store_is_shown_and_kept_by_a_change(
    here: Office, tmp_path: Path, bucket: Bucket
) -> None:
    for name, value in {"key-id": KEYS.access_key_id, "key": KEYS.secret_access_key}.items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(value)
    text = file_of(tmp_path).read_text()
    place = {
        "type": "s3",
        "bucket": bucket.name,
        "prefix": "mail",
        "endpoint": bucket.endpoint,
        "access_key_id": {"file": str(tmp_path / "key-id")},
        "secret_access_key": {"file": str(tmp_path / "key")},
    }
    document = tomlkit.parse(text)
    document["accounts"][0]["destinations"].append(place)
    file_of(tmp_path).write_text(tomlkit.dumps(document))
    here.config = load(here.config.path or Path())
    report = copy_some(carla(here), here.config, Effects(stop=threading.Event()), len(MESSAGES))
    assert report.verified == len(MESSAGES)
    browser = here.signed_in()
    label = f"s3 {bucket.name}/mail"
    for page in ("/accounts/carla", "/accounts/carla/settings"):
        assert label in browser.get(page).text, page
    assert KEYS.secret_access_key not in browser.get("/accounts/carla/settings").text
    saved(browser, reviewed(browser, leave="now", kept=["0", "1"]))
    [_, kept] = carla(here).destinations
    assert isinstance(kept, S3Destination)
    assert (kept.bucket, kept.prefix, len(kept.signing_keys())) == (bucket.name, "mail", 2)
    assert len(bucket.objects()) == 1
