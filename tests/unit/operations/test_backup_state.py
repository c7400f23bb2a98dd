from __future__ import annotations

import stat
import tarfile
from pathlib import Path

import pytest

from migrator.config.vault import vault_of
from migrator.errors import ConfigError
from migrator.ledger import FILE_NAME, Ledger
from migrator.operations.backup_state import backup_state
from tests.unit.archive.office import Office


def test_ledger_and_configuration_are_in_one_private_file(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar.gz"
    path.write_bytes(b"an earlier one")
    done = backup_state(path, office.config, ledger, lambda _file: "redacted", clock=lambda: 1_000.0)
    with tarfile.open(path) as tar:
        assert tar.getnames() == [FILE_NAME, "config.toml"]
        assert {member.mode for member in tar} == {0o600}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert done.as_json() == {"path": str(path), "bytes": path.stat().st_size, "left_out": []}


def test_a_file_whose_passwords_cannot_be_told_is_left_out(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    assert backup_state(tmp_path / "b", office.config, ledger, lambda _file: None).left_out == ("config.toml",)


def test_what_fails_leaves_the_earlier_backup_and_nothing_else(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "b").write_bytes(b"an earlier one")

    def fail(_file: Path) -> str:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        backup_state(folder / "b", office.config, ledger, fail)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("b", b"an earlier one")]
    with pytest.raises(ConfigError, match="is not there"):
        backup_state(tmp_path / "no" / "b", office.config, ledger, fail)


def test_the_vault_is_in_it_and_its_key_is_not(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    vault = vault_of(office.config)
    vault.keep("alice/source-1", "open sesame", 1.0, "anna")
    master = vault.master()
    assert master is not None
    path = tmp_path / "b"
    backup_state(path, office.config, ledger, lambda _file: "redacted")
    with tarfile.open(path) as tar:
        assert tar.getnames() == [FILE_NAME, "config.toml", "secrets/vault.json"]
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            content = file.read()
            assert b"open sesame" not in content
            assert all(one.read_bytes().strip() not in content for one in vault.keys.fallbacks() if one.exists())
