"""What a person installs: how many packages, how many megabytes, and why each is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TOP = Path(__file__).resolve().parents[2]
MOST_MEGABYTES = 50
MOST_PACKAGES = 35
COMES_WITH_PYTHON = frozenset({"pip"})
"""sqlite-utils asks for pip, which each virtual environment has."""


def wanted(name: str, *extras: str) -> Iterator[str]:
    """Yield what a package asks for, here and now, by name."""
    for line in distribution(name).requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield re.sub(r"[-_.]+", "-", one.name).lower()


def installed(*extras: str) -> dict[str, Distribution]:
    """Return what is installed with mailferry, itself left out."""
    found: dict[str, Distribution] = {}
    open_ends = set(wanted("mailferry", *extras))
    while open_ends:
        name = open_ends.pop()
        if name not in found and name not in COMES_WITH_PYTHON:
            found[name] = distribution(name)
            open_ends |= set(wanted(name))
    return found


def megabytes(one: Distribution) -> float:
    """Return how much the files of a package take, without what Python compiles from them."""
    files = [Path(str(one.locate_file(file))) for file in one.files or () if file.suffix != ".pyc"]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


@pytest.mark.parametrize(("extras", "most"), [((), MOST_MEGABYTES), (("web",), MOST_MEGABYTES + 25)])
def test_what_is_installed_stays_small(extras: tuple[str, ...], most: int, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {name: megabytes(one) for name, one in installed(*extras).items()}
    told = ", ".join(f"{name} {size:.1f}" for name, size in sorted(sizes.items(), key=lambda one: -one[1]))
    with capsys.disabled():
        print(f"\n{len(sizes)} packages, {sum(sizes.values()):.1f} MB: {told}")  # noqa: T201  # whoever runs the tests reads it
    assert sum(sizes.values()) <= most, told
    assert len(sizes) <= MOST_PACKAGES + 14 * len(extras), told


def test_each_package_that_is_asked_for_is_named_with_its_reason() -> None:
    told = (TOP / "docs/architecture.md").read_text().lower()
    assert [name for name in wanted("mailferry", "web") if name not in told] == []
