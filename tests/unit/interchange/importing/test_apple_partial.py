from __future__ import annotations

from base64 import b64encode
from email import message_from_bytes
from pathlib import Path

import pytest

from migrator.interchange.importing.apple_partial import attachments_of, is_partial
from tests.unit.interchange.importing.letters import Taken, put

PICTURE = bytes(range(256)) * 3
HEAD = b"From: a@b\nSubject: partial\nMIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=out\n\n"
TEXT = b"--out\nContent-Type: text/plain\n\nsee below\n"
INNER = (
    b"--out\nContent-Type: multipart/related; boundary=in\n\n"
    b"--in\nContent-Type: text/html\n\n<b>x</b>\n"
    b"--in\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n"
    b"X-Apple-Content-Length: 1024\n\n"
    b"\n--in--\n"
)
NOTE = b"--out\nContent-Type: text/plain\nX-Apple-Content-Length: 7\n\n\n--out--\n"
MESSAGE = HEAD + TEXT + INNER + NOTE


def lay_out(root: Path, *parts: tuple[str, bytes]) -> Path:
    plist = b"<plist><dict><key>flags</key><integer>1</integer></dict></plist>"
    put(root / "A.mbox/Messages/17.partial.emlx", b"%d\n" % len(MESSAGE) + MESSAGE + plist)
    for number, content in parts:
        put(root / f"A.mbox/Attachments/17/{number}/name.bin", content)
    return root / "A.mbox"


def test_attachments_that_stand_beside_a_message_are_put_back(tmp_path: Path) -> None:
    taken = Taken(lay_out(tmp_path, ("2.2", PICTURE), ("3", b"a note\n")))
    [body] = taken.bodies
    assert not taken.troubles
    assert not taken.doubts
    assert taken.flags == [["\\Seen"]]
    assert list(taken.others) == ["/Attachments"]
    assert b"X-Apple-Content-Length" not in body
    leaves = [part for part in message_from_bytes(body).walk() if not part.is_multipart()]
    assert [part.get_payload(decode=True) for part in leaves][2:] == [PICTURE, b"a note\r\n"]
    assert b64encode(PICTURE)[:76] + b"\r\n" in body


@pytest.mark.parametrize("parts", [(), (("2.2", PICTURE),)])
def test_attachments_that_are_missing_are_named_and_the_message_is_stored(
    tmp_path: Path, parts: tuple[tuple[str, bytes], ...]
) -> None:
    taken = Taken(lay_out(tmp_path, *parts))
    assert len(taken.bodies) == 1
    [doubt] = taken.doubts
    assert doubt.startswith("one of its attachments is" if parts else "2 of its attachments are")


def test_only_the_name_says_that_a_message_is_partial(tmp_path: Path) -> None:
    assert is_partial("17.partial.emlx")
    assert not is_partial("17.emlx")
    assert attachments_of(tmp_path / "17.emlx") is None
