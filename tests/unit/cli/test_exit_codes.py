from __future__ import annotations

from pathlib import Path

import pytest

from migrator.cli.exit_codes import CODES, FINER, VARIABLE, not_done
from migrator.errors import Kind

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
ASKED = {VARIABLE: FINER}


@pytest.mark.parametrize("kind", Kind)
def test_without_being_asked_for_every_failure_is_one(kind: Kind) -> None:
    assert not_done([kind], {}) == not_done([kind], {VARIABLE: "1"}) == 1


def test_every_kind_has_one_finer_code() -> None:
    assert sorted(kind for _, kinds in CODES.values() for kind in kinds) == sorted(Kind)


def test_a_wrong_password_is_no_full_disk() -> None:
    assert (not_done([Kind.AUTH], ASKED), not_done([Kind.DISK_FULL], ASKED)) == (77, 74)


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], 1),
        (["auth", "auth"], 77),
        (["in-use", "locked"], 75),
        (["auth", "disk-full"], 1),
        (["of a newer program"], 1),
    ],
)
def test_reasons_of_several_sorts_are_one(kinds: list[str], code: int) -> None:
    assert not_done(kinds, ASKED) == code


def test_finer_codes_are_above_those_of_the_contract_and_below_signals() -> None:
    assert all(64 <= code < 126 for code in CODES)


def test_the_guide_has_the_table() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    rows = [
        f"| {code} | {meaning} | {', '.join(f'`{kind}`' for kind in kinds)} |"
        for code, (meaning, kinds) in CODES.items()
    ]
    assert [row for row in rows if row not in text] == []
