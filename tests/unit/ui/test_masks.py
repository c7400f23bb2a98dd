from __future__ import annotations

import pytest

from migrator.ui.masks import Masks

MANY = [f"other-{number:05}" for number in range(1_000)]


@pytest.mark.parametrize("others", [[], MANY], ids=["few", "many"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("nothing of it", "nothing of it"),
        ("secret", "***"),
        ("a secret, and a secret.", "a ***, and a ***."),
        ("secretsecret", "******"),
        ("long-secret-word", "***"),
        ("a secretive plan", "a *** plan"),
        ("pass the salt", "*** the salt"),
        ("abc", "abc"),
        ("ababababab", "***"),
    ],
)
def test_stars_stand_wherever_a_password_would(others: list[str], text: str, shown: str) -> None:
    masks = Masks()
    masks.add(["secret", "long-secret-word", "secretive", "pass", "abc", "ababab", *others])
    assert masks.masked(text) == shown


def test_of_passwords_that_overlap_nothing_is_left() -> None:
    masks = Masks()
    masks.add(["abcd", "cdef"])
    assert masks.masked("-abcdef-") == "-***-"
