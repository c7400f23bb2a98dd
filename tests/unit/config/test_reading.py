from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.config import Config, ImapDestination, MaildirDestination, MboxDestination, load
from migrator.config.store import S3Destination
from migrator.errors import ConfigError
from migrator.model import Proof
from migrator.net.tls import TlsMode
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, SourceProof, WhenCopyIsGone

SOURCE = """\
[accounts.source]
host = "pop.example.org"
username = "alice@example.org"
password = "hunter2"
"""
ARCHIVE = """\
[[accounts.destinations]]
type = "mbox"
path = "archive/alice"
"""
ACCOUNT = f'[[accounts]]\nname = "alice"\n{SOURCE}'
WHOLE = ACCOUNT + ARCHIVE


def read(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def test_a_small_file_gets_every_default(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    [account] = config.accounts
    source = account.source
    assert (source.host, source.port, source.tls, source.timeout) == (
        "pop.example.org",
        995,
        TlsMode.IMPLICIT,
        timedelta(seconds=45),
    )
    assert source.leave_on_server == Keep()
    assert source.proof_before_delete is SourceProof.CONTENT
    assert source.max_message_size is None
    assert config.schedule.every == timedelta(minutes=15)
    assert config.verify.every == timedelta(days=30)
    assert config.state_dir == tmp_path / "state"
    assert config.warnings == ()


def test_where_there_is_a_page_the_first_account_may_be_missing(tmp_path: Path) -> None:
    config = read(tmp_path, '[web]\nlisten = "127.0.0.1:0"\n')
    assert config.accounts == ()
    with pytest.raises(ConfigError, match="there is no account; add"):
        config.select([])


@pytest.mark.parametrize(("tls", "pop3", "imap"), [("implicit", 995, 993), ("starttls", 110, 143), ("none", 110, 143)])
def test_the_port_follows_from_tls(tmp_path: Path, tls: str, pop3: int, imap: int) -> None:
    plain = f'tls = "{tls}"\nallow_plaintext = true\n'
    imap_end = f'[[accounts.destinations]]\ntype = "imap"\nhost = "i"\nusername = "u"\npassword = "p"\n{plain}'
    [account] = read(tmp_path, ACCOUNT + plain + imap_end).accounts
    [destination] = account.destinations
    assert isinstance(destination, ImapDestination)
    assert (account.source.port, destination.port) == (pop3, imap)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("true", Keep()),
        ("false", DeleteWhenVerified()),
        ('"30 days"', DeleteAfter(timedelta(days=30))),
        ('"2w"', DeleteAfter(timedelta(weeks=2))),
    ],
)
def test_leave_on_server_is_read(tmp_path: Path, written: str, policy: object) -> None:
    assert (
        read(tmp_path, f"{ACCOUNT}leave_on_server = {written}\n{ARCHIVE}").accounts[0].source.leave_on_server == policy
    )


def test_all_kinds_of_destinations_are_read(tmp_path: Path) -> None:
    imap = '[[accounts.destinations]]\ntype = "imap"\nhost = "i"\nusername = "u"\npassword = {env = "I"}\nproof = "semantic"\n'
    maildir = '[[accounts.destinations]]\ntype = "maildir"\npath = "~/Maildir"\n'
    mbox, folder, mailbox = read(tmp_path, WHOLE + maildir + imap).accounts[0].destinations
    assert isinstance(mbox, MboxDestination)
    assert mbox.path == tmp_path / "archive" / "alice"
    assert isinstance(folder, MaildirDestination)
    assert folder.path == Path.home() / "Maildir"
    assert isinstance(mailbox, ImapDestination)
    assert (mailbox.folder, mailbox.proof, mailbox.flags) == ("INBOX", Proof.SEMANTIC, ())


def test_defaults_hold_for_all_and_give_way_to_an_accounts_own(tmp_path: Path) -> None:
    text = (
        '[defaults.source]\nhost = "pop.default.org"\ntimeout = "10 seconds"\nleave_on_server = false\n'
        '[[accounts]]\nname = "a"\n[accounts.source]\nusername = "u"\npassword = "p"\ntimeout = "20 s"\n'
        '[[accounts.destinations]]\ntype = "maildir"\npath = "m"\n'
    )
    source = read(tmp_path, text).accounts[0].source
    assert (source.host, source.timeout) == ("pop.default.org", timedelta(seconds=20))
    assert source.leave_on_server == DeleteWhenVerified()


def test_a_schedule_of_its_own_is_the_accounts(tmp_path: Path) -> None:
    config = read(
        tmp_path, f'{ACCOUNT}{ARCHIVE}[accounts.schedule]\ncron = "*/5 * * * *"\n[schedule]\nevery = "1 hour"\n'
    )
    schedule = config.accounts[0].schedule
    assert schedule is not None
    assert (schedule.cron, schedule.every) == ("*/5 * * * *", None)
    assert config.schedule.every == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # the file as a whole
        ("", "config.toml: there is no account; add [[accounts]]"),
        ("= 3", "config.toml, line 1: this is not TOML: Invalid statement"),
        ("[accounts]\n" + WHOLE, "config.toml, line 2: this is not TOML: Cannot"),
        (f'statedir = "x"\n{WHOLE}', 'config.toml, line 1: unknown key "statedir"; did you mean "state_dir"?'),
        (f"state_dir = 3\n{WHOLE}", "config.toml, line 1: state_dir: 3 must be a path"),
        (f"schedule = 3\n{WHOLE}", "config.toml, line 1: schedule: must be a table, written [schedule]"),
        ("accounts = 3", "config.toml, line 1: accounts: must be written [[accounts]], once for each"),
        # accounts
        (WHOLE + WHOLE, 'config.toml: 2 accounts are named "alice"'),
        (f"[[accounts]]\n{SOURCE}{ARCHIVE}", "config.toml, line 1: [[accounts]]: name: is missing"),
        (f'[[accounts]]\nname = "al/ice"\n{SOURCE}{ARCHIVE}', 'line 2: [[accounts]]: name: "al/ice" contains "/"; a name is'),
        (f'[[accounts]]\nname = ""\n{SOURCE}{ARCHIVE}', 'line 2: [[accounts]]: name: "" must be text'),
        (ACCOUNT, 'config.toml, line 1: [[accounts]] of "alice": has no destination; add [[accounts.destinations]]'),
        (f"{ACCOUNT}{ARCHIVE}[accounts.sauce]\n", '[[accounts]] of "alice": unknown key "sauce"; did you mean "source"?'),
        ('[[accounts]]\nname = "a"\nsource = 1\n' + ARCHIVE, '[[accounts]] of "a": source: must be a table, written [accounts.source]'),
        (ACCOUNT + "[accounts.destinations]\n", "destinations: must be written [[accounts.destinations]], once for each"),
        # keys and types of a source
        (ACCOUNT.replace("host", "hots") + ARCHIVE, 'line 4: [accounts.source] of "alice": unknown key "hots"; did you mean "host"?'),
        (ACCOUNT.replace("host", "hots") + ARCHIVE, 'line 3: [accounts.source] of "alice": host: is missing'),
        (ACCOUNT.replace("username", "x") + ARCHIVE, "username: is missing"),
        (ACCOUNT.replace("password", "x") + ARCHIVE, "password: is missing"),
        (ACCOUNT.replace("alice@example.org", "") + ARCHIVE, 'username: "" must be text, not empty'),
        (ACCOUNT.replace("alice@example.org", "a\\r\\nDELE 1") + ARCHIVE, r'username: "a\x0d\x0aDELE 1" must be text'),
        (ACCOUNT.replace("pop.example.org", "pop.example.org:995") + ARCHIVE, 'host: "pop.example.org:995" is not a host name'),
        (ACCOUNT.replace("pop.example.org", "pop3s://pop") + ARCHIVE, 'host: "pop3s://pop" is not a host name or address'),
        (f'{ACCOUNT}port = "995"\n{ARCHIVE}', 'line 7: [accounts.source] of "alice": port: "995" must be a whole number'),
        (f"{ACCOUNT}port = 0\n{ARCHIVE}", "port: 0 is out of range"),
        (f"{ACCOUNT}port = 70000\n{ARCHIVE}", "port: 70000 is out of range"),
        (f"{ACCOUNT}port = true\n{ARCHIVE}", "port: true must be a whole number"),
        (f'{ACCOUNT}tls = "start-tls"\n{ARCHIVE}', 'tls: "start-tls" is none of implicit, starttls, none; did you mean "starttls"?'),
        (f'{ACCOUNT}auth = "scram"\n{ARCHIVE}', 'auth: "scram" is none of auto, plain, login'),
        (f'{ACCOUNT}allow_plaintext = "yes"\n{ARCHIVE}', 'allow_plaintext: "yes" must be true or false'),
        (f'{ACCOUNT}tls = "none"\n{ARCHIVE}', "accept that with allow_plaintext = true"),
        (f'{ACCOUNT}ca_file = "no.pem"\n{ARCHIVE}', "no.pem is not there"),
        (f'{ACCOUNT}ca_file = "{"x" * 300}"\n{ARCHIVE}', "cannot be looked at: File name too long"),
        (f'{ACCOUNT}fingerprint = "ab:cd"\n{ARCHIVE}', 'fingerprint: "ab:cd" is not a fingerprint; it is the SHA-256'),
        (f"{ACCOUNT}timeout = 45\n{ARCHIVE}", "timeout: 45 is not a duration; write a number and a unit"),
        (f'{ACCOUNT}timeout = "0 s"\n{ARCHIVE}', 'timeout: "0 s" must be longer than zero'),
        (f'{ACCOUNT}timeout = "45 parsecs"\n{ARCHIVE}', 'timeout: "45 parsecs" is not a duration'),
        (f'{ACCOUNT}timeout = "{10**12} weeks"\n{ARCHIVE}', "is too long"),
        (f'{ACCOUNT}leave_on_server = "false"\n{ARCHIVE}', 'leave_on_server: "false" must be true, false or a duration'),
        (f"{ACCOUNT}leave_on_server = 30\n{ARCHIVE}", "leave_on_server: 30 must be true, false or a duration"),
        (f'{ACCOUNT}proof_before_delete = "header"\n{ARCHIVE}', '"header" is none of content, headers; did you mean "headers"?'),
        (f'{ACCOUNT}max_message_size = "50 XB"\n{ARCHIVE}', 'max_message_size: "50 XB" is not a size'),
        (f'{ACCOUNT}max_message_size = "0 MB"\n{ARCHIVE}', 'max_message_size: "0 MB" is not a size'),
        # passwords
        (ACCOUNT.replace('"hunter2"', '""') + ARCHIVE, "password: must not be empty"),
        (ACCOUNT.replace('"hunter2"', "12") + ARCHIVE, 'password: must be text or a table; write "text" or one of'),
        (ACCOUNT.replace('"hunter2"', "{}") + ARCHIVE, "password: must name exactly one source"),
        (ACCOUNT.replace('"hunter2"', '{env = "A", file = "B"}') + ARCHIVE, "password: must name exactly one source"),
        (ACCOUNT.replace('"hunter2"', '{comand = "pass x"}') + ARCHIVE, 'password: unknown key "comand"; did you mean "command"?'),
        (ACCOUNT.replace('"hunter2"', '{command = "pass \'x"}') + ARCHIVE, "password: command cannot be split into words"),
        (ACCOUNT.replace('"hunter2"', '{command = "# x"}').replace("# x", " ") + ARCHIVE, "command must be text and not empty"),
        (ACCOUNT.replace('"hunter2"', "{env = 3}") + ARCHIVE, "password: env must be text and not empty"),
        (ACCOUNT.replace('"hunter2"', '{credential = "../x"}') + ARCHIVE, "credential is a name, not a path"),
        # destinations
        (WHOLE.replace('"mbox"', '"mbx"'), 'type: "mbx" is not a kind of destination; did you mean "mbox"?'),
        (WHOLE.replace('type = "mbox"', ""), '[[accounts.destinations]] of "alice": type: is missing; known are mbox, maildir, s3, imap'),
        (WHOLE.replace("path =", "pfad ="), "path: is missing"),
        (WHOLE.replace('"archive/alice"', "1"), "path: 1 must be a path"),
        (WHOLE + 'folder = "INBOX"\n', 'unknown key "folder"; known are path, type, volume_size'),
        (WHOLE + ARCHIVE, 'account "alice" has the same destination twice'),
        (WHOLE + ARCHIVE.replace("mbox", "maildir"), "as maildir, another one as mbox"),
        (f'state_dir = "archive/alice/state"\n{WHOLE}', "lies in the archive folder"),
        (f'{ACCOUNT}[[accounts.destinations]]\ntype = "imap"\nhost = "i"\nusername = "u"\npassword = "p"\nproof = "none"\n',
         'proof: "none" is none of exact, canonical, semantic'),
        (f'{ACCOUNT}[[accounts.destinations]]\ntype = "imap"\nusername = "u"\npassword = "p"\n', "host: is missing"),
        (WHOLE + 'when_copy_is_gone = "keep"\n', 'unknown key "when_copy_is_gone"'),
        (WHOLE.replace("mbox", "maildir") + 'when_copy_is_gone = "kept"\n',
         'when_copy_is_gone: "kept" is none of keep, restore, accept; did you mean "keep"?'),
        (f"[defaults.imap]\nwhen_copy_is_gone = true\n{WHOLE}", "line 2: [defaults.imap]: when_copy_is_gone: true is none of keep, restore, accept"),
        # schedules
        (f'{WHOLE}[schedule]\nevery = "1 h"\ncron = "* * * * *"\n', "[schedule]: every: every and cron stand side by side"),
        (f'{WHOLE}[accounts.schedule]\nevery = "1 h"\ncron = "* * * * *"\n', '[accounts.schedule] of "alice": every: every and cron'),
        (f'{WHOLE}[schedule]\nevery = "often"\n', '[schedule]: every: "often" is not a duration'),
        (f'{WHOLE}[schedule]\ncron = "every day"\n', '[schedule]: cron: "every day" is not a cron line'),
        (f'{WHOLE}[schedule]\nevry = "1 h"\n', '[schedule]: unknown key "evry"; did you mean "every"?'),
        (f"{WHOLE}[verify]\nevery = 3\n", "[verify]: every: 3 is not a duration"),
        (f'{WHOLE}[metrics]\nlisten = "9300"\n', '[metrics]: listen: "9300" must be an address and a port'),
        # defaults
        (f'[defaults.source]\nhots = "x"\n{WHOLE}', 'line 2: [defaults.source]: unknown key "hots"; did you mean "host"?'),
        (f'[defaults.imap]\nport = "x"\n{WHOLE}', 'line 2: [defaults.imap]: port: "x" must be a whole number'),
        (f'[defaults.mbox]\npath = "x"\n{WHOLE}', '[defaults]: unknown key "mbox"'),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    found = problems(tmp_path, text)
    assert any(line in problem for problem in found), found


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("host", "hots").replace("mbox", "mbx") + '[[accounts]]\nname = "bob"\n[schedule]\nevery = 1\n'
    assert len(problems(tmp_path, text)) == 8


def test_a_mistake_in_the_defaults_is_told_once_and_where_it_stands(tmp_path: Path) -> None:
    assert problems(tmp_path, f'[defaults.source]\ntls = "x"\n{WHOLE}{WHOLE.replace("alice", "bob")}') == [
        'config.toml, line 2: [defaults.source]: tls: "x" is none of implicit, starttls, none'
    ]


def test_plaintext_by_default_is_judged_with_each_accounts_own_host(tmp_path: Path) -> None:
    text = f'[defaults.source]\ntls = "none"\nallow_plaintext = false\n{WHOLE}'
    assert any("allow_plaintext = true" in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "pop.localhost"])
def test_plaintext_to_this_machine_needs_no_permission(tmp_path: Path, host: str) -> None:
    text = ACCOUNT.replace("pop.example.org", host) + 'tls = "none"\n' + ARCHIVE
    assert read(tmp_path, text).accounts[0].source.tls is TlsMode.NONE


def test_no_line_shows_what_stands_under_password(tmp_path: Path) -> None:
    for password in ('{ comand = "hunter2" }', '{ env = ["hunter2"] }', '["hunter2"]', '{ command = "hunter2 \'" }'):
        text = f'[[accounts]]\nname = "a"\n[accounts.source]\nhost = "h h"\nusername = "u"\npassword = {password}\n{ARCHIVE}'
        assert "hunter2" not in "\n".join(problems(tmp_path, text))
    assert "hunter2" not in "\n".join(problems(tmp_path, 'password = "hunter2'))


def test_a_file_that_others_may_read_and_that_holds_a_password_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(WHOLE)
    path.chmod(0o640)
    [warning] = load(path).warnings
    assert "chmod 600" in warning
    path.write_text(WHOLE.replace('"hunter2"', '{ env = "PASSWORD" }'))
    assert load(path).warnings == ()


def test_a_missing_or_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "j\xfcrgen"')
    with pytest.raises(ConfigError, match=r"is not UTF-8 \(octet 9\)"):
        load(tmp_path / "latin.toml")


def test_missing_password_sources_are_named_for_the_accounts_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALICE_POP3", raising=False)
    text = WHOLE.replace('"hunter2"', '{ env = "ALICE_POP3" }') + WHOLE.replace("alice", "bob").replace(
        '"hunter2"', '{ file = "bob.password" }'
    )
    config = read(tmp_path, text)
    assert config.missing_secrets() == [
        'account "alice": the environment variable ALICE_POP3 is not set',
        f'account "bob": the password file {tmp_path}/bob.password is not there',
    ]
    assert len(config.missing_secrets(config.select(["bob"]))) == 1
    monkeypatch.setenv("ALICE_POP3", "x")
    assert config.missing_secrets(config.select(["alice"])) == []


def test_an_unknown_account_is_named_with_the_nearest(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert config.select([]) == config.select(["alice"]) == config.accounts
    with pytest.raises(ConfigError, match='there is no account "alcie"; did you mean "alice"'):
        config.select(["alcie"])


def test_a_config_shows_no_password(tmp_path: Path) -> None:
    assert "hunter2" not in repr(read(tmp_path, WHOLE))


@pytest.mark.parametrize(("name", "file_name"), [("a@b.c", "a@b.c"), ("..", "%2E."), ("a/b", "a%2Fb"), ("ü", "%C3%BC")])
def test_an_accounts_file_name_is_safe(tmp_path: Path, name: str, file_name: str) -> None:
    account = replace(read(tmp_path, WHOLE).accounts[0], name=name)
    assert account.file_name == file_name


def test_symbolic_links_hide_neither_the_state_in_an_archive_nor_a_folder_named_twice(tmp_path: Path) -> None:
    (tmp_path / "archive" / "alice").mkdir(parents=True)
    (tmp_path / "link").symlink_to("archive")
    [problem] = problems(tmp_path, f'state_dir = "link/alice/state"\n{WHOLE}')
    assert "lies in the archive folder" in problem
    [problem] = problems(tmp_path, WHOLE + ARCHIVE.replace("archive/", "link/"))
    assert 'account "alice" has the same destination twice' in problem


def mailbox(folder: str = "INBOX", host: str = "imap.example.org", **keys: str) -> str:
    given = {"type": "imap", "host": host, "username": "alice", "password": "p", "folder": folder} | keys
    return "[[accounts.destinations]]\n" + "".join(f'{key} = "{value}"\n' for key, value in given.items())


@pytest.mark.parametrize(
    ("folder", "host"), [("inbox", "IMAP.example.org"), ("Inbox/", "imap.example.org"), ("INBOX", "imap.example.org")]
)
def test_a_mailbox_named_twice_is_found_however_it_is_spelled(tmp_path: Path, folder: str, host: str) -> None:
    [problem] = problems(tmp_path, ACCOUNT + mailbox() + mailbox(folder, host))
    assert 'account "alice" has the same destination twice' in problem
    assert len(read(tmp_path, ACCOUNT + mailbox() + mailbox("Inbox2", host)).accounts[0].destinations) == 2


def test_what_becomes_of_copies_taken_out_is_set_for_each_destination(tmp_path: Path) -> None:
    text = f'[defaults.imap]\nwhen_copy_is_gone = "accept"\n{ACCOUNT}{mailbox("A")}{mailbox("B", when_copy_is_gone="restore")}'
    maildir = ARCHIVE.replace("mbox", "maildir")
    [account] = read(tmp_path, text + maildir).accounts
    places = [one for one in account.destinations if not isinstance(one, MboxDestination | S3Destination)]
    gone = [place.when_copy_is_gone for place in places]
    assert gone == [WhenCopyIsGone.ACCEPT, WhenCopyIsGone.RESTORE, WhenCopyIsGone.KEEP]


def test_a_mailbox_knows_in_which_file_table_and_line_its_settings_stand(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(
        "name,host,username,password,imap_host,imap_username,imap_password\nbob,h,b,p,i,b,p\n"
    )
    text = f'accounts_file = "more.csv"\n{WHOLE}{mailbox()}'
    alice, bob = read(tmp_path, text).accounts
    [_, first], [second] = alice.destinations, bob.destinations
    assert isinstance(first, ImapDestination)
    assert isinstance(second, ImapDestination)
    line = text.splitlines().index('type = "imap"')
    assert first.setting_place() == f"under [[accounts.destinations]] of alice ({tmp_path}/config.toml, line {line})"
    assert second.setting_place() == f"in the row of bob ({tmp_path}/more.csv, line 2)"
