"""The tool itself: what it changes, that it changes nothing else, and that each reason is one for a mutant there is."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

import pytest

from tests.mutation.explained import as_entry, explained
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.table import TESTS, WIDER, path
from tests.mutation.trials import source_of

SOURCE = '''
LIMIT = 3

class Jar:
    """Words are left alone, 7 too."""

    def __init__(self) -> None:
        self.held = 0

    @property
    def is_full(self) -> bool:
        return self.held >= LIMIT and not False

    def put(self, coins: list[int], most: int = 9) -> int | None:
        for coin in coins:
            if coin in self.seen:
                continue
            self.held += coin
        self.note(f"{1} coin")
        return self.held
'''


def changes(source: str = SOURCE) -> list[tuple[str, str, str]]:
    return [(one.function, one.line, one.change) for one in mutants_of("jar", source, "jar.py")]


def test_each_thing_is_changed_once_and_words_defaults_and_what_stands_outside_functions_never() -> None:
    comparison = ("Jar.is_full", "return self.held >= LIMIT and not False")
    assert changes() == [
        ("Jar.__init__", "self.held = 0", "0 -> 1"),
        (*comparison, "return True"),
        (*comparison, "return False"),
        (*comparison, "self.held >= LIMIT and (not False) -> self.held >= LIMIT or not False"),
        (*comparison, "self.held >= LIMIT -> self.held > LIMIT"),
        (*comparison, "self.held >= LIMIT -> self.held < LIMIT"),
        (*comparison, "not False -> False"),
        (*comparison, "False -> True"),
        ("Jar.put", "if coin in self.seen:", "coin in self.seen -> True"),
        ("Jar.put", "if coin in self.seen:", "coin in self.seen -> False"),
        ("Jar.put", "if coin in self.seen:", "coin in self.seen -> coin not in self.seen"),
        ("Jar.put", "continue", "break"),
        ("Jar.put", "self.held += coin", "left out"),
        ("Jar.put", 'self.note(f"{1} coin")', "left out"),
        ("Jar.put", "return self.held", "return None"),
    ]


def run(code: CodeType, *arguments: int) -> object:
    def function(number: int) -> object:
        """Have its code replaced."""

    function.__code__ = code
    return function(*arguments)


def test_a_mutant_is_the_function_but_for_its_change_and_the_next_one_is_not_changed_twice() -> None:
    source = "def f(number):\n    if number > 5:\n        return number + 1\n    return 0\n"
    by_change = {(one.line, one.change): one for one in mutants_of("m", source, "m.py")}
    tried = {name: [run(one.code, number) for number in (5, 6)] for name, one in by_change.items()}
    assert tried == {
        ("if number > 5:", "number > 5 -> True"): [6, 7],
        ("if number > 5:", "number > 5 -> False"): [0, 0],
        ("if number > 5:", "number > 5 -> number >= 5"): [6, 7],
        ("if number > 5:", "number > 5 -> number <= 5"): [6, 0],
        ("if number > 5:", "5 -> 6"): [0, 0],
        ("return number + 1", "number + 1 -> number - 1"): [0, 5],
        ("return number + 1", "1 -> 2"): [0, 8],
        ("return 0", "0 -> 1"): [1, 7],
    }


def test_a_test_must_reach_the_head_of_a_statement_and_not_what_stands_inside_it() -> None:
    source = "def f(a, b):\n    if (\n        a\n        and b\n    ):\n        return 1\n"
    assert {one.change: one.lines for one in mutants_of("m", source, "m.py")} == {
        "a and b -> True": range(2, 6),
        "a and b -> False": range(2, 6),
        "a and b -> a or b": range(2, 6),
        "1 -> 2": range(6, 7),
    }


def test_every_reason_is_given_for_a_mutant_that_there_is() -> None:
    for module in {name[0] for name in explained()}:
        source = source_of(module)
        names = {one.name for one in mutants_of(module, source.read_text(encoding="utf-8"), str(source))}
        assert [name for name in explained() if name[0] == module and name not in names] == []
    assert {name[0] for name in explained()} <= set(TESTS)


def test_an_entry_is_read_back_as_the_mutant_it_was_written_for(tmp_path: Path) -> None:
    name = ("fill", "_sources", 'key=lambda pair: pair[1].kind == "imap"', "kind == 'imap' -> kind != 'imap'")
    file = tmp_path / "survivors.toml"
    file.write_text(as_entry(name).replace('reason = ""', 'reason = "because"'), encoding="utf-8")
    assert explained(file) == {name: "because"}
    file.write_text(as_entry(name), encoding="utf-8")
    with pytest.raises(ValueError, match="without a reason"):
        explained(file)


def test_the_table_names_files_that_there_are() -> None:
    for test in (*WIDER, *(test for tests in TESTS.values() for test in tests)):
        assert Path(path(test)).is_file(), test


def test_a_mutant_is_known_by_what_a_person_sees_of_it() -> None:
    [mutant] = mutants_of("m", "def f():\n    g()\n", "m.py")
    assert isinstance(mutant, Mutant)
    assert mutant.name == ("m", "f", "g()", "left out")
