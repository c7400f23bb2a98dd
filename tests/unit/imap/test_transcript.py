from __future__ import annotations

from pathlib import Path

import pytest

from migrator.imap.transcript import ImapTranscript
from migrator.net.trace import trace_to, transcript


@pytest.mark.parametrize("slice_size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b'm1 LOGIN "alice" "open sesame"\r\n', ["C: m1 LOGIN ***"]),
        (b'm1 LOGIN "alice" {11}\r\nopen\r\nsesam\r\nm2 NOOP\r\n', ["C: m1 LOGIN ***", "C: m2 NOOP"]),
        (b"A1 AUTHENTICATE PLAIN AGFsaWNlAG9wZW4=\r\n", ["C: A1 AUTHENTICATE PLAIN ***"]),
        (b"A1 AUTHENTICATE SCRAM-SHA-256\r\nbix5\r\n", ["C: A1 AUTHENTICATE SCRAM-SHA-256 ***", "C: ***"]),
        (
            b"m3 APPEND INBOX {20}\r\nSubject: secret\r\n\r\nx\r\nm4 NOOP\r\n",
            ["C: m3 APPEND INBOX {20}", "C: m4 NOOP"],
        ),
        (b"m5 APPEND INBOX {4+}\r\nabcd {2+}\r\nef\r\n", ["C: m5 APPEND INBOX {4+}", "C:  {2+}"]),
    ],
)
def test_what_logs_in_is_masked_and_literals_are_sizes(
    sent: bytes, shown: list[str], slice_size: int, tmp_path: Path
) -> None:
    with trace_to(tmp_path / "trace"):
        inner = transcript("imap.example.org:993")
        assert inner is not None
        trace = ImapTranscript(inner)
        if sent.endswith(b"m2 NOOP\r\n"):  # the server ends a log-in before anything else is said
            login, sent = sent[:-9], sent[-9:]
            for start in range(0, len(login), slice_size):
                trace.said(login[start : start + slice_size])
            trace.heard(b"m1 OK\r\n")
        for start in range(0, len(sent), slice_size):
            trace.said(sent[start : start + slice_size])
    lines = [line.split(" ", 3)[3] for line in (tmp_path / "trace").read_text().splitlines()]
    assert [line for line in lines if line.startswith("C: ")] == shown


def test_challenges_are_masked_and_so_is_what_a_server_repeats(tmp_path: Path) -> None:
    with trace_to(tmp_path / "trace"):
        inner = transcript("imap.example.org:993")
        assert inner is not None
        trace = ImapTranscript(inner)
        trace.secrets = (b"open sesame",)
        trace.said(b"A1 AUTHENTICATE CRAM-MD5\r\n")
        trace.heard(b"+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+\r\n")
        trace.heard(b"A1 NO not open sesame\r\n")
        trace.heard(b"+ go ahead\r\n")
    lines = [line.split(" ", 3)[3] for line in (tmp_path / "trace").read_text().splitlines()]
    assert lines[1:] == ["S: + ***", "S: A1 NO not ***", "S: + go ahead"]
