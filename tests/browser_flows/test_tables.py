"""Nothing of the page is left out here: every screen is in the table, every form is sent by a flow."""

from __future__ import annotations

from jobs.web.app import SCREENS
from tests.browser_flows import (
    test_flows,
    test_mail_flows,
    test_openid_flows,
    test_passkey_flows,
    test_provider_flows,
    test_settings_flows,
    test_telling_flows,
)
from tests.browser_flows.flow import SENT
from tests.browser_flows.screens import AT_A_PROVIDER, FILES, SENDERS, SHOWN, WITH_OPENID

FLOWS = (
    test_flows,
    test_mail_flows,
    test_openid_flows,
    test_passkey_flows,
    test_provider_flows,
    test_settings_flows,
    test_telling_flows,
)
"""What is imported says which forms it sends."""


def test_every_screen_is_in_the_table() -> None:
    shown = {one.path for one in SHOWN} | set(FILES) | set(SENDERS) | AT_A_PROVIDER | WITH_OPENID
    assert shown == {path for method, path, _, _ in SCREENS if method == "GET"}
    assert len({one.name for one in SHOWN}) == len(SHOWN)


def test_every_form_is_sent_by_a_flow() -> None:
    sent = set().union(*SENT.values())
    assert sent == {path for method, path, _, _ in SCREENS if method == "POST"}
