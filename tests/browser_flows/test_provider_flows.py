"""The flows of a sign-in at the provider of a mailbox: for one that is there, and for one that is being added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.browser_flows.flow import fine, follow, give_own, press, sends
from tests.browser_flows.house import Gate, House
from tests.browser_flows.sample_office import ACCOUNT, at_work, said
from tests.browser_flows.seeing import why_missing
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.oauth_provider import OAuthProvider, trusted
from tests.servers.pop3 import Pop3Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def provider(script: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuthProvider]:
    """A provider that tells its answer by the address at which the browser ends."""
    if reason := why_missing():
        pytest.skip(reason)
    with (
        pytest.MonkeyPatch.context() as environment,
        trusted(environment, tmp_path_factory.mktemp("trust")),
        OAuthProvider() as running,
    ):
        yield running


@pytest.fixture(scope="module")
def here(provider: OAuthProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A worker with the mailbox of Alice, who has not signed in yet; the server takes the provider's newest token."""
    folder = tmp_path_factory.mktemp("house")
    with Pop3Server(Maildrop(letters(2))) as server:

        def knows(token: str) -> None:
            server.secrets = replace(server.secrets, token=token)

        provider.issued = knows
        config = folder / "config.toml"
        alice = ACCOUNT.format(name="alice", port=server.port, password="", leave="true")
        table = "".join(line for line in provider.table.splitlines(keepends=True) if not line.startswith("device"))
        config.write_text(
            'state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n[schedule]\nevery = "1 hour"\n'
            f"[oauth.local]\n{table}" + alice.replace('password = ""', 'password = { oauth = "local" }')
        )
        config.chmod(0o600)
        with at_work(config) as (manager, port):
            yield House(folder, manager, server, Gate(), port, said(manager, "web.setup")["token"])


def say_yes(page: Page, provider: OAuthProvider) -> None:
    """Do at the provider what the page asks for, and come back with the address that the browser ends at."""
    where = page.get_by_role("link", name="Open the provider's page").get_attribute("href")
    assert where
    fine(page)
    page.get_by_label("The address of that page").fill(provider.browse(where))
    press(page, "Go on")
    while not page.get_by_text("The provider said yes").count():
        follow(page, "Look again")


@sends("/accounts/{name}/sign-in", "/sign-in-answer")
def test_somebody_signs_in_for_a_mailbox_and_its_mail_is_fetched(
    page: Page, here: House, provider: OAuthProvider
) -> None:
    page.goto("/accounts/alice/sign-in")
    fine(page)
    give_own(page)
    press(page, "Sign in at the provider")
    say_yes(page, provider)
    fine(page)
    follow(page, "Back to the mailbox")
    expect(page.get_by_role("heading", name="alice")).to_be_visible()
    here.manager.wait_for((here.folder / "archive" / "alice").exists)


@sends("/add/sign-in", "/sign-in-answer", "/add/signed-in")
def test_a_mailbox_is_added_by_a_sign_in_in_place_of_a_password(
    page: Page, here: House, provider: OAuthProvider
) -> None:
    page.goto("/add?address=carla%40outlook.com")
    form = page.locator('form[action="/add/sign-in"]')
    mine = {"oauth": "local", "host": "127.0.0.1", "port": str(here.server.port), "tls": "none", "username": "alice"}
    for name, value in mine.items():  # as if the provider of this address were ours
        form.locator(f"input[name={name}]").evaluate("(field, value) => { field.value = value }", value)
    give_own(page, "#own-to-sign-in")
    form.get_by_role("button").click()
    say_yes(page, provider)
    fine(page)
    press(page, "Go on")
    expect(page.get_by_text("The log-in worked: 2 messages are there")).to_be_visible()
