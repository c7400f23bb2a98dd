from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobs.web.tasks.task_store import newest_tasks
from tests.unit.jobs.web.office import PASSWORD, Office, office
from tests.unit.jobs.web.screens.test_giving_back import result_of


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_the_settings_are_saved_without_passwords(here: Office, tmp_path: Path) -> None:
    browser = here.signed_in()
    here.half_an_hour_later()
    form = browser.get("/care").form("/care/back-up")
    assert browser.send(form, own="wrong").status == 422
    assert newest_tasks(here.site.store, 1) == []
    assert browser.send(form, own=PASSWORD).location == "/jobs?said=task-asked"
    assert result_of(here, browser) == "done: The backup is there. Keep it on another machine."
    number = newest_tasks(here.site.store, 1)[0].number
    saved = browser.get(f"/jobs/{number}/file")
    assert saved.headers["content-disposition"].startswith('attachment; filename="mailferry-backup-20')
    with tarfile.open(fileobj=io.BytesIO(saved.body)) as tar:
        assert sorted(tar.getnames()) == ["config.toml", "ledger.sqlite3"]
        text = tar.extractfile("config.toml")
        assert text is not None
        assert b'password = "***"' in text.read()
        ledger = tar.extractfile("ledger.sqlite3")
        assert ledger is not None
        (tmp_path / "there.sqlite3").write_bytes(ledger.read())
    with closing(sqlite3.connect(tmp_path / "there.sqlite3")) as sql:
        assert sql.execute("pragma integrity_check").fetchone() == ("ok",)
    assert "back up settings" in [entry.action for entry in here.site.store.audit(5)]
