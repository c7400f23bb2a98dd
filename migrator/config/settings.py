"""What all values of a configuration have in common: which of their fields are settings, and copies with other ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from migrator.lazy_dataclasses import fields

if TYPE_CHECKING:
    from dataclasses import Field

    from _typeshed import DataclassInstance

    Value = TypeVar("Value", bound=DataclassInstance)

NO_SETTING: Mapping[str, object] = {"is setting": False}
"""The metadata of a field that says how a table was written, and not what is wanted."""


def is_setting(field: Field[Any]) -> bool:
    """Say whether a field holds what somebody wants."""
    return bool(field.metadata.get("is setting", True))


def changed(value: Value, own: Mapping[str, object]) -> Value:
    """Return a copy in which these fields have other values, that were checked: ``replace``, but cheap."""
    copy = object.__new__(type(value))
    for name, of, put in _slots(type(value)):
        put(copy, own[name] if name in own else of(value))
    return copy


@cache
def _slots(kind: type[DataclassInstance]) -> Sequence[tuple[str, Callable[[object], object], Callable[..., None]]]:
    slots = ((field.name, getattr(kind, field.name)) for field in fields(kind))
    return [(name, slot.__get__, slot.__set__) for name, slot in slots]
