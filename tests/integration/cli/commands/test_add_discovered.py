"""``add`` in a small internet: each rank of discovery alone, and what is sent to whom before anybody has agreed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.servers import dovecot, small_internet
from tests.servers.small_internet import Internet, Lived, MailServer, live

HERE = ["127.0.0.1"]
PASSWORD = ("--password-env", "PASSWORD")
HOSTER = MailServer(("pop.hoster.example",))
OWN = MailServer(("pop.example.org",))
AUTOCONFIG = "autoconfig.example.org/mail/config-v1.1.xml"
WELL_KNOWN = "example.org/.well-known/autoconfig/mail/config-v1.1.xml"


@pytest.fixture(autouse=True)
def _needs_namespaces() -> None:
    if reason := small_internet.why_missing():
        pytest.skip(reason)


def zone(*hosts: str, **records: Mapping[str, Sequence[str]]) -> dict[str, Mapping[str, Sequence[str]]]:
    """Names that lead to this machine, and other records of ``example.org`` (``pop3s`` for its service record)."""
    known: dict[str, Mapping[str, Sequence[str]]] = {host: {"A": HERE} for host in hosts}
    for name, record in records.items():
        where = "example.org" if name == "domain" else f"_{name}._tcp.example.org"
        known[where] = {**known.get(where, {}), **record}
    return known


def config_file(host: str, *, port: int = 995, kind: str = "SSL", username: str = "%EMAILADDRESS%") -> str:
    return f"""<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="example.org"><incomingServer type="pop3">
<hostname>{host}</hostname><port>{port}</port><socketType>{kind}</socketType>
<username>{username}</username><authentication>password-cleartext</authentication>
</incomingServer></emailProvider></clientConfig>"""


def nothing_was_sent(lived: Lived) -> None:
    """No server of mail has heard more than a TLS hello, and the command to begin TLS; and nothing was written."""
    assert all(set(verbs) <= {"STLS"} for verbs in lived.pop3), lived.pop3


def is_untouched(folder: Path) -> bool:
    return not any(folder.iterdir())


RANKS = {
    "autoconfig": (
        Internet(
            zone("autoconfig.example.org", "pop.example.org"),
            [OWN],
            pages={AUTOCONFIG: config_file("pop.example.org", username="%EMAILLOCALPART%")},
        ),
        {"host": "pop.example.org", "port": 995, "username": "alice", "source": "autoconfig", "trusted": True},
    ),
    "autoconfig at the well-known place": (
        Internet(zone("example.org", "pop.example.org"), [OWN], pages={WELL_KNOWN: config_file("pop.example.org")}),
        {"host": "pop.example.org", "source": "autoconfig", "trusted": True},
    ),
    "autoconfig with STARTTLS": (
        Internet(
            zone("autoconfig.example.org", "pop.example.org"),
            [MailServer(("pop.example.org",), port=110, tls="starttls")],
            pages={AUTOCONFIG: config_file("pop.example.org", port=110, kind="STARTTLS")},
        ),
        {"host": "pop.example.org", "port": 110, "tls": "starttls", "source": "autoconfig"},
    ),
    "a service record of the domain": (
        Internet(
            zone("box.example.org", pop3s={"SRV": ["0 1 995 box.example.org."]}), [MailServer(("box.example.org",))]
        ),
        {"host": "box.example.org", "source": "srv", "trusted": True, "username": "alice@example.org"},
    ),
    "a validated service record": (
        Internet(
            zone("pop.hoster.example", pop3s={"SRV": ["0 1 995 pop.hoster.example."]}), [HOSTER], says_validated=True
        ),
        {"host": "pop.hoster.example", "source": "srv", "trusted": True},
    ),
    "a service record for STLS": (
        Internet(
            zone("box.example.org", pop3={"SRV": ["0 1 110 box.example.org."]}, pop3s={"SRV": ["0 0 0 ."]}),
            [MailServer(("box.example.org",), port=110, tls="starttls")],
        ),
        {"host": "box.example.org", "port": 110, "tls": "starttls", "source": "srv", "trusted": True},
    ),
}


@pytest.mark.parametrize("rank", RANKS)
def test_each_trusted_rank_alone_leads_to_a_proven_copy(rank: str, tmp_path: Path) -> None:
    internet, found = RANKS[rank]
    lived = live(internet, tmp_path, "add", "alice@example.org", "--yes", *PASSWORD, "--json")
    assert lived.code == 0, lived.err
    assert lived.document["found"].items() >= found.items()
    assert (lived.document["copied"], lived.document["verified"], lived.document["messages"]) == (1, 1, 5)
    assert [len(logins) for logins in lived.logins] == [2], "one to look, one to copy"
    assert lived.http == []
    assert not any("alice" in asked for asked in [*lived.names, *lived.https])


HINTS = {
    "the mail exchanger": (
        Internet(
            {**zone(domain={"MX": ["5 smtpin.rzone.de."]}), "pop3.strato.de": {"A": HERE}},
            [MailServer(("pop3.strato.de",))],
        ),
        {"host": "pop3.strato.de", "source": "mx", "trusted": False},
        "pop3.strato.de",
    ),
    "a guess": (
        Internet(zone("mail.example.org"), [MailServer(("mail.example.org",))]),
        {"host": "mail.example.org", "source": "guess", "trusted": False},
        "mail.example.org",
    ),
    "the name in the certificate": (
        Internet(zone("mail.example.org", "mail.hoster.example"), [MailServer(("mail.hoster.example",))]),
        {"host": "mail.hoster.example", "source": "guess", "trusted": False},
        "named by the certificate of mail.example.org",
    ),
    "an autoconfig file with a foreign host": (
        Internet(
            zone("autoconfig.example.org", "pop.hoster.example"),
            [HOSTER],
            pages={AUTOCONFIG: config_file("pop.hoster.example")},
        ),
        {"host": "pop.hoster.example", "source": "autoconfig", "trusted": False},
        "pop.hoster.example",
    ),
    "a foreign service record": (
        Internet(zone("pop.hoster.example", pop3s={"SRV": ["0 1 995 pop.hoster.example."]}), [HOSTER]),
        {"host": "pop.hoster.example", "source": "srv", "trusted": False},
        "pop.hoster.example",
    ),
}


@pytest.mark.parametrize("hint", HINTS)
def test_a_hint_is_named_with_the_flags_that_take_it_and_nothing_is_sent(hint: str, tmp_path: Path) -> None:
    internet, found, named = HINTS[hint]
    for flags in (["--yes"], []):
        lived = live(internet, tmp_path, "add", "alice@example.org", *flags, *PASSWORD)
        assert lived.code == 2
        assert named in lived.err
        assert f"--host {found['host']} --port 995 --tls implicit" in lived.err
        nothing_was_sent(lived)
        assert is_untouched(tmp_path)


@pytest.mark.parametrize("hint", HINTS)
def test_a_hint_is_taken_when_a_person_agrees(hint: str, tmp_path: Path) -> None:
    internet, found, named = HINTS[hint]
    answers = [(named, ""), ("Right? [Y/n]", "y\n"), ("Place:", "\n")]
    lived = live(internet, tmp_path, "add", "alice@example.org", *PASSWORD, answers=answers)
    assert lived.code == 0, lived.out
    assert "1 message copied and proven." in lived.out
    [account] = tmp_path.glob("xdg/mailferry/accounts.d/*.toml")
    assert f'host = "{found["host"]}"' in account.read_text()


@pytest.mark.parametrize("hint", HINTS)
def test_a_hint_that_a_person_refuses_is_sent_nothing(hint: str, tmp_path: Path) -> None:
    internet, _, _ = HINTS[hint]
    answers = [("Right? [Y/n]", "n\n"), ("(Enter to stop):", "\n")]
    lived = live(internet, tmp_path, "add", "alice@example.org", *PASSWORD, answers=answers)
    assert lived.code == 2, lived.out
    nothing_was_sent(lived)
    assert is_untouched(tmp_path)


REFUSED = {
    "a file over http only": Internet(
        zone("autoconfig.example.org", "pop.evil.example"),
        [MailServer(("pop.evil.example",))],
        plain_pages={AUTOCONFIG: config_file("pop.evil.example")},
    ),
    "a redirect to http": Internet(
        zone("autoconfig.example.org", "pop.evil.example"),
        [MailServer(("pop.evil.example",))],
        pages={AUTOCONFIG: f"-> http://{AUTOCONFIG}"},
        plain_pages={AUTOCONFIG: config_file("pop.evil.example")},
    ),
    "a redirect to a foreign host": Internet(
        zone("autoconfig.example.org", "autoconfig.hoster.example", "pop.example.org"),
        [],
        pages={
            AUTOCONFIG: "-> https://autoconfig.hoster.example/x.xml",
            "autoconfig.hoster.example/x.xml": config_file("pop.hoster.example"),
        },
    ),
    "a web server with a certificate of another name": Internet(
        zone("autoconfig.example.org", "pop.evil.example"),
        [MailServer(("pop.evil.example",))],
        pages={AUTOCONFIG: config_file("pop.evil.example")},
        web_names=("www.hoster.example",),
    ),
    "a mail server with a certificate of another name, which leads nowhere": Internet(
        zone("mail.example.org"), [MailServer(("nowhere.hoster.example",))]
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_be_forged_is_neither_asked_nor_followed(case: str, tmp_path: Path) -> None:
    lived = live(REFUSED[case], tmp_path, "add", "alice@example.org", "--yes", *PASSWORD)
    assert lived.code == 2
    assert lived.http == []
    assert "autoconfig.hoster.example/x.xml" not in lived.https
    nothing_was_sent(lived)
    assert "no POP3 server of example.org was found" in lived.err
    assert is_untouched(tmp_path)


def test_third_parties_hear_of_a_domain_only_with_consent(tmp_path: Path) -> None:
    internet = Internet(
        zone(
            "v1.ispdb.net", "autoconfig.hoster.example", "pop.hoster.example", domain={"MX": ["5 mx.hoster.example."]}
        ),
        [HOSTER],
        pages={
            "v1.ispdb.net/example.org": "<html/>",
            "autoconfig.hoster.example/mail/config-v1.1.xml": config_file("pop.hoster.example"),
        },
    )
    lived = live(internet, tmp_path, "add", "alice@example.org", *PASSWORD)
    assert "no POP3 server" in lived.err
    assert lived.https == []
    assert not any("ispdb" in name or "autoconfig.hoster" in name for name in lived.names)
    lived = live(internet, tmp_path, "add", "alice@example.org", "--online", *PASSWORD)
    assert lived.code == 2
    assert "--host pop.hoster.example" in lived.err
    assert lived.https == ["v1.ispdb.net/example.org", "autoconfig.hoster.example/mail/config-v1.1.xml"]
    nothing_was_sent(lived)


def test_a_shipped_provider_needs_no_name_server_to_be_found(tmp_path: Path) -> None:
    internet = Internet({"posteo.de": {"A": HERE}}, [MailServer(("posteo.de",))])
    lived = live(internet, tmp_path, "add", "alice@posteo.de", "--yes", *PASSWORD, "--json")
    assert lived.code == 0, lived.err
    assert (lived.document["found"]["source"], lived.document["found"]["trusted"]) == ("preset", True)
    assert {name.rpartition(" ")[0] for name in lived.names} == {"posteo.de"}


def test_silent_name_servers_cost_seconds_not_minutes(tmp_path: Path) -> None:
    silent = ("example.org", "_pop3s._tcp.example.org", "_pop3._tcp.example.org", "autoconfig.example.org")
    internet = Internet(zone("pop.example.org"), [OWN], silent=silent)
    lived = live(internet, tmp_path, "add", "alice@example.org", "--yes", *PASSWORD)
    assert lived.code == 2
    assert "--host pop.example.org" in lived.err


def test_migrate_takes_an_address_where_nobody_need_be_asked(tmp_path: Path) -> None:
    given = ("--from", "alice@example.org", "--to", "mbox:archive", "--from-password-env", "PASSWORD", "--json")
    lived = live(RANKS["a service record of the domain"][0], tmp_path, "migrate", *given)
    assert lived.code == 0, lived.err
    assert lived.document["accounts"][0]["copied"] == 5
    lived = live(HINTS["a guess"][0], tmp_path, "migrate", *given)
    assert lived.code == 2
    assert "--from pop3s://alice%40example.org@mail.example.org:995" in lived.err
    nothing_was_sent(lived)


@pytest.mark.parametrize("agrees", [True, False])
def test_a_named_server_that_proves_another_name_is_offered_under_that_one(agrees: bool, tmp_path: Path) -> None:
    internet = Internet(zone("mail.example.org", "mail.hoster.example"), [MailServer(("mail.hoster.example",))])
    given = ("add", "alice@example.org", "--host", "mail.example.org", *PASSWORD)
    lived = live(internet, tmp_path, *given)
    assert lived.code == 1
    assert "name it: --host mail.hoster.example" in lived.err
    nothing_was_sent(lived)
    question = "Use mail.hoster.example in place of mail.example.org? [Y/n]"
    answers = [(question, "y\n"), ("Place:", "\n")] if agrees else [(question, "n\n")]
    lived = live(internet, tmp_path, *given, answers=answers)
    assert lived.code == (0 if agrees else 1), lived.out
    if agrees:
        [account] = tmp_path.glob("xdg/mailferry/accounts.d/*.toml")
        assert 'host = "mail.hoster.example"' in account.read_text()
    else:
        nothing_was_sent(lived)
        assert is_untouched(tmp_path)


@pytest.mark.dovecot
def test_a_new_mailbox_is_found_by_its_address_and_mail_is_uploaded(tmp_path: Path) -> None:
    if reason := dovecot.why_missing():
        pytest.skip(reason)
    internet = Internet(
        zone("box.example.org", pop3s={"SRV": ["0 1 995 box.example.org."]}),
        [MailServer(("box.example.org",))],
        says_validated=True,
        imap_domain="new.example",
    )
    to = ("--to", "bob@new.example", "--to-password-env", "PASSWORD")
    lived = live(internet, tmp_path, "add", "alice@example.org", "--yes", *PASSWORD, *to, "--json")
    assert lived.code == 0, lived.err
    assert (lived.document["copied"], lived.document["verified"]) == (1, 1)
    [account] = tmp_path.glob("xdg/mailferry/accounts.d/*.toml")
    assert 'username = "bob@new.example"' in account.read_text()
