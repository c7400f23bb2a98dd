"""The steps that a history is made of, by name; each says how often it stands in one, relative to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.model.world import World

Action = Callable[["World", int, int], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of step."""

    weight: int
    action: Action


KINDS: dict[str, Kind] = {}


def step(weight: int) -> Callable[[Action], Action]:
    """Make a function a step under its own name."""

    def enter(action: Action) -> Action:
        KINDS[action.__name__] = Kind(weight, action)
        return action

    return enter
