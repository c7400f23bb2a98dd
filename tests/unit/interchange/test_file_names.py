from __future__ import annotations

import pytest

from migrator.interchange.file_names import LONGEST, safe_names


@pytest.mark.parametrize(
    ("names", "safe"),
    [
        (["alice@example.org", "bob-2"], ["alice@example.org", "bob-2"]),
        (["alice", "Alice", "ALICE"], ["alice", "%41lice", "%41%4C%49%43%45"]),
        (["Alice"], ["Alice"]),
        (["con", "Aux.mail", "com1", "com10", "console", "lpt9."], ["%63on", "%41ux.mail", "%63om1", "com10", "console", "%6Cpt9%2E"]),
        (["dot.", "dots.."], ["dot%2E", "dots.%2E"]),
    ],
)  # fmt: skip
def test_names_are_taken_by_every_system_and_stay_apart_without_case(names: list[str], safe: list[str]) -> None:
    assert [safe_names(names)[name] for name in names] == safe
    assert len({name.lower() for name in safe}) == len(names)


def test_a_long_name_is_cut_and_still_unlike_others() -> None:
    names = ["x" * 200, "x" * 201]
    safe = safe_names(names)
    assert [len(safe[name]) for name in names] == [LONGEST, LONGEST]
    assert len(set(safe.values())) == 2
