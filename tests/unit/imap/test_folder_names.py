"""A folder's name as it is written, as servers write it, and which spellings are one folder."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies

from migrator.imap.folder_names import (
    FolderName,
    Namespace,
    is_composed_alike,
    is_one_folder,
    spelled_like,
    spellings,
    without_blanks,
)

COURIER = Namespace.told("INBOX.", ".")
DECOMPOSED = unicodedata.normalize("NFD", "Büro")


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"Archive", "Archive"),
        (b"B&APw-ro", "Büro"),
        (b"R&-D", "R&D"),
        ("Büro".encode(), "Büro"),
        (b"B\xfcro", "Büro"),  # Latin-1, which nobody promised
        (b"R&D", "R&D"),  # base64 that ends too soon
    ],
)
def test_a_listed_name_is_shown_as_a_person_wrote_it(wire: bytes, shown: str) -> None:
    name = FolderName.listed(wire)
    assert name.wire == wire
    assert name.shown == shown


@given(strategies.text())
def test_a_name_survives_the_wire(shown: str) -> None:
    try:
        name = FolderName.of(shown)
    except UnicodeEncodeError:  # half of a surrogate pair is no name
        return
    assert name.wire.isascii()
    assert FolderName.listed(name.wire).shown == shown


@given(strategies.binary())
def test_whatever_a_server_lists_has_a_name(wire: bytes) -> None:
    assert FolderName.listed(wire).wire == wire


@pytest.mark.parametrize(
    ("namespace", "folder", "placed"),
    [
        (COURIER, "Old/2026", "INBOX.Old.2026"),
        (COURIER, "INBOX/Old", "INBOX.Old"),
        (COURIER, "inbox.Old", "INBOX.Old"),
        (COURIER, "INBOX.Old", "INBOX.Old"),
        (COURIER, "Old.", "INBOX.Old"),
        (COURIER, "Inboxes", "INBOX.Inboxes"),
        (Namespace.told("INBOX", "."), "Old", "INBOX.Old"),
        (Namespace.told("Inbox/", "/"), "INBOX/Old", "Inbox/Old"),
        (Namespace.told("", "/"), "Archive/v1.2", "Archive/v1.2"),
        (Namespace.told("", "."), "Archive/v1.2", "Archive.v1.2"),
        (Namespace.told("", ""), "Old/2026", "Old/2026"),
        (Namespace.told("#mh/", "/"), "Old", "#mh/Old"),
    ],
)
def test_a_configured_name_gets_delimiter_and_prefix(namespace: Namespace, folder: str, placed: str) -> None:
    assert namespace.placed(folder) == placed


def test_the_levels_of_a_name_are_those_that_the_server_makes() -> None:
    assert COURIER.levels("INBOX.Archive.v1.2") == ["INBOX", "Archive", "v1", "2"]
    assert Namespace.told("", "").levels("a.b") == ["a.b"]


def test_a_name_is_looked_for_as_it_is_then_without_blanks_then_composed_and_decomposed() -> None:
    assert spellings("Old", "/") == ["Old"]
    assert spellings("Old /2026 ", "/") == ["Old /2026 ", "Old/2026"]
    assert spellings("Büro", "/") == ["Büro", DECOMPOSED]
    assert without_blanks(" /Old", "/") == " /Old"


@pytest.mark.parametrize("other", ["archive", "ARCHIVE", "Archive ", "Archive/", "Archive."])
def test_case_blanks_and_delimiters_at_the_end_make_no_other_folder_of_it(other: str) -> None:
    assert is_one_folder("Archive", other)
    assert not is_composed_alike("Archive", other.replace("Archive", "archive") + "x")


def test_letters_are_the_same_composed_or_not_but_case_counts() -> None:
    assert is_composed_alike("Büro", DECOMPOSED)
    assert not is_composed_alike("Büro", "büro")
    assert not is_one_folder("Büro", "Buro")


def test_of_the_listed_names_the_exact_one_counts_first() -> None:
    listed = [FolderName.of(name) for name in ("archive", "Archive", "Archives")]
    assert spelled_like("Archive", listed) == FolderName.of("Archive")
    assert spelled_like("ARCHIVE", listed) == FolderName.of("archive")
    assert spelled_like("Arch", listed) is None
