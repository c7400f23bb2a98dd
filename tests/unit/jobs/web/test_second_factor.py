"""One-time codes: each good once, wrong ones counted, and a way back for a lost device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from jobs.web.factor_store import factor_of
from jobs.web.second_factor import STEP_SECONDS, TICKET_SECONDS, name_on, proposal_from, proposed, step_of, ticket
from tests.browser import Browser, Page
from tests.unit.jobs.web.office import PASSWORD, Office, office

NOW = 1_700_000_000.0


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        one.add("ann")
        yield one


def switched_on(here: Office) -> tuple[str, list[str]]:
    """Switch it on for Ann with the code of the step before, so that the current one is still good."""
    browser = here.signed_in()
    page = browser.get("/second-factor")
    form = page.form("/second-factor")
    secret = form.fields["proposal"].partition(".")[0]
    codes = re.findall(
        r"^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$", page.text.replace("<pre>", "\n").replace("</pre>", "\n"), re.M
    )

    def early() -> str:
        return pyotp.TOTP(secret).at(int(here.site.clock()) - STEP_SECONDS)

    assert browser.send(form, code="000000", own=PASSWORD).status == 422
    assert browser.send(form, code=early(), own="wrong").status == 422
    answer = browser.send(form, code=early(), own=PASSWORD)
    assert (answer.status, answer.location) == (303, "/second-factor?said=second-factor-on")
    assert "It is on" in browser.follow(answer).text
    return secret, codes


def asked_for_a_code(browser: Browser) -> Page:
    page = browser.send(browser.get("/sign-in").form("/sign-in"), name="ann", password=PASSWORD)
    assert "code" in page.forms()[0].fields
    assert browser.cookies == {}
    return page


def test_signing_in_takes_a_code_which_is_good_once(here: Office) -> None:
    secret, _ = switched_on(here)
    code = pyotp.TOTP(secret).now()
    browser = here.browser()
    page = asked_for_a_code(browser)
    assert browser.send(page.form("/sign-in"), code="123456").status == 401
    assert browser.send(page.form("/sign-in"), code=code).status == 303
    assert browser.get("/").status == 200
    again = here.browser()
    assert again.send(asked_for_a_code(again).form("/sign-in"), code=code).status == 401


def test_a_recovery_code_lets_in_once(here: Office) -> None:
    _, codes = switched_on(here)
    assert len(codes) == 10
    for status in (303, 401):
        browser = here.browser()
        assert (
            browser.send(asked_for_a_code(browser).form("/sign-in"), code=codes[0].upper().replace("-", " ")).status
            == status
        )
    factor = factor_of(here.site.store, "ann")
    assert factor is not None
    assert factor.recovery == 9


def test_wrong_codes_are_counted_as_wrong_passwords_are(here: Office) -> None:
    switched_on(here)
    browser = here.browser()
    form = asked_for_a_code(browser).form("/sign-in")
    assert [browser.send(form, code="123456").status for _ in range(6)][-1] == 429


def test_nobody_is_let_in_by_a_ticket_without_a_code_or_a_made_up_one(here: Office) -> None:
    switched_on(here)
    browser = here.browser()
    form = asked_for_a_code(browser).form("/sign-in")
    assert browser.send(form, code="").status == 200
    assert browser.cookies == {}
    assert browser.send(form, ticket="0|9999999999|ann", code="1").status == 403


def test_it_is_switched_off_with_the_password(here: Office) -> None:
    secret, _ = switched_on(here)
    browser = here.browser()
    browser.send(asked_for_a_code(browser).form("/sign-in"), code=pyotp.TOTP(secret).now())
    form = browser.get("/second-factor").form("/second-factor/off")
    assert browser.send(form, own="wrong").status == 422
    assert browser.send(form, own=PASSWORD).status == 303
    assert factor_of(here.site.store, "ann") is None
    here.signed_in()


def test_a_secret_that_this_process_has_not_proposed_is_nobodys(here: Office) -> None:
    mine = proposed()
    assert proposal_from(mine.written) == mine
    assert proposal_from(f"{pyotp.random_base32()}.{mine.written.partition('.')[2]}") is None
    browser = here.signed_in()
    form = browser.get("/second-factor").form("/second-factor")
    assert browser.send(form, proposal="AAAA.x", code="1", own=PASSWORD).status == 403


@pytest.mark.parametrize(("steps_away", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(steps_away: int, is_good: bool) -> None:
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).at(int(NOW) + steps_away * STEP_SECONDS)
    step = int(NOW // STEP_SECONDS) + steps_away
    assert step_of(secret, f" {code[:3]} {code[3:]} ", NOW, 0) == (step if is_good else None)
    assert step_of(secret, code, NOW, step) is None
    assert step_of(secret, "é", NOW, 0) is None


def test_a_ticket_is_over_after_some_minutes() -> None:
    written = ticket("a|b", NOW)
    assert name_on(written, NOW + TICKET_SECONDS - 1) == "a|b"
    assert name_on(written, NOW + TICKET_SECONDS + 1) == ""
    assert name_on(written.replace("a|b", "eve"), NOW) == name_on("", NOW) == name_on("x|y|z", NOW) == ""
