"""Where a folder ends is known without a look only behind our own batch, only for a moment, only without a gap."""

from __future__ import annotations

import pytest

from migrator.imap.folder_view import A_MOMENT, Folder, FolderView
from migrator.model import ImapLocator

FOLDER = Folder(uid_validity=7, uid_next=101, exists=40, kept_flags=frozenset({b"\\Seen"}))


def view_after(*uids: int, validity: int = 7) -> FolderView:
    view = FolderView()
    view.looked(FOLDER, 1_000.0)
    view.stored([ImapLocator(validity, uid) for uid in uids])
    view.stale()
    return view


def test_a_folder_ends_behind_the_batch_that_was_stored_at_its_end() -> None:
    view = view_after(102, 101, 103)
    assert view.now is None
    left = view.as_left(1_000.5)
    assert left == Folder(7, 104, 43, FOLDER.kept_flags)
    assert view.now == left


def test_the_knowledge_counts_once() -> None:
    view = view_after(101)
    view.as_left(1_000.5)
    assert view.as_left(1_000.5) is None


def test_batch_after_batch_is_known_until_the_moment_is_over() -> None:
    view = view_after(101)
    assert view.as_left(1_002.0)
    view.stored([ImapLocator(7, 102)])
    assert view.as_left(1_000.0 + A_MOMENT + 0.1) is None  # since the look, not since the last batch


@pytest.mark.parametrize(
    "view",
    [
        view_after(),
        view_after(102, 103),  # somebody else stored one before
        view_after(101, 103),  # and one between
        view_after(101, validity=8),  # the folder was made again
    ],
)
def test_what_others_did_meanwhile_calls_for_a_look(view: FolderView) -> None:
    assert view.as_left(1_000.5) is None


def test_a_clock_that_was_set_back_calls_for_a_look() -> None:
    assert view_after(101).as_left(999.0) is None


def test_a_new_connection_has_no_folder_open() -> None:
    view = view_after(101)
    view.closed()
    assert view.as_left(1_000.5) is None


def test_a_look_that_came_between_is_newer() -> None:
    view = view_after(101)
    view.looked(Folder(7, 150, 60, frozenset()), 1_000.2)
    assert view.as_left(1_000.5) is None


def test_what_was_stored_behind_a_folder_nobody_looked_at_says_nothing() -> None:
    view = FolderView()
    view.stored([ImapLocator(7, 1)])
    assert view.as_left(0.0) is None
