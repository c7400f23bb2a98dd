"""Which pages of docs/ are printed from the code, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.pages import api, commands, configuration, errors, sentences, states
from tests.scenarios import matrix

ROOT = Path(__file__).parents[2]

PAGES: Mapping[str, Callable[[], str]] = {
    "api.md": api.page,
    "configuration.md": configuration.page,
    "errors.md": errors.page,
    "sentences.md": sentences.page,
    "server-behaviour.md": matrix.page,
    "states.md": states.page,
    **commands.pages(),
}
