"""The standard library's ``dataclasses``, for a program that defines many classes and makes values of few.

There, ``dataclass`` writes and compiles six functions as a class is defined: 0.7 ms for each of the 150 that a command
imports, and it makes values of a third. Here ``__init__`` is written when the first value is made, and the others are
plain functions. The meaning is the same, so a type checker is shown the standard library's names, and its own
``fields``, ``replace`` and ``is_dataclass`` know such a class. Ours import nothing of it, which would be 8 ms more.

Left out is what nothing here needs: classes without ``slots``, ``order``, ``unsafe_hash``, ``InitVar``, ``KW_ONLY`` and
``ClassVar``, and the representation of a value that holds itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import FunctionType

__all__ = ["asdict", "dataclass", "field", "fields", "is_dataclass", "replace"]

_FIELDS = "__lazy_fields__"
_MADE_AGAIN = ("__dict__", "__weakref__")
_MISSING = object()


class _Field:
    """What is known of one field, under the standard library's names."""

    __slots__ = ("compare", "default", "default_factory", "kw_only", "metadata", "name", "repr", "type")

    def __init__(
        self,
        *,
        default: object = _MISSING,
        default_factory: Callable[[], object] | None = None,
        repr: bool = True,  # noqa: A002  # the standard library's name
        compare: bool = True,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.repr, self.compare, self.metadata = repr, compare, metadata or {}
        self.name, self.type, self.kw_only = "", "", False

    @property
    def parameter(self) -> str:
        """The field as a parameter of ``__init__``."""
        if self.default_factory is not None:
            return f"{self.name}=MISSING__"
        return self.name if self.default is _MISSING else f"{self.name}={self.name}__default"

    @property
    def statement(self) -> str:
        """The line of ``__init__`` that sets the field."""
        value = (
            self.name
            if self.default_factory is None
            else f"{self.name}__made() if {self.name} is MISSING__ else {self.name}"
        )
        return f"{self.name}__set(self, {value})"


def _dataclass(
    *,
    slots: bool,  # noqa: ARG001  # all have them; it is written for the reader and the checker
    frozen: bool = False,
    kw_only: bool = False,
    eq: bool = True,
    repr: bool = True,  # noqa: A002  # the standard library's name
    weakref_slot: bool = False,
) -> Callable[[type], type]:
    def defined(written: type) -> type:
        inherited: dict[str, _Field] = getattr(written, _FIELDS, {})
        own = {name: _own(written, name, kw_only=kw_only) for name in written.__annotations__}
        known = inherited | own
        new = tuple(name for name in own if name not in inherited)
        namespace = {
            **(_FROZEN if frozen else {}),
            **({"__repr__": _repr} if repr else {}),
            **(_comparing([name for name, one in known.items() if one.compare], is_hashable=frozen) if eq else {}),
            **{name: value for name, value in vars(written).items() if name not in own and name not in _MADE_AGAIN},
            "__slots__": (*new, "__weakref__") if weakref_slot else new,
            "__qualname__": written.__qualname__,
            "__match_args__": tuple(name for name, one in known.items() if not one.kw_only),
            "__dataclass_fields__": _StandardFields(is_frozen=frozen),
            _FIELDS: known,
        }
        namespace.setdefault("__init__", _Init())
        return type(written)(written.__name__, written.__bases__, namespace)

    return defined


def _own(cls: type, name: str, *, kw_only: bool) -> _Field:
    given = vars(cls).get(name, _MISSING)
    one = given if isinstance(given, _Field) else _Field(default=given)
    one.name, one.type, one.kw_only = name, cls.__annotations__[name], kw_only
    return one


class _Init:
    """``__init__`` until it is asked for, which is when it is written and takes its own place."""

    def __set_name__(self, cls: type, _name: str) -> None:
        self._cls = cls

    def __get__(self, value: object, owner: type) -> object:
        written = _init(self._cls)
        self._cls.__init__ = written  # type: ignore[misc]  # this is what we are for
        return written.__get__(value, owner)


def _init(cls: type) -> FunctionType:
    known: list[_Field] = list(getattr(cls, _FIELDS).values())
    names: dict[str, object] = {"__name__": cls.__module__, "MISSING__": _MISSING}
    for one in known:
        names[f"{one.name}__set"] = getattr(cls, one.name).__set__
        names[f"{one.name}__default"], names[f"{one.name}__made"] = one.default, one.default_factory
    by_name = [one.parameter for one in known if one.kw_only]
    parameters = ["self", *(one.parameter for one in known if not one.kw_only), *(["*", *by_name] if by_name else [])]
    last = "self.__post_init__()" if hasattr(cls, "__post_init__") else "return"
    lines = [f"def __init__({', '.join(parameters)}):", *(one.statement for one in known), last]
    exec("\n ".join(lines), names)  # noqa: S102  # as the standard library does
    init = cast("FunctionType", names["__init__"])
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _comparing(names: list[str], *, is_hashable: bool) -> dict[str, object]:
    key: Callable[[object], object] = attrgetter(*names) if names else lambda _value: ()

    def __eq__(self: object, other: object) -> bool:  # noqa: N807  # they become methods
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807  # as above
        return hash(key(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if is_hashable else None}


def _repr(self: object) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, one in getattr(self, _FIELDS).items() if one.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(_self: object, name: str, _value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: object) -> list[object]:
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def _set_state(self: object, state: list[object]) -> None:
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


_FROZEN: Mapping[str, object] = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}


class _StandardFields:
    """``__dataclass_fields__``, by which the standard library knows a dataclass: made when somebody asks for it."""

    def __init__(self, *, is_frozen: bool) -> None:
        self._is_frozen = is_frozen

    def __get__(self, _value: object, owner: type) -> object:
        import dataclasses

        made = dataclasses.make_dataclass(
            owner.__name__,
            [(name, one.type, _standard(one)) for name, one in getattr(owner, _FIELDS).items()],
            frozen=self._is_frozen,
        )
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(owner, name, getattr(made, name))
        return vars(owner)["__dataclass_fields__"]


def _standard(one: _Field) -> object:
    from dataclasses import field as standard_field

    given: dict[str, Any] = {name: getattr(one, name) for name in ("repr", "compare", "metadata", "kw_only")}
    if one.default is not _MISSING:
        given["default"] = one.default
    if one.default_factory is not None:
        given["default_factory"] = one.default_factory
    return standard_field(**given)


def _fields(of: object) -> tuple[_Field, ...]:
    return tuple(getattr(of, _FIELDS).values())


def _is_dataclass(of: object) -> bool:
    return hasattr(of, _FIELDS)


def _replace(value: object, /, **changes: object) -> object:
    kept = {name: getattr(value, name) for name in getattr(value, _FIELDS) if name not in changes}
    return value.__class__(**kept, **changes)


def _asdict(value: object) -> object:
    if not isinstance(value, type) and _is_dataclass(value):
        return {one.name: _asdict(getattr(value, one.name)) for one in _fields(value)}
    if isinstance(value, dict):
        return {key: _asdict(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_asdict, value))
    return value


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
else:
    asdict, dataclass, field = _asdict, _dataclass, _Field
    fields, is_dataclass, replace = _fields, _is_dataclass, _replace
