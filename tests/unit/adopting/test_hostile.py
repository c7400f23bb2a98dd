"""Files that a stranger wrote, or a disk has garbled: nothing but the promised comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from migrator.adopting.model import NotTaken, OldAccount, Program
from migrator.adopting.programs import PROGRAMS
from migrator.adopting.restoring import restored
from migrator.interchange.mail_files import message_of
from migrator.message.body import MemoryBody
from tests.unit.adopting.left_behind import SAMPLES, document

HOME = Path("/home/alice")
PIECES = [
    *(path.read_bytes() for path in sorted(SAMPLES.rglob("*")) if path.is_file()),
    b'poll "x" proto pop3 user a pass ',
    b"[retriever]\ntype = SimplePOP3Retriever\nserver = h\nusername = u\n[retriever]\n",
    b'account "a" pop3 server "h" user "u" new-only cache\n',
    b'user_pref("mail.server.server1.type", "pop3");\nuser_pref("mail.server.server1.hostname", 1);\n',
    b"# POP3 State File\n*h u\nk\nk  \n",
    b" 999999999999999999999 h u\n",
]
TEXTS = st.lists(
    st.one_of(st.sampled_from(PIECES), st.binary(max_size=40), st.sampled_from([b'"', b"'", b"\n", b"=", b"$", b"{"])),
    max_size=6,
).map(b"".join)
GARBLED = st.tuples(st.sampled_from(PIECES), st.integers(0, 400), st.integers(0, 60), st.binary(max_size=8)).map(
    lambda made: made[0][: made[1]] + made[3] + made[0][made[1] + made[2] :]
)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
@given(content=st.one_of(TEXTS, GARBLED))
def test_a_file_is_read_or_named_whatever_stands_in_it(program: Program, content: bytes) -> None:
    for name in ("prefs.js", "oldmail-h-110-u", "x"):
        read = document(name, content)
        program.is_state(read)
        if program.is_configuration(read):
            for one in program.accounts(read, HOME):
                assert isinstance(one, OldAccount | NotTaken)
        assert b"" not in program.fetched(read, OldAccount("h", "u", noted_as="h u"))


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
@given(content=st.one_of(TEXTS, GARBLED), is_record=st.booleans())
def test_restoring_takes_nothing_out_but_lines_of_the_header(program: Program, content: bytes, is_record: bool) -> None:
    content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    message = message_of(MemoryBody(content))
    found = restored(message, program, is_record=is_record).message
    kept = b"".join(found.body.chunks())
    assert len(kept) == found.octets <= message.octets
    left = iter(content.split(b"\r\n"))
    assert all(line in left for line in kept.split(b"\r\n")), "its lines are lines of the original, in their order"
