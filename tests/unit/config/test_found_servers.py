from __future__ import annotations

import stat
from pathlib import Path

import pytest

from migrator.config.found_servers import FILE_NAME, remember_servers, servers_found

SERVER = {"host": "h", "port": 995, "tls": "implicit", "username": "u"}


def test_what_was_found_is_known_in_any_case_of_the_address_and_added_to(tmp_path: Path) -> None:
    remember_servers(tmp_path / "state", {"Alice@x.org": SERVER})
    remember_servers(tmp_path / "state", {"bob@x.org": SERVER})
    assert servers_found(tmp_path / "state") == {"alice@x.org": SERVER, "bob@x.org": SERVER}
    assert stat.S_IMODE((tmp_path / "state" / FILE_NAME).stat().st_mode) == 0o600
    remember_servers(tmp_path / "other", {})
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"a": 1}'])
def test_an_odd_file_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert servers_found(tmp_path) == {}
    assert servers_found(tmp_path / "nowhere") == {}


def test_only_the_keys_of_a_server_are_taken(tmp_path: Path) -> None:
    remember_servers(tmp_path, {"a@x": {**SERVER, "password": "p"}})
    assert servers_found(tmp_path) == {"a@x": SERVER}
