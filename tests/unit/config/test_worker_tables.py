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
        ('[schedule]\ntimezone = "Mars/Olympus"\n', '"Mars/Olympus" is no time zone'),
        ("[limits]\naccounts = 0\n", "out of range"),
        ('[limits]\naccounts = "4"\n', "must be a whole number"),
        ('[notify]\ndigest = "weekly"\n', '"weekly" is no cron line'),
        ("[notify]\nafter_failures = 0\n", "out of range"),
        ("[notify]\napprise = [4]\n", "must be text or a table"),
        ('[notify.smtp]\nhost = "mail.example.org"\nto = ["a@example.org"]\n', "[notify.smtp]: sender: is missing"),
        (SMTP.replace('"ann@example.org"', ""), "to: "),
        (SMTP + 'subject = "x"\n', 'unknown key "subject"'),
        ('[pings]\nurl = "ftp://hc.example.org/1"\n', "must be an http or https URL"),
        ('[pings]\naccounts = "https://hc.example.org/1"\n', "must be a table"),
        ('[metrics]\nlisten = "9300"\n', "must be an address and a port"),
        ('[notfiy]\ndigest = "never"\n', 'unknown key "notfiy"; did you mean "notify"?'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, more)
    assert problem in str(caught.value)


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
