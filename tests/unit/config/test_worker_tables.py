from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from migrator.config import Config, load
from migrator.config.secrets import EnvironmentSecret
from migrator.errors import ConfigError
from migrator.net.tls import TlsMode

WHOLE = """\
[[accounts]]
name = "alice"
[accounts.source]
host = "pop.example.org"
username = "alice"
password = "hunter2"
[[accounts.destinations]]
type = "mbox"
path = "archive/alice"
"""
SMTP = '[notify.smtp]\nhost = "mail.example.org"\nsender = "ferry@example.org"\nto = ["ann@example.org"]\n'

OIDC = '[web]\nlisten = "127.0.0.1:8025"\n[web.oidc]\n'


def read(folder: Path, more: str) -> Config:
    path = folder / "config.toml"
    path.write_text(WHOLE + more, encoding="utf-8")
    path.chmod(0o600)
    return load(path)


def test_without_the_tables_their_defaults_hold(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert (config.limits.accounts, config.limits.per_host) == (4, 4)
    assert (config.metrics, config.notify, config.pings) == (None, None, None)
    assert config.verify.every == timedelta(days=30)
    assert config.files == (tmp_path / "config.toml",)


def test_all_of_them_are_read(tmp_path: Path) -> None:
    more = f"""
[schedule]
cron = "*/15 7-19 * * mon-fri"
timezone = "Europe/Berlin"
jitter = "30 seconds"
[limits]
accounts = 8
per_host = 2
[metrics]
listen = "127.0.0.1:9300"
textfile = "mailferry.prom"
[notify]
apprise = ["mailto://user:pass@example.org", {{ env = "APPRISE" }}]
after_failures = 3
silence = "2 days"
disk_free = "5 GB"
digest = "never"
{SMTP}
[pings]
url = "https://hc.example.org/1"
accounts = {{ alice = "https://hc.example.org/2" }}
"""
    config = read(tmp_path, more)
    assert config.schedule.timezone == "Europe/Berlin"
    assert config.limits.per_host == 2
    assert config.metrics is not None
    assert config.metrics.textfile == tmp_path / "mailferry.prom"
    assert config.notify is not None
    assert config.notify.apprise[1] == EnvironmentSecret("APPRISE")
    assert config.notify.smtp is not None
    assert (config.notify.smtp.tls, config.notify.smtp.port) == (TlsMode.STARTTLS, 587)
    assert not config.notify.wants_digest
    assert config.pings is not None
    assert config.pings.accounts["alice"].reveal() == "https://hc.example.org/2"
    assert "hc.example.org" not in repr(config.pings)
    assert "user:pass" not in repr(config.notify)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('[schedule]\ntimezone = "Mars/Olympus"\n', '"Mars/Olympus" is not a time zone'),
        ("[limits]\naccounts = 0\n", "out of range"),
        ('[limits]\naccounts = "4"\n', "must be a whole number"),
        ('[notify]\ndigest = "weekly"\n', '"weekly" is not a cron line'),
        ("[notify]\nafter_failures = 0\n", "out of range"),
        ("[notify]\napprise = [4]\n", "must be text or a table"),
        ('[notify.smtp]\nhost = "mail.example.org"\nto = ["a@example.org"]\n', "[notify.smtp]: sender: is missing"),
        (SMTP.replace('"ann@example.org"', ""), "to: "),
        (SMTP + 'subject = "x"\n', 'unknown key "subject"'),
        ('[pings]\nurl = "ftp://hc.example.org/1"\n', "must be an http or https URL"),
        ('[pings]\naccounts = "https://hc.example.org/1"\n', "must be a table"),
        ('[metrics]\nlisten = "9300"\n', "must be an address and a port"),
        ('[web]\nlisten = "8025"\n', "must be an address and a port"),
        ("[web]\n", "listen: is missing"),
        ('[web]\nlisten = "192.0.2.1:8025"\n', "served unencrypted at 192.0.2.1:8025"),
        ('[web]\nlisten = "0.0.0.0:8025"\nallow_plaintext = false\n', "accept that with allow_plaintext = true"),
        ('[web]\nlisten = "127.0.0.1:8025"\ntls_key = "config.toml"\n', "belong together"),
        ('[web]\nlisten = "127.0.0.1:8025"\nhosts = ["http://office"]\n', "is not a host name"),
        (f'{OIDC}issuer = "http://id.example.org"\nclient_id = "a"\n', "issuer: must be an https URL"),
        (f'{OIDC}issuer = "https://id.example.org"\n', "client_id: is missing"),
        (f'{OIDC}issuer = "https://id.example.org"\nclient_id = "a"\nroles = "all"\n', 'unknown key "roles"'),
        ('[notfiy]\ndigest = "never"\n', 'unknown key "notfiy"; did you mean "notify"?'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, more)
    assert problem in str(caught.value)


def test_a_provider_for_signing_in_has_a_name_and_a_secret_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    more = f'{OIDC}issuer = "https://id.example.org/a"\nclient_id = "page"\nclient_secret = {{ file = "secret" }}\n'
    web = read(tmp_path, more).web
    assert web is not None
    assert web.oidc is not None
    assert web.oidc.client_secret is not None
    assert (web.oidc.label, web.oidc.client_secret.reveal()) == ("id.example.org", "s3cret")
    assert "s3cret" not in repr(web)
    named = read(tmp_path, f'{more}name = "Example"\n').web
    assert named is not None
    assert named.oidc is not None
    assert named.oidc.label == "Example"


@pytest.mark.parametrize(
    ("listen", "more", "names"),
    [
        ("127.0.0.1:8025", "", ("127.0.0.1",)),
        ("[::1]:8025", 'hosts = ["office.example.org"]\n', ("office.example.org", "::1")),
        ("localhost:0", "", ("localhost",)),
        ("192.0.2.1:8025", "allow_plaintext = true\n", ("192.0.2.1",)),
        ("0.0.0.0:8025", 'allow_plaintext = true\nhosts = ["office"]\n', ("office",)),
        ("192.0.2.1:8025", 'tls_certificate = "config.toml"\ntls_key = "config.toml"\n', ("192.0.2.1",)),
    ],
)
def test_the_page_is_on_loopback_or_encrypted_or_allowed_to_be_neither(
    tmp_path: Path, listen: str, more: str, names: tuple[str, ...]
) -> None:
    web = read(tmp_path, f'[web]\nlisten = "{listen}"\n{more}').web
    assert web is not None
    assert web.names == names
    assert web.is_tls == ("tls_key" in more)


@pytest.mark.parametrize(
    "more", ['[pings]\nurl = "hunter2"\n', '[notify]\napprise = [""]\n', "[notify]\napprise = 7\n"]
)
def test_no_secret_is_shown_in_a_problem(tmp_path: Path, more: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, more)
    assert "hunter2" not in str(caught.value)


def test_what_the_example_shows_commented_out_is_understood(tmp_path: Path) -> None:
    example = (Path(__file__).parents[3] / "config.example.toml").read_text()
    start = example.index("# [limits]")
    block = example[start : example.index("# ------", start)]
    config = read(tmp_path, "\n".join(line.removeprefix("# ") for line in block.splitlines()))
    assert config.notify is not None
    assert config.notify.smtp is not None
    assert config.metrics is not None
    assert config.pings is not None


def test_a_sheet_of_accounts_is_one_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("name,host,username,password,mbox\nbob,pop.example.org,bob,x,b\n")
    config = read(tmp_path, "")
    assert len(config.files) == 1
    (tmp_path / "config.toml").write_text('accounts_file = "accounts.csv"\n' + WHOLE)
    config = load(tmp_path / "config.toml")
    assert config.files == (tmp_path / "config.toml", tmp_path / "accounts.csv")
    assert [account.name for account in config.accounts] == ["alice", "bob"]


PLAIN_LOGIN = 'tls = "none"\nusername = "ferry"\npassword = "geheim"\n'


def test_no_password_goes_to_another_machine_in_the_clear_unless_that_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SMTP + PLAIN_LOGIN)
    assert "[notify.smtp]: allow_plaintext: " in str(caught.value)
    assert "use tls, or accept that with allow_plaintext = true" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        f"{SMTP}{PLAIN_LOGIN}allow_plaintext = true\n",
        f'{SMTP}tls = "none"\n',
        SMTP.replace("mail.example.org", "127.0.0.1") + PLAIN_LOGIN,
        SMTP.replace("mail.example.org", "localhost") + PLAIN_LOGIN,
        SMTP + PLAIN_LOGIN.replace("none", "starttls"),
    ],
)
def test_what_stays_secret_or_is_allowed_is_read(tmp_path: Path, table: str) -> None:
    read(tmp_path, table)
