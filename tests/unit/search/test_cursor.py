from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.search.cursor import Cursor, CursorError


@given(st.integers(0, 10**18 - 1))
def test_a_cursor_reads_what_it_wrote(number: int) -> None:
    assert Cursor.read(str(Cursor(number))) == Cursor(number)


@pytest.mark.parametrize("written", ["", "n", "1.", ".1", "1.2", "-1", "1 or 1=1", "٣", "1" * 99, "1\n"])
def test_what_no_search_gave_is_refused(written: str) -> None:
    with pytest.raises(CursorError):
        Cursor.read(written)
