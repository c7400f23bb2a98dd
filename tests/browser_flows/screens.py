"""Every screen of the page: where it is opened, who opens it, what is to be seen there, and what its picture shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from playwright.sync_api import Page

from migrator.message.digest import digest_of
from tests.browser_flows.sample_office import NEWSLETTER
from tests.browser_flows.visitors import ADMINISTRATOR, AUDITOR

LETTER = digest_of(NEWSLETTER).hex()


@dataclass(frozen=True, slots=True)
class Shown:
    """One screen. ``name`` is that of its picture; ``who`` is empty for a stranger, ``is_new`` where nobody can sign in yet."""

    name: str
    path: str
    sees: str
    alt: str
    address: str = ""
    follows: str = ""
    """What is written on the link that leads on from there, where the address is not known beforehand."""
    who: str = ADMINISTRATOR
    is_new: bool = False
    host: str = "127.0.0.1"
    """By which name of loopback it is opened: passkeys want one that is no address."""
    does: Callable[[Page], None] = lambda _page: None
    """What is done there, where that leads on."""

    def open(self, page: Page) -> None:
        """Open it."""
        page.goto(self.address or self.path)
        if self.follows:
            page.get_by_role("link", name=self.follows).first.click()
        self.does(page)


def _log_in(page: Page) -> None:
    """Log in at the server of the sample, whose port stands in Martin's settings."""
    page.goto("/accounts/martin/settings")
    port = page.locator("#port").input_value()
    page.goto("/add?address=carla%40gmx.net")
    page.locator("summary").first.click()
    for field, value in {"host": "127.0.0.1", "port": port, "username": "martin", "password": "open-sesame"}.items():
        page.locator(f"#{field}").fill(value)
    page.locator("#tls").select_option("none")
    page.get_by_role("button", name="Log in").click()


def _wish(page: Page) -> None:
    page.get_by_label("A message is deleted there some time after").check()
    page.get_by_role("button", name="Look at the change").click()


SHOWN: Sequence[Shown] = (
    Shown("welcome", "/setup", "Welcome", "The first start: token, name and password", who="", is_new=True),
    Shown("sign-in", "/sign-in", "Sign in", "Name and password", who=""),
    Shown("overview", "/", "Overview", "One light, one sentence, and each mailbox with its numbers"),
    Shown("add", "/add", "Add a mailbox", "The address of a mailbox is asked for"),
    Shown("add-server", "/add", "Add carla@gmx.net", "The server as it was found", "/add?address=carla%40gmx.net"),
    Shown(
        "add-places", "/add/places", "Where the mail of", "Where its mail goes, and how to begin", "/add", does=_log_in
    ),
    Shown(
        "settings",
        "/accounts/{name}/settings",
        "Settings of martin",
        "Password, server, places, and what happens at the provider",
        "/accounts/martin/settings",
    ),
    Shown(
        "settings-review",
        "/accounts/{name}/settings/review",
        "Nothing is saved yet",
        "What a change would mean, before it is saved",
        "/accounts/martin/settings",
        does=_wish,
    ),
    Shown("vault", "/vault", "Passwords that are kept", "Where the key of typed passwords is, and the recovery key"),
    Shown("mailbox", "/accounts/{name}", "office", "Numbers that add up, and the runs", "/accounts/office"),
    Shown("needs-a-look", "/needs-a-look", "Needs a look", "Two messages that the server does not give"),
    Shown(
        "look-at-one",
        "/needs-a-look/{name}/{row:int}",
        "Fine as it is",
        "One message that was set aside",
        "/needs-a-look",
        follows="Show it",
    ),
    Shown("search", "/search", "Search", "What a search finds, newest first", "/search?q=meeting"),
    Shown("search-help", "/search", "How to ask", "The search box and its grammar"),
    Shown("message", "/messages/{id}", "Spring offers for your office", "A letter", f"/messages/{LETTER}"),
    Shown("receipts", "/receipts", "Deletions", "What was deleted, and what proves it"),
    Shown("receipt", "/receipts/{number:int}", "Where its copies are", "One receipt, to print", "/receipts/1"),
    Shown(
        "leave",
        "/accounts/{name}/leave",
        "Leave the old provider of martin",
        "What has to be true before a provider is left",
        "/accounts/martin/leave",
    ),
    Shown(
        "leave-report",
        "/accounts/{name}/leave/report",
        "The mail of office",
        "A report to print: where the mail is, and what was deleted",
        "/accounts/office/leave/report",
    ),
    Shown("give-back", "/give-back", "Give mail back", "Which messages are to be given back"),
    Shown("give-back-how", "/give-back", "Into a mailbox", "As a file, or into a mailbox", "/give-back?q=meeting"),
    Shown("care", "/care", "Care", "Findings, a thorough look, verification, the installation"),
    Shown("tell-me", "/tell-me", "Tell me", "Who hears of trouble, and how"),
    Shown("jobs", "/jobs", "Jobs", "What was asked for, and what came of it"),
    Shown("audit", "/audit", "Who did what", "Who did what, and when"),
    Shown("users", "/users", "Users", "Who may come in, and what each may see"),
    Shown("user", "/users/edit", "rita", "One user: role, password, sessions", "/users/edit?name=rita"),
    Shown("language", "/language", "Language", "The language that a user reads"),
    Shown("password", "/password", "Your password", "One's own password"),
    Shown("second-factor", "/second-factor", "Second factor", "One-time codes are switched on"),
    Shown("second-factor-on", "/second-factor", "Switch it off", "One-time codes are on", who=AUDITOR),
    Shown("passkeys", "/passkeys", "Add a passkey", "One's own passkeys", host="localhost"),
    Shown("again", "/again", "Is it you?", "Who one is, shown again before what is dangerous"),
    Shown("tokens", "/tokens", "Tokens", "Tokens for programs"),
)

AT_A_PROVIDER = {"/accounts/{name}/sign-in", "/add/sign-in"}
"""Screens that want a provider of tokens: tests/browser_flows/test_provider_flows.py holds them to the same."""

WITH_OPENID = {"/identity", "/connect", "/sign-in/openid"}
"""Screens that want an OpenID provider: tests/browser_flows/test_openid_flows.py opens them."""

FILES: Mapping[str, str] = {
    "/receipts.csv": "/receipts.csv",
    "/receipts.json": "/receipts.json",
    "/audit.csv": "/audit.csv",
    "/messages/{id}/raw": f"/messages/{LETTER}/raw",
    "/messages/{id}/attachments/{number:int}": f"/messages/{LETTER}/attachments/1",
    "/jobs/{number:int}/file": "/jobs/1/file",
}
"""What is saved and not shown."""

SENDERS: Mapping[str, str] = {"/messages/{id}/layout": f"/messages/{LETTER}/layout"}
"""Documents of senders in a frame: tests/integration/test_hostile_html.py has what they may do."""
