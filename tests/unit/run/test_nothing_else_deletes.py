"""By construction: DELE is sent for what the one rule returned, and for nothing else."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
SENDING = {"send", "send_each", "ask", "replies", "short_replies", "queue"}


def test_only_one_module_asks_a_session_to_delete_and_only_for_what_the_rule_returned() -> None:
    callers = {name for name, tree in modules() if calls(tree, "session", "delete")}
    assert callers == {"migrator/run/deletion.py"}
    assert {name for name, tree in modules() if imports_the_rule(tree)} == callers
    speakers = {name for name, tree in modules() if mentions(tree, "Verb", "DELE")}
    assert {name for name in speakers if not name.startswith("migrator/pop3/")} == {"migrator/run/suspects.py"}
    assert dele_is_sent_by() == {"migrator/pop3/session.py": ["delete"]}
    assert parameters_of_delete() == ["context", "session", "proven", "rules", "now"]  # evidence, and no numbers


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("migrator", "jobs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.AST, owner: str, name: str) -> bool:
    """Say whether something whose name ends in ``owner`` is asked for ``name``."""
    asked = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(
        isinstance(func, ast.Attribute) and func.attr == name and _name(func.value).lower().endswith(owner)
        for func in asked
    )


def imports_the_rule(tree: ast.AST) -> bool:
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    names = [name.name for one in imports if one.module == "migrator.run.deletion_rule" for name in one.names]
    return "decide" in names


def mentions(tree: ast.AST, owner: str, name: str) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
        for node in ast.walk(tree)
    )


def dele_is_sent_by() -> dict[str, list[str]]:
    """Return the functions that hand ``Verb.DELE`` to what sends commands, by module."""
    senders: defaultdict[str, list[str]] = defaultdict(list)
    for name, tree in modules():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            sending = (n for n in ast.walk(function) if isinstance(n, ast.Call) and _name(n.func) in SENDING)
            if any(mentions(argument, "Verb", "DELE") for call in sending for argument in call.args):
                senders[name].append(function.name)
    return dict(senders)


def parameters_of_delete() -> list[str]:
    [tree] = [tree for name, tree in modules() if name == "migrator/run/deletion.py"]
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "delete"]
    return [argument.arg for argument in function.args.args]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
