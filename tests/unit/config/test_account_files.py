from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import Config, load
from migrator.errors import ConfigError


def account(name: str, archive: str = "archive") -> str:
    return (
        f'[[accounts]]\nname = "{name}"\n[accounts.source]\nhost = "pop.example.org"\nusername = "{name}"\n'
        f'password = {{ env = "HOME" }}\n[[accounts.destinations]]\ntype = "mbox"\npath = "{archive}/{name}"\n'
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('state_dir = "state"\n[defaults.source]\ntimeout = "9 seconds"\n')
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "state" / "accounts.d").mkdir(parents=True)
    return path


def written(config: Path, name: str, text: str) -> Path:
    path = config.parent / name
    path.write_text(text)
    return path


def names(config: Config) -> list[str]:
    return [one.name for one in config.accounts]


def test_files_beside_the_configuration_and_in_the_state_folder_are_read_in_the_order_of_names(config: Path) -> None:
    for name, owner in (
        ("accounts.d/b.toml", "bob"),
        ("accounts.d/a.toml", "zoe"),
        ("state/accounts.d/c.toml", "cleo"),
    ):
        written(config, name, account(owner))
    written(config, "accounts.d/.half.toml", "[[accounts]")
    written(config, "accounts.d/notes.txt", "nothing")
    read = load(config)
    assert names(read) == ["zoe", "bob", "cleo"]
    assert [path.name for path in read.files] == ["config.toml", "a.toml", "b.toml", "c.toml"]


def test_an_account_of_its_own_file_has_the_defaults_and_paths_of_the_configuration(config: Path) -> None:
    path = written(config, "accounts.d/a.toml", account("ann"))
    [ann] = load(config).accounts
    assert ann.source.timeout.total_seconds() == 9
    assert ann.destinations[0].path == config.parent / "archive" / "ann"  # type: ignore[union-attr]  # an mbox
    assert ann.place is not None
    assert (ann.place.file, ann.place.path) == (str(path), ("accounts", 0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[accounts]", "this is not TOML"),
        (account("ann") + account("bob"), "has 2 accounts; a file in accounts.d has one"),
        ("", "has 0 accounts"),
        (account("ann") + '[metrics]\nlisten = "127.0.0.1:1"\n', 'unknown key "metrics"'),
        (account("ann").replace("host", "hots"), 'unknown key "hots"'),
    ],
)
def test_what_is_wrong_in_such_a_file_is_named_with_the_file(config: Path, text: str, problem: str) -> None:
    path = written(config, "accounts.d/a.toml", text)
    with pytest.raises(ConfigError) as raised:
        load(config)
    assert any(problem in line and line.startswith(str(path)) for line in raised.value.problems)


def test_a_name_may_stand_only_once_wherever_it_stands(config: Path) -> None:
    config.write_text(account("ann"))
    written(config, "accounts.d/a.toml", account("ann"))
    with pytest.raises(ConfigError, match='2 accounts are named "ann"'):
        load(config)
