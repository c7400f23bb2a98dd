"""No finding ships without a test that brings its cause about and takes its cure."""

from __future__ import annotations

import ast
from pathlib import Path

from migrator.findings.catalogue import ENTRIES

NOT_BROUGHT_ABOUT = {
    "account-row": "a row of an accounts_file that cannot be understood",
    "internal-error": "a defect of the program itself, of which none is known",
}
"""Why there is no such test."""


def test_every_finding_has_a_test_that_takes_its_cure() -> None:
    names = [
        node.name.removeprefix("test_")
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    cured = {entry.id for entry in ENTRIES if any(name.startswith(entry.id.replace("-", "_")) for name in names)}
    assert {entry.id for entry in ENTRIES} - cured == set(NOT_BROUGHT_ABOUT)
