from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from migrator.interchange.importing.zstd import open_zstd
from tests.unit.interchange.importing.letters import ONE, TWO, Taken, crlf, mbox, put

HAS_ZSTD = find_spec("compression") is not None or find_spec("zstandard") is not None


def zstd(content: bytes) -> bytes:
    """Write a frame of zstd with one block that is not compressed (RFC 8878, section 3.1.1)."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\xa0" + len(content).to_bytes(4, "little") + block + content


def test_zstd_is_unpacked_where_there_is_a_library_and_named_where_there_is_none(tmp_path: Path) -> None:
    taken = Taken(put(tmp_path / "x.mbox.zst", zstd(mbox(ONE)) + zstd(mbox(TWO))))
    if HAS_ZSTD:
        assert taken.bodies == [crlf(ONE), crlf(TWO)]
    else:
        assert "mailferry[zstd]" in taken.troubles[""]


def test_zstd_that_is_cut_off_or_damaged_is_named(tmp_path: Path) -> None:
    whole = zstd(mbox(ONE, TWO))
    for content in (whole[:-20], whole[:4] + b"\xff" * 40):
        assert Taken(put(tmp_path / "x.zst", content)).troubles


def test_each_frame_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "x", zstd(b"a" * 300) + zstd(b"b"))
    if HAS_ZSTD:
        with open_zstd(path) as stream:
            assert stream.read() == b"a" * 300 + b"b"
    else:
        with pytest.raises(ModuleNotFoundError):
            open_zstd(path)
