"""Which pages of docs/ are printed from the code, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.pages import configuration, states
from tests.scenarios import matrix

ROOT = Path(__file__).parents[2]

PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration.page,
    "server-behaviour.md": matrix.page,
    "states.md": states.page,
}
