from __future__ import annotations

from pathlib import Path

import pytest

from migrator.discovery.autoconfig import LARGEST
from migrator.discovery.https import NotFollowedError, fetch
from migrator.errors import FerryError
from tests.servers.certificates import Certificate, authority, identity
from tests.servers.web import WebServer


@pytest.fixture(autouse=True)
def _trusts_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def test_a_document_is_fetched_and_nothing_is_told_about_a_person() -> None:
    with WebServer({"localhost/a.xml": "hello"}, identity=identity()) as web:
        assert fetch(f"https://localhost:{web.port}/a.xml", "localhost") == b"hello"
        assert web.asked == ["localhost/a.xml"]


def test_what_is_too_large_is_cut_where_that_can_be_seen() -> None:
    with WebServer({"localhost/a.xml": "x" * (LARGEST + 5000)}, identity=identity()) as web:
        assert len(fetch(f"https://localhost:{web.port}/a.xml", "localhost")) == LARGEST + 1


@pytest.mark.parametrize("certificate", [kind for kind in Certificate if kind is not Certificate.GOOD])
def test_a_web_server_that_proves_nothing_is_not_heard(certificate: Certificate) -> None:
    pages = {"localhost/a.xml": "hello"}
    with (
        WebServer(pages, identity=identity(certificate)) as web,
        pytest.raises(FerryError, match="is not there"),
    ):
        fetch(f"https://localhost:{web.port}/a.xml", "localhost")


def test_a_missing_document_is_missing() -> None:
    with WebServer({}, identity=identity()) as web, pytest.raises(FerryError, match="404"):
        fetch(f"https://localhost:{web.port}/a.xml", "localhost")


def test_http_is_never_spoken() -> None:
    with WebServer({"localhost/a.xml": "hello"}) as web:
        with pytest.raises(FerryError, match="unknown url type"):
            fetch(f"http://localhost:{web.port}/a.xml", "localhost")
        assert web.asked == []


def test_a_redirect_is_followed_within_the_domain_over_https_only() -> None:
    plain_pages = {"localhost/b.xml": "forged", "127.0.0.1/b.xml": "foreign"}
    with WebServer(plain_pages) as plain:
        pages = {"localhost/b.xml": "hello"}
        with WebServer(pages, identity=identity()) as web:
            targets = {
                "ours": f"https://localhost:{web.port}/b.xml",
                "plain": f"http://localhost:{plain.port}/b.xml",
                "foreign": f"https://127.0.0.1:{web.port}/b.xml",
                "file": "file:///etc/passwd",
            }
            pages |= {f"localhost/{name}": f"-> {target}" for name, target in targets.items()}
            base = f"https://localhost:{web.port}"
            assert fetch(f"{base}/ours", "localhost") == b"hello"
            for name, why in (("plain", "not encrypted"), ("foreign", "not of localhost")):
                with pytest.raises(NotFollowedError, match=why):
                    fetch(f"{base}/{name}", "localhost")
            with pytest.raises(FerryError, match="is not there"):
                fetch(f"{base}/file", "localhost")
        assert plain.asked == []


def test_redirects_in_a_circle_end() -> None:
    pages: dict[str, str] = {}
    with WebServer(pages, identity=identity()) as web:
        pages["localhost/a"] = f"-> https://localhost:{web.port}/a"
        with pytest.raises(FerryError, match="is not there"):
            fetch(f"https://localhost:{web.port}/a", "localhost")
