from __future__ import annotations

import pytest

from migrator.net.app_passwords import PROVIDERS, password_advice


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("pop.gmail.com", "app password"),
        ("imap.gmail.com", "app password"),
        ("Outlook.Office365.com.", "tokens"),
        ("pop3.web.de", "switched on"),
        ("pop.gmx.net", "switched on"),
        ("imap.mail.me.com", "app-specific"),
        ("pop.qq.com", "authorization code"),
        ("pop.exmail.qq.com", "authorization code"),
        ("pop.163.com", "authorization code"),
        ("pop.mail.yahoo.com", "app password"),
    ],
)
def test_a_known_host_is_known_by_its_domain(host: str, words: str) -> None:
    assert words in password_advice(host)


@pytest.mark.parametrize(
    "host", ["pop.example.org", "gmail.com.example.org", "notgmail.com", "localhost", "127.0.0.1", ""]
)
def test_no_other_host_is_taken_for_one(host: str) -> None:
    assert password_advice(host) == ""


def test_every_domain_stands_once() -> None:
    domains = [domain for provider in PROVIDERS for domain in provider.domains]
    assert len(domains) == len(set(domains))
