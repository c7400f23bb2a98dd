from __future__ import annotations

import pytest

from migrator.net.tls import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("pop.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("10.0.0.1", False),
        ("pop.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_name_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
