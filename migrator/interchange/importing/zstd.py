"""zstd for Pythons before 3.14, by ``zstandard`` (``mailferry[zstd]``): a stream that knows when it is cut."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import IO, Any, cast

_CHUNK = 128 * 1024


def open_zstd(path: Path) -> IO[bytes]:
    """Open a file packed by zstd; reading raises ``EOFError`` where it is cut off, ``OSError`` where it is damaged."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]

        return cast("IO[bytes]", zstd.open(path, "rb"))
    return cast("IO[bytes]", io.BufferedReader(_Frames(path), _CHUNK))


class _Frames(io.RawIOBase):
    """What stands in the frames of a file, one after the other."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        import zstandard

        self._zstandard: Any = zstandard
        self._file = path.open("rb")
        self._frame: Any = None
        self._packed = b""
        self._held = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # as the base class has it
        """Give what comes next; nothing at the end."""
        while not self._held and self._advance():
            pass
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def _advance(self) -> bool:
        """Unpack some more; False where nothing is left."""
        self._packed = self._packed or self._file.read(_CHUNK)
        if not self._packed:
            if self._frame is not None:
                raise EOFError("the end is missing")
            return False
        if self._frame is None:
            self._frame = self._zstandard.ZstdDecompressor().decompressobj()
        try:
            self._held = self._frame.decompress(self._packed)
        except self._zstandard.ZstdError as error:
            raise OSError(None, f"it is damaged: {error}") from error
        self._packed = b""
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None
        return True
