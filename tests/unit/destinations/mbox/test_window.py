from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from migrator.destinations.mbox.window import BLOCK_OCTETS, Window

CONTENT = Random(1).randbytes(BLOCK_OCTETS * 5 + 123)


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = tmp_path_factory.mktemp("window") / "file"
    path.write_bytes(CONTENT)
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.mark.parametrize("size", [0, 1, 2, 4_096, BLOCK_OCTETS - 1, BLOCK_OCTETS, BLOCK_OCTETS + 1, 3 * BLOCK_OCTETS])
@pytest.mark.parametrize("near", [0, 1, 2, 5])
@pytest.mark.parametrize("off", [0, 1, -1, -4_096])
def test_what_is_read_is_what_stands_there(handle: int, near: int, off: int, size: int) -> None:
    offset = max(0, near * BLOCK_OCTETS + off)
    assert Window(handle).read(offset, size) == CONTENT[offset : offset + size]


def test_it_may_be_read_here_and_there(handle: int) -> None:
    window, chance = Window(handle), Random(2)
    for _ in range(300):
        offset, size = chance.randrange(len(CONTENT) + 10), chance.choice([1, 100, 5_000, BLOCK_OCTETS])
        assert window.read(offset, size) == CONTENT[offset : offset + size]
