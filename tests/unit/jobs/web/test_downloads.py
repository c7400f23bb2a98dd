from __future__ import annotations

from urllib.parse import unquote

import pytest

from jobs.web.downloads import disposition, saved, saved_stream


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht.pdf", "Ubersicht.pdf"),
        ("報告.pdf", "attachment.pdf"),
        ("報告", "attachment"),
        ('a"b\\c.txt', "a_b_c.txt"),
        ("a\r\nSet-Cookie: x=1.txt", "a__Set-Cookie_ x_1.txt"),
        ("a;b=c.txt", "a_b_c.txt"),
        ("x" * 300 + ".txt", "x" * 300 + ".txt"),
    ],
)
def test_a_name_is_given_in_ascii_and_in_full(name: str, plain: str) -> None:
    said = disposition(name)
    assert said.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''")
    assert unquote(said.partition("''")[2]) == name
    assert said.isascii()
    assert said.isprintable()


def test_what_is_saved_is_never_opened() -> None:
    for answer in (saved(b"<html>", "x.html"), saved_stream([b"<html>"], 6, "x.html")):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["content-length"] == "6"
