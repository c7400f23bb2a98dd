from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
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
    with pytest.raises(ConfigError, match=r": this is not a regular file"):
        find_config(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: there is no such file"):
        find_config(tmp_path / "no.toml")
    with pytest.raises(
        ConfigError, match=r"no configuration found \(config\.toml, .*xdg.*/etc/mailferry/config\.toml\)"
    ):
        find_config()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to be somebody else")
@pytest.mark.parametrize("mode", [0o700, 0o755], ids=["its folder", "itself"])
def test_what_only_the_services_user_may_read_is_passed_over_and_named(mode: int) -> None:
    """As the Debian package leaves it: everybody else on that machine has a configuration of their own, or none."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # pytest's own folders let nobody else through
    (folder / "config.toml").touch(mode=0o600)
    folder.chmod(mode)
    program = (
        "import os, pathlib, sys\n"
        "from migrator.config import find_config, locating\n"
        "from migrator.errors import ConfigError\n"
        "from migrator.config.new_account import site_of\n"
        "import tomlkit, migrator.config.one_shot, migrator.config.urls\n"
        "locating.SYSTEM_WIDE = pathlib.Path(sys.argv[1])\n"
        "os.environ.update(HOME='/nonexistent', XDG_CONFIG_HOME='/nonexistent')\n"
        "os.chdir('/')\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for explicit in (None, locating.SYSTEM_WIDE):\n"
        "    try: print(find_config(explicit))\n"
        "    except ConfigError as error: print(error)\n"
        "print(site_of(None).path)\n"
    )
    words = [sys.executable, "-c", program, str(folder / "config.toml")]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    finally:
        shutil.rmtree(folder)
    usual, explicit, made = ended.stdout.splitlines()
    assert f"{folder / 'config.toml'}, which this user may not read)" in usual
    assert explicit == f"{folder / 'config.toml'}" + (
        ": this user may not look into its folder" if mode == 0o700 else ""
    )
    assert made == "/nonexistent/mailferry/config.toml"
