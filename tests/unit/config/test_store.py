"""The table of a destination in an object store, and its URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import Config, S3Destination, load
from migrator.config.redaction import toml_without_passwords
from migrator.config.secrets import EnvironmentSecret, FileSecret, TextSecret
from migrator.config.urls import config_from_urls
from migrator.errors import ConfigError
from migrator.model import store_identity, store_label

HEAD = """\
[[accounts]]
name = "alice"
[accounts.source]
host = "pop.example.org"
username = "alice"
password = { env = "PASSWORD" }
[[accounts.destinations]]
type = "s3"
"""


def read(tmp_path: Path, keys: str) -> Config:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    path.write_text(HEAD + keys)
    return load(path)


def place(tmp_path: Path, keys: str) -> S3Destination:
    [destination] = read(tmp_path, keys).accounts[0].destinations
    assert isinstance(destination, S3Destination)
    return destination


def by_url(url: str) -> S3Destination:
    config = config_from_urls("pop3s://a@h", [url], passwords=lambda _end: TextSecret("x"))
    [destination] = config.accounts[0].destinations
    assert isinstance(destination, S3Destination)
    return destination


def test_a_bucket_is_enough(tmp_path: Path) -> None:
    found = place(tmp_path, 'bucket = "mail"')
    assert (found.bucket, found.prefix, found.endpoint, found.region, found.path_style) == (
        "mail",
        "",
        None,
        None,
        False,
    )
    assert found.signing_keys() == ()


def test_all_keys(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        'bucket = "mail"\nprefix = "/archive/alice/"\nendpoint = "https://minio.example.org:9000/"\nregion = "eu"\n'
        'access_key_id = { env = "ID" }\nsecret_access_key = { file = "key" }\ntimeout = "1 minute"\n',
    )
    [found] = config.accounts[0].destinations
    assert isinstance(found, S3Destination)
    assert (found.prefix, found.endpoint, found.path_style) == ("archive/alice", "https://minio.example.org:9000", True)
    keys = (EnvironmentSecret("ID"), FileSecret(tmp_path / "key"))
    assert found.signing_keys() == keys
    assert config.accounts[0].secrets()[1:] == keys
    assert len(config.accounts[0].secret_identities()) == 3


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", "bucket: is missing"),
        ('bucket = "a/b"', "a folder in it is its prefix"),
        ('bucket = "box"\nprefix = "a//b"', "empty level"),
        ('bucket = "box"\nendpoint = "minio:9000"', "must be the URL of the store alone"),
        ('bucket = "box"\nendpoint = "https://me:word@host"', "must be the URL of the store alone"),
        ('bucket = "box"\nendpoint = "https://host/bucket"', "must be the URL of the store alone"),
        ('bucket = "box"\nendpoint = "http://minio.example.org"', "allow_plaintext"),
        ('bucket = "box"\naccess_key_id = { env = "ID" }', "go together"),
        ('bucket = "box"\nsecret_access_key = { env = "KEY" }', "go together"),
        ('bucket = "box"\nfolder = "x"', 'unknown key "folder"'),
        ('bucket = "box"\nca_file = "nowhere.pem"', "is not there"),
    ],
)
def test_a_mistake_is_named_and_nothing_of_a_key_shown(tmp_path: Path, keys: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, keys)
    assert says in str(caught.value)
    assert "word" not in str(caught.value)


def test_plaintext_needs_its_permission_but_for_this_machine(tmp_path: Path) -> None:
    assert place(tmp_path, 'bucket = "box"\nendpoint = "http://127.0.0.1:9000"').endpoint == "http://127.0.0.1:9000"
    assert place(tmp_path, 'bucket = "box"\nendpoint = "http://minio"\nallow_plaintext = true').allow_plaintext


def test_the_same_prefix_twice_is_found_however_it_is_spelled(tmp_path: Path) -> None:
    again = '[[accounts.destinations]]\ntype = "s3"\nbucket = "box"\nendpoint = "https://HOST:443"\nprefix = "/a/"\n'
    with pytest.raises(ConfigError, match="the same destination twice"):
        read(tmp_path, f'bucket = "box"\nprefix = "a"\nendpoint = "https://host"\n{again}')


@pytest.mark.parametrize(
    ("endpoint", "identity"),
    [
        ("", "s3:s3.amazonaws.com/b/p/q"),
        ("https://s3.eu-west-1.amazonaws.com", "s3:s3.amazonaws.com/b/p/q"),
        ("https://Minio.example.org", "s3:minio.example.org/b/p/q"),
        ("http://minio.example.org:9000", "s3:minio.example.org:9000/b/p/q"),
    ],
)
def test_a_place_is_its_store_bucket_and_prefix(endpoint: str, identity: str) -> None:
    assert store_identity("b", "/p/q/", endpoint) == identity
    assert store_label("b", "p/q", endpoint).startswith("s3 b/p/q")


def test_a_url_names_bucket_prefix_and_keys() -> None:
    found = by_url("s3://mail/archive/al%20ice?endpoint=https://minio:9000&region=eu&path_style=false")
    assert (found.bucket, found.prefix, found.endpoint) == ("mail", "archive/al ice", "https://minio:9000")
    assert (found.region, found.path_style) == ("eu", False)
    assert by_url("s3://mail").prefix == ""


@pytest.mark.parametrize(
    "url",
    ["s3://AKIAEXAMPLE:word@mail/x", "s3://mail/x?access_key_id=word", "s3://mail/x?secret_access_key=word", "s3://"],
)
def test_no_key_stands_in_a_url(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        by_url(url)
    assert "word" not in str(caught.value)


def test_keys_are_stars_where_a_configuration_is_shown() -> None:
    shown = toml_without_passwords(
        HEAD + 'bucket = "box"\naccess_key_id = "AKIAEXAMPLE"\nsecret_access_key = "wordword"\n'
    )
    assert shown is not None
    assert "AKIAEXAMPLE" not in shown
    assert "wordword" not in shown


def test_a_file_with_a_key_in_it_must_be_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + 'bucket = "box"\naccess_key_id = { env = "ID" }\nsecret_access_key = "wordword"\n')
    path.chmod(0o644)
    try:
        said = "\n".join(load(path).warnings)
    except ConfigError as error:
        said = str(error)
    assert str(path) in said
