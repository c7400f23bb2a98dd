from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import load
from migrator.errors import ConfigError

TABLES = """
[[accounts]]
name = "alice"
source = { host = "pop.example.org", username = "alice", password = "x" }
destinations = [{ type = "mbox", path = "archive" }]
"""


def written(folder: Path, top: str) -> Path:
    path = folder / "config.toml"
    path.write_text(top + TABLES)
    path.chmod(0o600)
    return path


def test_without_an_address_the_ledger_is_in_the_state_folder(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'state_dir = "here"\n'))
    assert (config.ledger, config.ledger_place) == ("", tmp_path / "here")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://mailferry@db.example.org/mailferry?sslmode=verify-full&passfile=/run/pass",
        "postgresql://mailferry@db1:5432,db2:5433/mailferry?target_session_attrs=read-write",
        "postgresql:///mailferry?host=db1,db2&port=5432,5433&target_session_attrs=read-write",
    ],
)
def test_with_an_address_it_is_there(tmp_path: Path, address: str) -> None:
    config = load(written(tmp_path, f'ledger = "{address}"\n'))
    assert (config.ledger, config.ledger_place) == (address, address)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://mailferry:hunter2@db/mailferry", "must not hold a password"),
        ("postgresql://db/mailferry?user=mailferry&password=hunter2", "must not hold a password"),
        ("postgresql://mailferry:hunter2@db1:5432,db2:5433/mailferry", "must not hold a password"),
        ("mysql://db/mailferry", "must be an address"),
        ("/var/lib/ledger", "must be an address"),
        ("", "must be an address"),
    ],
)
def test_what_is_no_address_or_holds_a_password_is_refused_and_no_password_is_repeated(
    tmp_path: Path, address: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load(written(tmp_path, f'ledger = "{address}"\n'))
    assert "hunter2" not in str(caught.value)
    assert "ledger" in str(caught.value)


def test_a_number_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be an address"):
        load(written(tmp_path, "ledger = 5\n"))
