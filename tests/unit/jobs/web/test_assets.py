"""Style and script: kept by a browser for good under their version, and no longer than that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from jobs.web.assets import assets
from tests.unit.jobs.web.office import Office, office


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("office")) as one:
        yield one


def test_every_file_that_a_page_names_is_there_under_its_hash_and_kept_for_good(here: Office) -> None:
    page = here.signed_in().get("/").text
    stranger = here.browser()
    stranger.host = f"localhost:{here.port}"
    page += stranger.get("/sign-in").text
    named = re.findall(r'(?:href|src)="(/[a-z.]+\?v=[0-9a-f]{16})"', page)
    assert {name.partition("?")[0] for name in named} == {f"/{name}" for name in assets()}
    for address in named:
        answer = here.browser().get(address)  # the sign-in has no session
        assert answer.status == 200
        assert address.endswith(sha256(answer.body).hexdigest()[:16])
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("version", ["", "?v=0123456789abcdef"])
def test_under_another_version_it_is_not_kept(here: Office, version: str) -> None:
    answer = here.browser().get(f"/live.js{version}")
    assert answer.headers["cache-control"] == "max-age=300"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("name", ["live.js", "passkey.js"])
def test_a_script_is_our_own_and_small(name: str) -> None:
    folder = Path(__file__).parents[4] / "jobs/web/static"
    assert {path.name for path in folder.iterdir()} == set(assets())
    script = (folder / name).read_text()
    assert len(script.splitlines()) <= 100
    for word in ("eval(", "Function(", "http:", "https:", "document.write", "localStorage"):
        assert word not in script
