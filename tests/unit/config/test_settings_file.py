"""What the page has written beside accounts: read with the configuration, whose owner's own tables come first."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config_watch import Watched
from migrator.config import Config, load
from migrator.config.reading import load_instead
from migrator.config.settings_file import settings_file
from migrator.errors import ConfigError

CONFIG = """\
state_dir = "state"
[[accounts]]
name = "ann"
[accounts.source]
host = "pop.example.org"
username = "ann"
password = { env = "ANN" }
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""
NOTIFY = '[notify]\ndigest = "0 9 * * fri"\n[notify.smtp]\nhost = "mail.example.org"\nsender = "a@b"\nto = ["c@d"]\n'
PINGS = '[pings]\nurl = "https://ping.example.org/secret"\n'


def written(folder: Path, settings: str | None = None, more: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG + more)
    path.chmod(0o600)
    if settings is not None:
        (folder / "state").mkdir(exist_ok=True)
        file = settings_file(folder / "state")
        file.write_text(settings)
        file.chmod(0o600)
    return path


def read(folder: Path, settings: str | None = None, more: str = "") -> Config:
    return load(written(folder, settings, more))


def test_what_the_page_wrote_is_part_of_the_configuration(tmp_path: Path) -> None:
    config = read(tmp_path, NOTIFY + PINGS)
    assert config.notify is not None
    assert config.notify.smtp is not None
    assert (config.notify.digest, config.notify.smtp.host) == ("0 9 * * fri", "mail.example.org")
    assert config.pings is not None
    assert config.pings.url is not None
    assert config.files == (tmp_path / "config.toml", settings_file(tmp_path / "state"))
    assert config.changed_by_page == {"notify", "pings"}
    assert config.warnings == ()


def test_without_such_a_file_all_is_as_before(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert (config.notify, config.pings, config.files) == (None, None, (tmp_path / "config.toml",))


def test_a_table_of_the_owners_own_comes_first_and_is_not_changed_here(tmp_path: Path) -> None:
    config = read(tmp_path, NOTIFY + PINGS, '[notify]\ndigest = "never"\n')
    assert config.notify is not None
    assert (config.notify.digest, config.notify.smtp) == ("never", None)
    assert config.pings is not None
    assert config.changed_by_page == {"pings"}
    [warning] = config.warnings
    assert warning.endswith(f"settings.toml: [notify] is left out, since {tmp_path}/config.toml has one")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[accounts]\n", 'settings.toml: unknown key "accounts"; known are notify, pings'),
        ("[notify\n", "settings.toml, line 1: this is not TOML"),
        ("[notify]\ndigets = 1\n", 'settings.toml, line 2: [notify]: unknown key "digets"; did you mean "digest"?'),
        ("[notify.smtp]\nhost = 'h'\n", "settings.toml, line 1: [notify.smtp]: sender: is missing"),
        ("[pings]\nurl = 'ftp://x'\n", "settings.toml, line 2: [pings]: url: must be an http or https URL"),
        ("notify = 5\n", "settings.toml, line 1: notify: must be a table"),
    ],
)
def test_what_is_wrong_there_is_said_with_its_place(tmp_path: Path, settings: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, settings)
    assert says in "\n".join(caught.value.problems)


def test_a_text_can_be_tried_before_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path)
    file = settings_file(tmp_path / "state")
    after = load_instead(path, file, NOTIFY)
    assert after.notify is not None
    assert not file.exists()
    with pytest.raises(ConfigError):
        load_instead(path, file, "[notify]\ndigest = 'now and then'\n")


def test_that_others_can_read_a_password_there_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, NOTIFY.replace('sender = "a@b"', 'sender = "a@b"\nusername = "u"\npassword = "geheim1"'))
    settings_file(tmp_path / "state").chmod(0o644)
    [warning] = load(path).warnings
    assert "settings.toml: others may read it" in warning


def test_a_worker_notices_that_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path)
    watched = Watched(load(path))
    written(tmp_path, PINGS)
    assert not watched.has_changed()
    assert watched.has_changed()


def test_the_url_that_is_pinged_may_be_kept_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://ping.example.org/1\n")
    config = read(tmp_path, f'[pings]\nurl = {{ file = "{tmp_path}/url" }}\n')
    assert config.pings is not None
    assert config.pings.url is not None
    assert config.pings.url.reveal() == "https://ping.example.org/1"
