"""A lazy dataclass does what the standard library's does; the same cases are put to both."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, Generic, TypeVar

import pytest

from migrator import lazy_dataclasses

ROOT = Path(__file__).parents[2]
Thing = TypeVar("Thing")


@lazy_dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What can be pickled stands in a module."""

    name: str
    more: tuple[int, ...] = ()
    secret: str = lazy_dataclasses.field(default="", repr=False, compare=False)


def classes(library: Any) -> SimpleNamespace:
    """Define the same classes by one library or the other."""
    dataclass, field = library.dataclass, library.field

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)
        note: str = field(default="", repr=False, compare=False, metadata={"is setting": False})

        @property
        def total(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True, slots=True)
    class Deeper(Point):
        y: int = 3
        z: tuple[int, ...] = ()

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        second: str
        first: str = "a"

    @dataclass(frozen=True, slots=True)
    class Both(Named):
        third: str = "d"

    @dataclass(slots=True)
    class Open:
        x: int
        said: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.said.append(self.x)

    @dataclass(slots=True, eq=False)
    class Itself:
        x: int

    @dataclass(frozen=True, slots=True, repr=False)
    class Secret:
        text: str

        def __repr__(self) -> str:
            return "***"

    @dataclass(frozen=True, slots=True, repr=False)
    class Inheriting(Secret):
        more: int = 0

    @dataclass(frozen=True, slots=True)
    class Of(Generic[Thing]):
        thing: Thing

    @dataclass(frozen=True, slots=True, weakref_slot=True)
    class Held:
        x: int

    class Plain(Point):
        pass

    return SimpleNamespace(**{name: value for name, value in locals().items() if isinstance(value, type)})


STANDARD, LAZY = classes(dataclasses), classes(lazy_dataclasses)


def _opened(of: Any, _: Any) -> str:
    value = of.Open(1)
    value.x = 2
    return repr(value)


CASES: dict[str, Callable[[Any, Any], object]] = {
    "a value is shown with its fields": lambda of, _: repr([of.Empty(), of.Point(1), of.Deeper(1, z=(2,)), of.Open(1)]),
    "a field may be hidden": lambda of, _: repr(of.Point(1, note="hidden")),
    "a class may show itself": lambda of, _: repr([of.Secret("x"), of.Inheriting("x")]),
    "fields come in the order of writing": lambda of, _: (of.Deeper(1, 2, ["a"], "n", (3,)).z, of.Deeper(1).y),
    "each value has a list of its own": lambda of, _: (of.Point(1).tags is of.Point(1).tags, of.Point(1, 2, [3]).tags),
    "values are equal by their fields": lambda of, _: (of.Point(1) == of.Point(1), of.Point(1) == of.Point(2)),
    "an uncompared field makes no difference": lambda of, _: of.Point(1, note="a") == of.Point(1, note="b"),
    "a subclass's value is another": lambda of, _: (of.Point(1, 3) == of.Deeper(1, 3), of.Point(1) == of.Plain(1)),
    "values of no fields are equal": lambda of, _: (of.Empty() == of.Empty(), len({of.Empty(), of.Empty()})),
    "equal values have one hash": lambda of, _: len({of.Named(second="b"), of.Named(second="b"), of.Secret("b")}),
    "what can change has no hash": lambda of, _: hash(of.Open(1)),
    "what is only itself has one": lambda of, _: (of.Itself(1) == of.Itself(1), hash(of.Itself(1)) != 0),
    "a frozen field is not set": lambda of, _: setattr(of.Point(1), "x", 2),
    "nor deleted": lambda of, _: delattr(of.Point(1), "x"),
    "an open value takes no other field either": lambda of, _: setattr(of.Open(1), "other", 2),
    "an open field is set": _opened,
    "what comes after is done": lambda of, _: of.Open(5).said,
    "a missing argument is named": lambda of, _: of.Point(),
    "a missing keyword is named": lambda of, _: of.Named("a"),
    "one too many is refused": lambda of, _: of.Empty(1),
    "an unknown one is named": lambda of, _: of.Point(1, w=2),
    "keywords and places may mix": lambda of, _: (repr(of.Both("c", second="b")), of.Both.__match_args__),
    "places are matched": lambda of, _: (of.Point.__match_args__, of.Named.__match_args__, of.Empty.__match_args__),
    "a class keeps its name and place": lambda of, _: (of.Point.__qualname__, of.Point.__module__),
    "methods are kept": lambda of, _: (of.Point(1).total, of.Plain(1).total),
    "a generic class stays one": lambda of, _: (repr(of.Of(1)), of.Of[int].__args__),
    "there is no dictionary": lambda of, _: vars(of.Point(1)),
    "only what asks for it can be held weakly": lambda of, _: (
        weakref.ref(of.Held(1)) is None,
        weakref.ref(of.Open(1)),
    ),
    "a copy is equal": lambda of, _: (copy.copy(of.Point(1)) == of.Point(1), copy.deepcopy(of.Open(1)) == of.Open(1)),
    "what is replaced is another value": lambda of, by: repr(by.replace(of.Deeper(1, note="n"), x=2, z=(1,))),
    "an unknown field is not replaced": lambda of, by: by.replace(of.Point(1), w=2),
    "a dictionary has all fields": lambda of, by: by.asdict(of.Of([of.Point(1), (of.Empty(), {"a": of.Open(2)})])),
    "fields are listed": lambda of, by: [(one.name, one.type, dict(one.metadata)) for one in by.fields(of.Deeper)],
    "fields are listed of a value": lambda of, by: [one.name for one in by.fields(of.Both("c", second="b"))],
    "a dataclass is known": lambda of, by: [by.is_dataclass(one) for one in (of.Point, of.Plain(1), of.Empty, int, 3)],
}


def outcome(case: Callable[[Any, Any], object], of: SimpleNamespace, by: Any) -> object:
    """Return what comes of a case: its value, or the kind and words of its error."""
    try:
        return case(of, by)
    except (TypeError, AttributeError) as error:
        return type(error), str(error).replace("super(type, obj)", "")


@pytest.mark.parametrize("claim", CASES)
def test_it_does_what_the_standard_librarys_does(claim: str) -> None:
    expected = outcome(CASES[claim], STANDARD, dataclasses)
    assert outcome(CASES[claim], LAZY, lazy_dataclasses) == expected
    assert outcome(CASES[claim], LAZY, dataclasses) == expected  # whose functions know such a class


def test_what_is_written_is_written_for_the_first_value_and_once() -> None:
    point = classes(lazy_dataclasses).Point
    assert not isinstance(vars(point)["__init__"], FunctionType)
    point(1)
    written = vars(point)["__init__"]
    assert isinstance(written, FunctionType)
    point(2)
    assert vars(point)["__init__"] is written


def test_a_subclass_may_say_more_and_call_what_is_not_written_yet() -> None:
    of = classes(lazy_dataclasses)

    class Further(of.Point):  # type: ignore[misc, name-defined]  # it is known to this test only
        def __init__(self, x: int) -> None:
            super().__init__(x, 7)

    assert Further(1).y == 7
    assert of.Point(1).y == 2


def test_a_signature_is_the_fields() -> None:
    assert list(inspect.signature(classes(lazy_dataclasses).Both).parameters) == ["third", "second", "first"]


def test_a_value_survives_a_pickle() -> None:
    kept = Kept("a", (1, 2), "s")
    again = pickle.loads(pickle.dumps(kept))  # noqa: S301  # our own
    assert (again, again.secret) == (kept, "s")
    with pytest.raises(FrozenInstanceError):
        again.name = "b"


def test_the_standard_librarys_may_inherit_from_it() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Further(Kept):
        last: int = 3

    assert repr(Further("a")) == f"{Further.__qualname__}(name='a', more=(), last=3)"


def test_neither_the_standard_librarys_nor_what_it_brings_is_imported() -> None:
    program = (
        "import sys\nfrom migrator.lazy_dataclasses import *\n"
        "@dataclass(frozen=True, slots=True)\nclass One:\n    x: int = field(default_factory=int)\n"
        "assert asdict(replace(One(), x=2)) == {'x': 2} and is_dataclass(One) and fields(One)[0].name == 'x'\n"
        "assert One() != One(1) and len({One(1), One(1)}) == 1 and repr(One()) == 'One(x=0)'\n"
        "print({'dataclasses', 'inspect'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
