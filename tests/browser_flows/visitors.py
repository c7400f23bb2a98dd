"""Who comes to the sample office, and what was asked for there before anybody looks."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

import pyotp

from jobs.web.factor_store import keep_factor
from jobs.web.hashing import hashed
from jobs.web.people import Role, User
from jobs.web.second_factor import recovery_hash
from jobs.web.store import WebStore
from tests.browser import Browser
from tests.browser_flows.sample_office import SampleOffice

PASSWORD = "correct horse battery"
HASH = hashed(PASSWORD)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ADMINISTRATOR = "anna"
AUDITOR = "petra"
"""She has a second factor, whose secret is ``SECRET``."""
READER = "rita"
USERS: Sequence[User] = (
    User(ADMINISTRATOR, Role.ADMINISTRATOR),
    User(AUDITOR, Role.AUDITOR),
    User(READER, Role.READER, frozenset({"office", "invoices"})),
)


def let_in(store: WebStore) -> None:
    """Make the users."""
    for user in USERS:
        assert store.add(user, HASH, time.time())
    keep_factor(store, AUDITOR, SECRET, 0, [recovery_hash(f"aaaa-bbbb-{number:04}") for number in range(10)])


def signed_in(port: int, name: str) -> Mapping[str, str]:
    """Sign a user in; return the cookies of the session."""
    browser = Browser(port)
    answer = browser.send(browser.get("/sign-in").form("/sign-in"), name=name, password=PASSWORD)
    if name == AUDITOR:
        answer = browser.send(answer.form("/sign-in"), code=pyotp.TOTP(SECRET).now())
    assert (answer.status, answer.location) == (303, "/"), answer.text
    return browser.cookies


def have_something_to_show(office: SampleOffice, cookies: Mapping[str, str]) -> None:
    """Have the search index made, an export written, every copy read again, and a token made."""
    browser = Browser(office.port, cookies=dict(cookies))
    office.manager.wait_for(lambda: found_by(browser, "meeting") and found_by(browser, "office") > 40)
    browser.send(browser.get("/give-back?q=meeting").form("/exports"), own=PASSWORD, format="eml")
    browser.send(browser.get("/care").form("/care/verify"), account="office")
    browser.send(browser.get("/tokens").form("/tokens"), name="monthly report", scope="read")
    office.manager.wait_for(lambda: browser.get("/jobs").text.count("done</td>") == 2)


def found_by(browser: Browser, query: str) -> int:
    """How many messages a search finds."""
    found = re.search(r">(\d+) messages? found\.", browser.get(f"/search?q={query}").text)
    return int(found[1]) if found else 0
