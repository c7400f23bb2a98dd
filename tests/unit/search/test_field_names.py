from __future__ import annotations

import pytest

from migrator.search.field_names import _ELSEWHERE, about_unknown
from migrator.search.query import _PREFIXES


@pytest.mark.parametrize(
    ("field", "near"),
    [("frm", "from"), ("subjet", "subject"), ("attachement", "attachment"), ("sender", "from"), ("since", "after")],
)
def test_the_nearest_field_is_named(field: str, near: str) -> None:
    said = about_unknown(field, "x", _PREFIXES)
    assert said == f'{field}: is not a field (did you mean {near}:?); searched as the words "{field}" and "x"'


def test_where_none_is_near_all_are_named() -> None:
    assert about_unknown("zzz", "x", ["a", "b"]).startswith("zzz: is not a field (fields are a:, b:); searched as")


def test_what_other_programs_call_them_is_none_of_ours() -> None:
    assert set(_ELSEWHERE) & set(_PREFIXES) == set()
    assert set(_ELSEWHERE.values()) <= set(_PREFIXES)
