from __future__ import annotations

from pathlib import Path

from migrator.config import load
from migrator.discovery import Address, Discovery, Found, Origin
from migrator.net.tls import TlsMode
from migrator.operations.find_servers import find_servers

SHEET = "address,password\nalice@example.org,p\nbob@example.org,p\ncarol@guess.example,p\nnobody,p\n"


def test_each_domain_is_asked_once_and_only_what_may_be_taken_unasked_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('accounts_file = "a.csv"\n')
    (tmp_path / "a.csv").write_text(SHEET)
    (tmp_path / "a.csv").chmod(0o600)
    asked: list[str] = []

    def discover(address: Address) -> Discovery:
        asked.append(address.domain)
        if address.domain == "example.org":
            found = Found("pop.example.org", 995, TlsMode.IMPLICIT, address.local, Origin.SRV, "said", is_trusted=True)
        else:
            found = Found("mail.guess.example", 110, TlsMode.STARTTLS, str(address), Origin.GUESS, "was guessed")
        return Discovery((found,))

    config = find_servers(load(tmp_path / "config.toml"), discover=discover)
    assert sorted(asked) == ["example.org", "guess.example"]
    assert [(one.name, one.source.host, one.source.username) for one in config.accounts] == [
        ("alice@example.org", "pop.example.org", "alice"),
        ("bob@example.org", "pop.example.org", "bob"),
    ]
    carol, nobody = config.bad_rows
    assert "mail.guess.example, port 110, was guessed: write it down if that is right" in carol.problem
    assert "nobody is not an address" in nobody.problem
    again = load(tmp_path / "config.toml")
    assert len(again.accounts) == 2, "what was found is remembered"


def test_a_shipped_provider_is_known_without_asking_anybody(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('accounts_file = "a.csv"\n')
    (tmp_path / "a.csv").write_text("address,password\nalice@gmx.de,p\n")
    (tmp_path / "a.csv").chmod(0o600)
    [alice] = find_servers(load(tmp_path / "config.toml")).accounts
    assert (alice.source.host, alice.source.username) == ("pop.gmx.net", "alice@gmx.de")
