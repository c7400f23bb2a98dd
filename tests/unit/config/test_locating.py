from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import find_config
from migrator.errors import ConfigError


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "xdg" / "mailferry").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


def test_the_file_asked_for_wins(tmp_path: Path) -> None:
    Path("config.toml").touch()
    (tmp_path / "other.toml").touch()
    assert find_config(tmp_path / "other.toml") == tmp_path / "other.toml"


def test_this_folder_comes_before_the_users(tmp_path: Path) -> None:
    user_file = tmp_path / "xdg" / "mailferry" / "config.toml"
    user_file.touch()
    assert find_config() == user_file
    Path("config.toml").touch()
    assert find_config() == Path("config.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r": this is no ordinary file"):
        find_config(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: there is no such file"):
        find_config(tmp_path / "no.toml")
    with pytest.raises(
        ConfigError, match=r"no configuration found \(config\.toml, .*xdg.*/etc/mailferry/config\.toml\)"
    ):
        find_config()
