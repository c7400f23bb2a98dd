from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.config import values


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("45 seconds", 45),
        ("1 second", 1),
        ("45s", 45),
        ("15 minutes", 900),
        ("15 M", 900),
        ("2 hours", 7200),
        ("1.5h", 5400),
        ("30 days", 2592000),
        ("1d", 86400),
        ("2 weeks", 1209600),
        (" 1 w ", 604800),
        ("0 days", 0),
    ],
)
def test_durations(written: str, seconds: float) -> None:
    assert values.duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["", "45", "-1 s", "s", "1 month", "1 s 2 m", "1e3 s", 45, None, True, "٣ s\n4"])
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        values.duration(written)


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("50 MB", 50_000_000),
        ("50mb", 50_000_000),
        ("1 kB", 1000),
        ("1 KiB", 1024),
        ("2GiB", 2 * 1024**3),
        ("2 GB", 2_000_000_000),
        ("1.5 MiB", 1_572_864),
        ("100 B", 100),
        (100, 100),
    ],
)
def test_sizes(written: object, octets: int) -> None:
    assert values.size(written) == octets


@pytest.mark.parametrize("written", ["", "50", "MB", "-1 MB", "0 kB", "1 XB", 0, -1, True, 1.5, None])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        values.size(written)


@pytest.mark.parametrize(
    "written", ["pop.example.org", "localhost", "127.0.0.1", "::1", "fe80::1%eth0", "a_b", "bücher.example", "h."]
)
def test_hosts(written: str) -> None:
    assert values.host(written) == written
    assert values.host(f"[{written}]") == written


@pytest.mark.parametrize(
    "written", ["", " ", "a b", "a/b", "a:995", "pop3://a", "user@a", "-.", "a\n", "a..b/", 3, None]
)
def test_what_is_no_host_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        values.host(written)


def test_a_fingerprint_may_have_colons_and_capitals() -> None:
    assert values.fingerprint(":".join(["AB"] * 32)) == "ab" * 32


def test_long_and_odd_values_are_shown_in_one_short_line() -> None:
    assert values.shown("x" * 100) == '"' + "x" * 56 + '…"'
    assert values.shown("a\r\nb") == r'"a\x0d\x0ab"'
    assert values.shown(True) == "true"
