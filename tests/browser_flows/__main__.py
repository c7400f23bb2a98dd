"""``python -m tests.browser_flows``: make the pictures of docs/web.md; with names, only those."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser_flows.pictures import FOLDER, PAGE, names_of, shrunk, take, with_album
from tests.browser_flows.sample_office import sample_office
from tests.browser_flows.screens import SHOWN, Shown
from tests.browser_flows.seeing import NARROW, WIDE, chromium, context_of
from tests.browser_flows.visitors import ADMINISTRATOR, USERS, have_something_to_show, let_in, signed_in
from tests.unit.jobs.web.office import office as empty_office


def main(wanted: Collection[str]) -> None:
    """Make the pictures, and name them in docs/web.md."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailferry-")))
        (folder / "new").mkdir()
        office = stack.enter_context(sample_office(folder, let_in))
        new = stack.enter_context(empty_office(folder / "new"))
        cookies = {user.name: signed_in(office.port, user.name) for user in USERS} | {"": {}}
        have_something_to_show(office, cookies[ADMINISTRATOR])
        browser = stack.enter_context(chromium())
        for shown in SHOWN:
            origin = f"http://{shown.host}:{new.port if shown.is_new else office.port}"
            for name in names_of(shown):
                if not wanted or name in wanted:
                    photograph(browser, shown, name, origin, cookies[shown.who], str(folder))
    known = {f"{name}.png" for shown in SHOWN for name in names_of(shown)}
    for path in FOLDER.glob("*.png"):
        if path.name not in known:
            path.unlink()
    PAGE.write_text(with_album(PAGE.read_text("utf-8")), "utf-8")


def photograph(browser: Browser, shown: Shown, name: str, origin: str, cookies: Mapping[str, str], folder: str) -> None:
    """Write the picture of one screen."""
    is_small = name != shown.name
    with context_of(browser, origin, dark=is_small, width=NARROW if is_small else WIDE) as context:
        context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
        page = context.new_page()
        shown.open(page)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.png").write_bytes(shrunk(browser, take(page, folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
