from __future__ import annotations

import re

import pytest

from migrator.adopting.fields import first_fields, name_of, without, without_marked

BLOCK = b"A: 1\r\n\tmore\r\n and more\r\nB: 2\r\nMark: three\r\nC: 4\r\n"


def test_a_field_is_taken_out_with_its_continuations_and_nothing_else_changes() -> None:
    fields = first_fields(BLOCK)
    assert [name_of(field) for field in fields] == [b"a", b"b", b"mark", b"c"]
    assert without(BLOCK, fields, {0}) == b"B: 2\r\nMark: three\r\nC: 4\r\n"
    assert without(BLOCK, fields, ()) == BLOCK
    assert without_marked(BLOCK, re.compile(rb"Mark: (\w+)")) == (BLOCK.replace(b"Mark: three\r\n", b""), "three")
    assert without_marked(BLOCK, re.compile(rb"(None)")) is None


def test_a_mark_far_down_is_somebody_elses() -> None:
    block = b"X: 1\r\n" * 12 + b"Mark: x\r\n"
    assert without_marked(block, re.compile(rb"(Mark)")) is None


@pytest.mark.parametrize(
    "block", [b"", b"\r\n", b"no colon", b" begins with a blank\r\n", b"A: 1\n\tbare\nB: 2", b"\r"]
)
def test_no_octet_is_lost_of_a_block_in_any_form(block: bytes) -> None:
    fields = first_fields(block)
    assert without(block, fields, ()) == block
