"""What is a setting, of all that is known of a table that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from typing import Any

NO_SETTING: Mapping[str, object] = {"is setting": False}
"""The metadata of a field that says how a table was written, and not what is wanted."""


def is_setting(field: Field[Any]) -> bool:
    """Say whether a field holds what somebody wants."""
    return bool(field.metadata.get("is setting", True))
