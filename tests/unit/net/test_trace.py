from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from migrator.errors import ConfigError
from migrator.net.trace import trace_to, transcript
from migrator.pop3.protocol import Verb
from migrator.pop3.transcript import said
from tests.unit.pop3.scripted import PASSWORD, Maildrop, opened, retrieving, sample

MAIL = [sample(1), sample(2, octets=60_000)]


def lines_of(path: Path) -> list[str]:
    """Return what stands behind each moment."""
    return [line.partition(" ")[2] for line in path.read_text().splitlines()]


def test_a_trace_shows_commands_and_status_lines_sizes_for_bodies_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with trace_to(path):
        one = opened(Maildrop(MAIL, after={"PASS pass-word-1": b""}), slice_size=9_000)
        list(retrieving(one, MAIL))
        one.session.quit()
    lines = [re.sub(r"^#\d+ localhost:110 ", "", line) for line in lines_of(path)]
    assert lines[0] == "S: +OK ready"
    for line in ("C: USER alice", "C: PASS ***", "C: STAT", "C: RETR 1", f"S: [{len(MAIL[1])} octets]", "C: QUIT"):
        assert line in lines
    assert "S: PIPELINING" in lines
    assert lines[-1] == "*: closed"
    assert PASSWORD not in path.read_text()
    assert "message 1" not in path.read_text()


def test_a_server_that_repeats_the_password_does_not_get_it_into_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with trace_to(path):
        opened(Maildrop(MAIL, says={"PASS": [b"+OK welcome, %b\r\n" % PASSWORD.encode()]}))
    assert "S: +OK welcome, ***" in path.read_text()
    assert PASSWORD not in path.read_text()


@pytest.mark.parametrize(
    ("verb", "number", "argument", "shown"),
    [
        (Verb.PASS, 0, b"secret", "PASS ***"),
        (Verb.APOP, 0, b"alice 0123456789abcdef", "APOP alice ***"),
        (Verb.AUTH, 0, b"PLAIN AGFsaWNlAHNlY3JldA==", "AUTH PLAIN ***"),
        (Verb.AUTH, 0, b"CRAM-MD5", "AUTH CRAM-MD5"),
        (Verb.TOP, 7, b"0", "TOP 7 0"),
        (Verb.NOOP, 0, b"", "NOOP"),
    ],
)
def test_what_a_trace_shows_of_a_command(verb: Verb, number: int, argument: bytes, shown: str) -> None:
    assert said(verb, number, argument) == shown.encode()


def test_a_trace_is_for_its_owner_only_and_goes_on_behind_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("before\n")
    path.chmod(0o644)
    with trace_to(path):
        opened(Maildrop(MAIL)).session.abandon()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("before\n")
    assert len(path.read_text().splitlines()) > 3


def test_without_a_trace_nothing_is_written_down_and_after_it_neither(tmp_path: Path) -> None:
    assert transcript("host:110") is None
    with trace_to(tmp_path / "trace"):
        assert transcript("host:110") is not None
    assert transcript("host:110") is None


def test_a_file_that_cannot_be_written_is_a_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--trace: .* cannot be written"), trace_to(tmp_path / "no" / "trace"):
        pass
