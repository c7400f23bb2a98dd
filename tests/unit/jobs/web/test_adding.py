"""Adding a mailbox: what is found, what is refused and stays filled in, and what stands where once it is added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.screens.adding import TRIED, folder_for
from migrator.config import load
from migrator.config.vault import vault_of
from migrator.config.vault_secret import VaultSecret
from migrator.operations.account_list import paused_accounts
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep
from tests.browser import Browser, Page
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.unit.jobs.web.office import PASSWORD, Office, office, written

MESSAGES = letters(12)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as running:
        yield running


def logged_in(browser: Browser, server: Pop3Server, address: str = "carla@gmx.net") -> Page:
    """Fill in the first two forms; returns the third."""
    form = browser.get(f"/add?address={address.replace('@', '%40')}").form("/add")
    answer = browser.send(
        form, host="127.0.0.1", port=str(server.port), tls="none", username="alice", password=server.password
    )
    assert answer.status == 303, answer.text
    return browser.follow(answer)


def test_a_shipped_provider_fills_the_form_in(here: Office) -> None:
    page = here.signed_in().get("/add?address=carla%40gmx.net")
    fields = page.form("/add").fields
    assert (fields["host"], fields["port"], fields["username"]) == ("pop.gmx.net", "995", "carla@gmx.net")
    assert fields["password"] == ""


@pytest.mark.parametrize("written", ["carla", "@gmx.net", "carla@", "carla@-", "carla@1.2.3.4"])
def test_what_is_no_address_is_refused_before_anybody_is_asked(here: Office, written: str) -> None:
    page = here.signed_in().get(f"/add?address={written}")
    assert page.status == 422
    assert page.form("/add").fields["address"] == written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": ""}, "The password is missing."),
        ({"address": "carla"}, "carla"),
        ({"port": "x"}, "A port is a number"),
        ({"port": "123456"}, "A port is a number"),
        ({"tls": "none", "host": "pop.example.org"}, "allow_plaintext"),
        ({"host": "http://x"}, "is not a host name"),
        ({"port": "1"}, "127.0.0.1"),
    ],
)
def test_what_is_refused_stays_filled_in_but_for_the_password(here: Office, change: dict[str, str], said: str) -> None:
    browser = here.signed_in()
    form = browser.get("/add?address=carla%40gmx.net").form("/add")
    sent = {"host": "127.0.0.1", "tls": "none", "password": "the password of carla", **change}
    page = browser.send(form, **sent)
    assert page.status == 422
    assert said in page.text
    again = page.form("/add").fields
    assert again["host"] == sent["host"]
    assert "the password of carla" not in page.text
    nothing_is_written(here)


def nothing_is_written(here: Office) -> None:
    assert not (here.config.state_dir.parent / "accounts.d").exists()
    assert not (here.config.state_dir / "secrets").exists()
    assert here.asked == []


def test_the_log_in_is_shown_and_nothing_is_written_before_the_last_form(here: Office, server: Pop3Server) -> None:
    page = logged_in(here.signed_in(), server)
    assert "12 messages are there" in page.text
    assert server.password not in page.text
    fields = page.form("/add/places").fields
    assert (fields["name"], fields["leave"], fields["first"]) == ("carla@gmx.net", "keep", "all")
    assert Path(fields["folder"]).name == "carla@gmx.net"
    assert "own" not in fields
    nothing_is_written(here)


def test_an_added_mailbox_has_its_password_in_the_vault_and_nowhere_else(here: Office, server: Pop3Server) -> None:
    browser = here.signed_in()
    answer = browser.send(logged_in(browser, server).form("/add/places"))
    assert (answer.status, answer.location) == (303, "/accounts/carla@gmx.net?said=added"), answer.text
    [carla] = [one for one in load(here.config.path or Path()).accounts if one.name == "carla@gmx.net"]
    assert isinstance(carla.source.password, VaultSecret)
    assert carla.source.password.reveal() == server.password
    assert isinstance(carla.source.leave_on_server, Keep)
    entry = vault_of(here.config).entry(carla.source.password.name)
    assert entry is not None
    assert entry.set_by == "ann"
    folder = here.config.state_dir.parent
    clear = [path for path in folder.rglob("*") if path.is_file() and server.password.encode() in path.read_bytes()]
    assert clear == []
    assert server.password not in "".join(map(str, here.site.store.audit(100)))
    assert server.maildrop.left() == MESSAGES
    assert here.asked == ["reload"]
    assert paused_accounts(here.ledger) == frozenset()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "alice"}, "There is a mailbox of that name already"),
        ({"name": "a/b"}, "name"),
        ({"folder": "mail"}, "Write the folder in full, from the root"),
        ({"folder": ""}, "Its mail must go somewhere"),
        ({"leave": "after", "days": "soon"}, "Write after how many days"),
        ({"leave": "after", "days": "9" * 5000}, "Write after how many days"),
        ({"leave": "never"}, "Choose what is to happen at the provider."),
        ({"imap-host": "127.0.0.1"}, "The password of the mailbox that the mail is copied to is missing."),
        (
            {"imap-host": "127.0.0.1", "imap-port": "1", "imap-password": "pw of imap", "imap-username": "c"},
            "127.0.0.1",
        ),
        ({"folder": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_what_is_refused_at_the_end_writes_nothing_and_may_be_tried_again(
    here: Office, server: Pop3Server, fields: dict[str, str], said: str
) -> None:
    browser = here.signed_in()
    form = logged_in(browser, server).form("/add/places")
    page = browser.send(form, **{"imap-tls": "none", **fields})
    assert page.status == 422
    assert said in page.text
    assert "pw of imap" not in page.text
    nothing_is_written(here)
    assert paused_accounts(here.ledger) == frozenset()
    assert browser.send(page.form("/add/places"), **form.fields).status == 303


def test_ten_messages_are_tried_and_the_rest_waits_for_a_person(here: Office, server: Pop3Server) -> None:
    browser = here.signed_in()
    answer = browser.send(logged_in(browser, server).form("/add/places"), first="ten", name="carla")
    assert answer.location == "/accounts/carla?said=tried"
    assert "the first ten messages are copied and proven" in browser.follow(answer).text
    assert paused_accounts(here.ledger) == {"carla"}
    assert here.ledger.history.numbers("carla").safe == TRIED
    assert browser.send(browser.get("/accounts/carla").form("/accounts/carla/resume")).status == 303


@pytest.mark.parametrize(
    ("fields", "policy"),
    [({"leave": "now"}, DeleteWhenVerified), ({"leave": "after", "days": "14"}, DeleteAfter)],
)
def test_what_happens_at_the_provider_is_as_it_was_chosen(
    here: Office, server: Pop3Server, fields: dict[str, str], policy: type
) -> None:
    browser = here.signed_in()
    assert browser.send(logged_in(browser, server).form("/add/places"), name="carla", **fields).status == 303
    [carla] = [one for one in here.config.accounts if one.name == "carla"]
    assert isinstance(carla.source.leave_on_server, policy)
    assert server.maildrop.left() == MESSAGES


def test_the_own_password_is_wanted_where_it_was_given_long_ago(here: Office, server: Pop3Server) -> None:
    browser = here.signed_in()
    form = logged_in(browser, server).form("/add/places")
    here.half_an_hour_later()
    page = browser.send(form)
    assert page.status == 422
    nothing_is_written(here)
    assert browser.send(page.form("/add/places"), own=PASSWORD).status == 303


def test_nobody_goes_on_with_what_another_session_began(here: Office, server: Pop3Server) -> None:
    begun = logged_in(here.signed_in(), server).form("/add/places")
    other = here.signed_in("otto")
    token = other.get("/").form("/sign-out").fields["csrf"]
    assert other.get(f"/add/places?draft={begun.fields['draft']}").status == 409
    assert other.post("/add/places", {**begun.fields, "csrf": token}).status == 409
    nothing_is_written(here)


def test_a_configuration_that_is_refused_elsewhere_is_said(here: Office, server: Pop3Server) -> None:
    browser = here.signed_in()
    form = logged_in(browser, server).form("/add/places")
    path = here.config.path
    assert path is not None
    draft = path.read_text()
    path.write_text(draft + "\nnonsense = 1\n")
    page = browser.send(form)
    assert page.status == 422
    assert "nonsense" in page.text
    assert not (path.parent / "accounts.d").exists()
    path.write_text(draft)


def test_mail_goes_beside_that_of_the_others(tmp_path: Path) -> None:
    config = load(written(tmp_path, "alice", "bob"))
    assert folder_for(config, "carla") == tmp_path / "archive" / "carla"
