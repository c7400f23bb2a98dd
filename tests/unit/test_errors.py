from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from migrator.errors import LOCAL, DefectError, Endpoint, FerryError, Kind, contained

POP, IMAP = Endpoint("Pop.example.org", 995), Endpoint("imap.example.org", 993)


def test_the_first_seam_that_an_error_passes_names_the_server() -> None:
    error = FerryError(Kind.CONNECT, "gone")
    assert error.endpoint is None
    error.blame(IMAP).blame(POP)
    assert error.endpoint == IMAP


@pytest.mark.parametrize("kind", sorted(LOCAL))
def test_a_failure_of_this_machine_is_no_servers_fault(kind: Kind) -> None:
    assert FerryError(kind, "full").blame(POP).endpoint is None


def test_the_server_at_fault_is_known_in_another_process() -> None:
    arrived = pickle.loads(pickle.dumps(FerryError(Kind.TIMEOUT, "silent", endpoint=POP)))  # noqa: S301  # our own
    assert arrived.endpoint == POP
    assert str(arrived.endpoint) == "pop.example.org:995"


def test_a_defect_of_ours_comes_out_as_an_error_that_holds_it() -> None:
    defect = KeyError("hunter2")
    with pytest.raises(DefectError) as raised, contained():
        raise defect
    assert raised.value.defect is defect
    assert raised.value.kind is Kind.INTERNAL
    assert pickle.loads(pickle.dumps(raised.value)).kind is Kind.INTERNAL  # noqa: S301  # our own


@pytest.mark.parametrize("ends", [FerryError(Kind.AUTH, "no"), KeyboardInterrupt(), SystemExit(2)])
def test_what_has_a_meaning_passes_as_it_is(ends: BaseException) -> None:
    with pytest.raises(type(ends)) as raised, contained():
        raise ends
    assert raised.value is ends


def test_everything_is_caught_in_one_place_only() -> None:
    root = Path(__file__).parents[2]
    catching = [
        path.relative_to(root).as_posix()
        for package in ("migrator", "jobs")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for name in ast.walk(node.type)
        if isinstance(name, ast.Name) and name.id == "Exception"
    ]
    assert catching == ["migrator/errors.py"]
