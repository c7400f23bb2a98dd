"""The pictures of docs/web.md: one of every screen, each named there, all of them small."""

from __future__ import annotations

from tests.browser_flows.pictures import ALSO_SMALL, FOLDER, PAGE, names_of, with_album
from tests.browser_flows.screens import SHOWN

LARGEST_ALBUM = 1_500_000


def test_every_screen_has_its_pictures_and_there_are_no_others() -> None:
    assert set(ALSO_SMALL) <= {one.name for one in SHOWN}
    made = {path.name for path in FOLDER.iterdir()}
    assert made == {f"{name}.png" for one in SHOWN for name in names_of(one)}


def test_the_page_names_every_picture_in_words() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_album(page), "make screenshots"
    assert all(one.alt for one in SHOWN)


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LARGEST_ALBUM
