"""From outside: whatever is wrong with the configuration or the call is exit code 2, one clear line, nothing touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import Site, account, alice, mbox, source
from tests.mail import letter
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

GOOD = alice(1)
IMAP = '[[accounts.destinations]]\ntype = "imap"\nhost = "h"\nusername = "u"\npassword = "p"\n'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


WRONG = {
    "no account": ("", "account"),
    "no destination": (account("alice", source(1)), "destination"),
    "no source": (account("alice", mbox()), "source"),
    "a repeated name": (GOOD + GOOD, "alice"),
    "a name with a slash": (swapped('name = "alice"\n', 'name = "a/b"\n'), "name"),
    "an unknown key of a source": (alice(1, leave_on_sever=True), "leave_on_server"),
    "an unknown key of an account": (swapped('name = "alice"\n', 'name = "alice"\ncolour = "red"\n'), "colour"),
    "an unknown table": (GOOD + "\n[schedul]\nevery = '1 hour'\n", "schedule"),
    "an unknown key of a destination": (GOOD.replace('path = "archive', 'paht = "archive'), "path"),
    "an unknown type of destination": (GOOD.replace('type = "mbox"', 'type = "mbx"'), "mbx"),
    "a missing host": (GOOD.replace('host = "127.0.0.1"\n', ""), "host"),
    "a missing username": (GOOD.replace('username = "alice"\n', ""), "username"),
    "a missing password": (GOOD.replace('password = { env = "PASSWORD" }\n', ""), "password"),
    "an unknown source of a password": (alice(1, password='{ envv = "PASSWORD" }'), "envv"),
    "two sources of a password": (alice(1, password='{ env = "PASSWORD", file = "x" }'), "password"),
    "a password's variable that is not set": (alice(1, password='{ env = "NOT_SET" }'), "NOT_SET"),
    "a password's file that is not there": (alice(1, password='{ file = "nowhere" }'), "nowhere"),
    "a port that is none": (alice(99999), "port"),
    "a port in words": (swapped("port = 1\n", 'port = "eleven"\n'), "port"),
    "an unknown tls": (alice(1, tls="ssl"), "tls"),
    "an unknown auth": (alice(1, auth="kerberos"), "auth"),
    "a true in quotes": (alice(1, leave_on_server="yes"), "leave_on_server"),
    "a duration without a number": (alice(1, leave_on_server="days"), "leave_on_server"),
    "a duration of nothing known": (alice(1, timeout="3 fortnights"), "timeout"),
    "a negative duration": (alice(1, leave_on_server="-3 days"), "leave_on_server"),
    "a size without a unit": (alice(1, max_message_size="50"), "max_message_size"),
    "a size of nothing known": (alice(1, max_message_size="50 XB"), "max_message_size"),
    "an unknown proof": (alice(1, proof_before_delete="uidl"), "proof_before_delete"),
    "a malformed fingerprint": (alice(1, tls="implicit", fingerprint="abc"), "fingerprint"),
    "a CA file that is not there": (alice(1, tls="implicit", ca_file="no.pem"), "no.pem"),
    "an open line to elsewhere": (alice(1, host="pop.example.org"), "allow_plaintext"),
    "an open line to a mailbox elsewhere": (GOOD + IMAP + 'tls = "none"\n', "allow_plaintext"),
    "an unknown proof of a mailbox": (GOOD + IMAP + 'proof = "some"\n', "proof"),
    "both every and cron": (GOOD + '\n[schedule]\nevery = "1 hour"\ncron = "* * * * *"\n', "cron"),
    "a cron line that is none": (GOOD + '\n[schedule]\ncron = "every day"\n', "cron"),
    "no TOML": (GOOD + "\n[[[\n", "config.toml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_configuration_is_exit_code_2_and_touches_nothing(site: Site, case: str) -> None:
    text, named = WRONG[case]
    site.writes(text)
    before = site.tree()
    done = site.call("migrate")
    assert (done.code, done.out) == (2, ""), done.err
    assert named in done.err
    assert "config.toml" in done.err or "NOT_SET" in done.err or "nowhere" in done.err
    assert "Traceback" not in done.err
    assert "open-sesame" not in done.err
    assert site.tree() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", "nobody"],
        ["migrate", "--limit", "-1"],
        ["migrate", "--limit", "many"],
        ["migrate", "--max-delete", "-1"],
        ["migrate", "-c", "elsewhere.toml"],
        ["migrate", "--leave-on-server", "false"],
        ["migrate", "--from", "pop3s://a@h", "--to", "ftp:x"],
        ["migrate", "--from", "http://a@h", "--to", "mbox:x"],
        ["migrate", "--from", "pop3s://h", "--to", "mbox:x"],
        ["migrate", "--from", "pop3s://a:pw@h", "--to", "mbox:x"],
        ["migrate", "--from", "pop3s://a@h?fingerprint=12", "--to", "mbox:x", "--from-password-env", "PASSWORD"],
        ["migrate", "--from", "pop3://a@h?tls=none", "--to", "mbox:x", "--from-password-env", "PASSWORD"],
        ["migrate", "--from", "pop3s://a@h?colour=red", "--to", "mbox:x", "--from-password-env", "PASSWORD"],
        [
            "migrate",
            "--from",
            "pop3s://a@h",
            "--to",
            "mbox:x",
            "--leave-on-server",
            "maybe",
            "--from-password-env",
            "PASSWORD",
        ],
        ["check", "nobody"],
        ["status", "nobody"],
        ["verify", "nobody"],
        ["quarantine", "nobody"],
        ["fly"],
        ["migrate", "--fly"],
    ],
)
def test_a_wrong_call_is_exit_code_2_and_touches_nothing(site: Site, arguments: list[str]) -> None:
    site.writes(GOOD)
    before = site.tree()
    done = site.call(*arguments)
    assert (done.code, done.out) == (2, ""), done
    assert done.err
    assert "Traceback" not in done.err
    assert site.tree() == before


def test_relative_paths_start_at_the_folder_of_the_file(site: Site) -> None:
    with Pop3Server(Maildrop([letter(1)])) as server:
        (site.folder / "etc").mkdir()
        site.writes('state_dir = "here"', alice(server.port))
        (site.folder / "config.toml").rename(site.folder / "etc/my.toml")
        assert site.call("migrate", "-c", "etc/my.toml").code == 0
    assert (site.folder / "etc/here/ledger.sqlite3").exists()
    assert site.stored("etc/archive/alice") == [letter(1)]


def test_the_configuration_is_found_in_the_home_of_the_person(site: Site) -> None:
    with Pop3Server(Maildrop([letter(1)])) as server:
        site.writes(alice(server.port))
        home = site.folder / "xdg/mailferry"
        home.mkdir(parents=True)
        (site.folder / "config.toml").rename(home / "config.toml")
        assert site.call("migrate").code == 0
        assert site.stored("xdg/mailferry/archive/alice") == [letter(1)]


def test_defaults_hold_for_all_accounts_unless_they_say_otherwise(site: Site) -> None:
    with Pop3Server({"a": Maildrop([letter(1)]), "b": Maildrop([letter(2)])}) as server:
        defaults = f'[defaults.source]\nhost = "127.0.0.1"\nport = {server.port}\ntls = "none"\nleave_on_server = false\npassword = {{ env = "PASSWORD" }}\n'
        plain = '[accounts.source]\nusername = "a"\n'
        site.writes(
            defaults,
            account("one", plain, mbox("archive/one")),
            account("two", plain.replace('"a"', '"b"') + "leave_on_server = true\n", mbox("archive/two")),
        )
        assert [report["deleted"] for report in site.migrate().reports] == [1, 0]


def test_a_password_in_a_file_that_others_can_read_is_warned_about(site: Site) -> None:
    with Pop3Server(Maildrop([letter(1)])) as server:
        site.writes(alice(server.port, password='"open-sesame"'))
        (site.folder / "config.toml").chmod(0o644)
        done = site.call("migrate")
        assert done.code == 0
        assert "config.toml" in done.err
        assert "chmod" in done.err


def test_one_final_newline_of_a_password_is_dropped(site: Site) -> None:
    with Pop3Server(Maildrop([letter(1)])) as server:
        (site.folder / "secret").write_text("open-sesame\n")
        site.writes(alice(server.port, password='{ file = "secret" }'))
        assert site.call("check").code == 0
        (site.folder / "secret").write_text("open-sesame\n\n")
        assert site.call("check").code == 1
        site.writes(alice(server.port, password="{ command = \"sh -c 'echo open-sesame'\" }"))
        assert site.call("check").code == 0
        site.writes(alice(server.port, password='{ command = "echo open-sesame; true" }'))
        assert site.call("check").code == 1  # split into words as a shell would, and run without one
