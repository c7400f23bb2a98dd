from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.oauth_secret import OAuthSecret
from migrator.errors import ConfigError

ACCOUNT = """
[[accounts]]
name = "alice"
[accounts.source]
host = "pop.example.org"
username = "alice@example.org"
password = {{ oauth = {oauth} }}
{more}
[[accounts.destinations]]
type = "mbox"
path = "a"
"""
GOOGLE = '[oauth.google]\nclient_id = "cid"\nclient_secret = { file = "google.secret" }\n'
OWN = '[oauth.own]\nclient_id = "cid"\nscopes = ["mail"]\n'


def secret_of(tmp_path: Path, text: str) -> OAuthSecret:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    [account] = load(path).accounts
    assert account.source.is_token
    assert isinstance(account.source.password, OAuthSecret)
    return account.source.password


def problems_of(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        secret_of(tmp_path, text)
    return str(raised.value)


def account(oauth: str, more: str = "") -> str:
    return ACCOUNT.format(oauth=oauth, more=more)


def test_a_provider_is_named(tmp_path: Path) -> None:
    secret = secret_of(tmp_path, GOOGLE + account('"google"'))
    assert (secret.user, secret.account, secret.provider.name) == ("alice@example.org", "alice", "google")
    assert secret.folder == tmp_path / "state" / "secrets"
    assert secret.missing() is None  # nobody has signed in yet: that is no wrong configuration
    assert "cid" not in repr(secret)


def test_a_provider_is_described_in_place(tmp_path: Path) -> None:
    table = '{ issuer = "https://id.example.org", client_id = "cid", scopes = ["mail"] }'
    secret = secret_of(tmp_path, account(table))
    assert (secret.provider.name, secret.provider.issuer) == ("id.example.org", "https://id.example.org")


def test_a_provider_of_one_s_own(tmp_path: Path) -> None:
    own = OWN + 'token = "https://id.example.org/t"\nauthorize = "https://id.example.org/a"\n'
    assert secret_of(tmp_path, own + account('"own"')).provider.host == "id.example.org"


def test_the_client_itself(tmp_path: Path) -> None:
    table = '[oauth.microsoft]\nclient_id = "cid"\nclient_secret = "s"\ntenant = "example.org"\ngrant = "client-credentials"\n'
    secret = secret_of(tmp_path, table + account('"microsoft"'))
    assert not secret.provider.needs_person
    assert secret.provider.scopes == ("https://outlook.office365.com/.default",)


WRONG = [
    (account('"google"'), "there is no [oauth.google] with a client_id; docs/oauth.md says how to get one"),
    (GOOGLE + account('"gogle"'), 'there is no [oauth.gogle]; did you mean "google"?'),
    (GOOGLE + account("3"), "oauth must be a name or a table"),
    (GOOGLE + account('"google"', 'auth = "plain"'), '"plain" would send an access token as a password; use auto'),
    ("[oauth.google]\n" + account('"google"'), "client_id: is missing"),
    ('[oauth.google]\nclient_id = "c"\nclientsecret = "x"\n' + account('"google"'), 'did you mean "client_secret"?'),
    (OWN + account('"own"'), "token and authorize are missing, or issuer"),
    (OWN + 'issuer = "http://id.example.org"\n' + account('"own"'), "issuer: must be an https URL"),
    (OWN + 'issuer = "https://i.example"\ntoken = "https://i.example/t"\n' + account('"own"'), "keep one of them"),
    (OWN + 'token = "https://i.example/t"\n' + account('"own"'), "nobody could sign in"),
    (OWN.replace("scopes", "# ") + 'issuer = "https://i.example"\n' + account('"own"'), "scopes is missing"),
    (
        '[oauth.microsoft]\nclient_id = "c"\ngrant = "client-credentials"\n' + account('"microsoft"'),
        "client_secret is missing",
    ),
    (
        '[oauth.microsoft]\nclient_id = "c"\nclient_secret = "s"\ngrant = "client-credentials"\n'
        + account('"microsoft"'),
        "tenant is missing",
    ),
    ('[oauth.microsoft]\nclient_id = "c"\ntenant = "a/b"\n' + account('"microsoft"'), "tenant must be a name or an id"),
    ('[oauth.google]\nclient_id = "c"\ntenant = "t"\n' + account('"google"'), "tenant is for microsoft only"),
    (
        GOOGLE + '[oauth.microsoft]\nclient_id = "c"\nclient_secret = { oauth = "google" }\n' + account('"google"'),
        "an access token (oauth) cannot serve here",
    ),
    (
        GOOGLE
        + '[notify.smtp]\nhost = "m"\nusername = "u"\npassword = { oauth = "google" }\nsender = "a@b"\nto = ["a@b"]\n'
        + account('"google"'),
        "an access token (oauth) cannot serve here",
    ),
    (account('{ issuer = "http://i.example", clientid = "c" }'), "client_id: is missing"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems_of(tmp_path, text)


def test_a_wrong_table_is_not_called_missing(tmp_path: Path) -> None:
    assert "there is no [oauth" not in problems_of(tmp_path, "[oauth.google]\n" + account('"google"'))


def test_a_client_s_secret_in_the_file_is_to_be_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[oauth.google]\nclient_id = "c"\nclient_secret = "s"\n' + account('"google"'))
    path.chmod(0o644)
    assert "others may read it" in load(path).warnings[0]


def test_a_row_of_a_sheet_and_the_defaults_may_name_a_provider(tmp_path: Path) -> None:
    sheet = "name,host,username,password_oauth,mbox\nann,pop.example.org,ann@example.org,google,a\n"
    (tmp_path / "people.csv").write_text(sheet)
    secret = secret_of(tmp_path, 'accounts_file = "people.csv"\n' + GOOGLE)
    assert (secret.user, secret.account) == ("ann@example.org", "ann")
    more = 'password = { oauth = "google" }\n'
    written = account('"google"').replace(more, "")
    secret = secret_of(tmp_path, f"{GOOGLE}[defaults.source]\n{more}{written}")
    assert (secret.user, secret.account) == ("alice@example.org", "alice")
