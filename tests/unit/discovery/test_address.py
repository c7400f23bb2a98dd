from __future__ import annotations

import pytest

from migrator.discovery.address import is_address, is_within, read_address


@pytest.mark.parametrize(
    ("written", "local", "domain"),
    [
        ("alice@example.org", "alice", "example.org"),
        (" Alice.Smith+x@Example.ORG ", "Alice.Smith+x", "example.org"),
        ("a@b@example.org", "a@b", "example.org"),
        ("ä@bücher.example", "ä", "xn--bcher-kva.example"),
        ("alice@example.org.", "alice", "example.org"),
        ("root@intranet", "root", "intranet"),
    ],
)
def test_an_address_is_read_as_it_is_typed(written: str, local: str, domain: str) -> None:
    address = read_address(written)
    assert (address.local, address.domain, str(address)) == (local, domain, written.strip())


@pytest.mark.parametrize(
    "written",
    [
        *("", "alice", "@example.org", "alice@", "a b@example.org", "a\n@example.org", "alice@exa mple.org"),
        *("alice@a..b", "alice@-a.org", "alice@192.0.2.1", "alice@[192.0.2.1]", f"alice@{'a' * 64}.org", "a\x00@b.org"),
        f"alice@{'a.' * 130}org",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="@"):
        read_address(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("alice@example.org", True),
        ("pop3s://alice@example.org", False),
        ("mbox:alice@x", False),
        ("./alice@example.org", False),
        ("folder", False),
    ],
)
def test_an_address_is_told_from_a_url_and_from_a_path(written: str, meant: bool) -> None:
    assert is_address(written) is meant


@pytest.mark.parametrize(
    ("host", "within"),
    [
        ("example.org", True),
        ("POP.Example.org.", True),
        ("notexample.org", False),
        ("example.org.evil.example", False),
        ("org", False),
    ],
)
def test_only_what_stands_below_a_domain_is_of_it(host: str, within: bool) -> None:
    assert is_within(host, "example.org") is within
